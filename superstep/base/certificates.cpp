#include "superstep/base/certificates.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <memory>

namespace superstep {
namespace {

template <auto free>
struct Free {
  template <class T>
  void operator()(T* p) const {
    free(p);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Memory = std::unique_ptr<BIO, Free<BIO_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;
using Octets = std::unique_ptr<ASN1_OCTET_STRING, Free<ASN1_OCTET_STRING_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;
using Name = std::unique_ptr<GENERAL_NAME, Free<GENERAL_NAME_free>>;

constexpr long kDay = 24L * 60 * 60;

void need(bool done, const char* what) {
  if (!done) throw Error(fmt::format("certificates: OpenSSL cannot {}", what));
}

Key make_key() {
  Key key(EVP_EC_gen("P-256"));
  need(key != nullptr, "make a key");
  return key;
}

std::string text_of(const Memory& memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<size_t>(size)};
}

std::string pem(EVP_PKEY* key) {
  const Memory out(BIO_new(BIO_s_mem()));
  need(out && PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
       "write a key");
  return text_of(out);
}

std::string pem(X509* certificate) {
  const Memory out(BIO_new(BIO_s_mem()));
  need(out && PEM_write_bio_X509(out.get(), certificate) == 1, "write a certificate");
  return text_of(out);
}

Memory reading(std::string_view text) {
  return Memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

void extend(X509* certificate, X509* issuer, int what, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, what, value));
  need(extension && X509_add_ext(certificate, extension.get(), -1) == 1, "add an extension");
}

// Made by hand, not from OpenSSL's text form: there a comma in a host would begin another entry.
void add_hosts(X509* certificate, const std::vector<std::string>& hosts) {
  if (hosts.empty()) return;
  const Names names(GENERAL_NAMES_new());
  for (const std::string& host : hosts) {
    Name name(GENERAL_NAME_new());
    if (ASN1_OCTET_STRING* address = a2i_IPADDRESS(host.c_str())) {
      GENERAL_NAME_set0_value(name.get(), GEN_IPADD, address);
    } else {
      ASN1_IA5STRING* text = ASN1_IA5STRING_new();
      need(text && ASN1_STRING_set(text, host.data(), static_cast<int>(host.size())) == 1,
           "take a host's name");
      GENERAL_NAME_set0_value(name.get(), GEN_DNS, text);
    }
    need(sk_GENERAL_NAME_push(names.get(), name.get()) > 0, "take a host's name");
    (void)name.release();  // the list's now
  }
  need(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1,
       "add the hosts");
}

// All but extensions, issuer and signature.
Certificate blank(EVP_PKEY* key, std::string_view name, int days) {
  Certificate certificate(X509_new());
  need(certificate != nullptr, "make a certificate");
  unsigned char serial[16];
  need(RAND_bytes(serial, sizeof serial) == 1, "find random bytes");
  serial[0] &= 0x7F;  // positive
  const std::unique_ptr<BIGNUM, Free<BN_free>> number(BN_bin2bn(serial, sizeof serial, nullptr));
  X509_set_version(certificate.get(), X509_VERSION_3);
  need(number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get())),
       "number a certificate");
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kDay * days);
  // A common name has at most 64 bytes.
  const std::string_view short_name = name.substr(0, 64);
  need(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                                  reinterpret_cast<const unsigned char*>(short_name.data()),
                                  static_cast<int>(short_name.size()), -1, 0) == 1,
       "name a certificate");
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

void sign(X509* certificate, EVP_PKEY* key) {
  need(X509_sign(certificate, key, EVP_sha256()) > 0, "sign a certificate");
}

}  // namespace

Authority make_authority(std::string_view name, int days) {
  const Key key = make_key();
  const Certificate certificate = blank(key.get(), name, days);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
  extend(certificate.get(), certificate.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  extend(certificate.get(), certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  extend(certificate.get(), certificate.get(), NID_subject_key_identifier, "hash");
  sign(certificate.get(), key.get());
  return {pem(certificate.get()), pem(key.get())};
}

Tls issue(const Authority& authority, const std::vector<std::string>& hosts, int days) {
  const Memory certificate_text = reading(authority.certificate);
  const Memory key_text = reading(authority.key);
  const Certificate issuer(PEM_read_bio_X509(certificate_text.get(), nullptr, nullptr, nullptr));
  const Key issuer_key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
  if (!issuer || !issuer_key || X509_check_private_key(issuer.get(), issuer_key.get()) != 1)
    throw ConfigError(
        "the certificate authority of the job cannot be read: wanted a certificate and its "
        "private key, both in PEM");
  const Key key = make_key();
  const Certificate certificate = blank(key.get(), "superstep", days);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer.get()));
  extend(certificate.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE");
  extend(certificate.get(), issuer.get(), NID_key_usage, "critical,digitalSignature");
  extend(certificate.get(), issuer.get(), NID_ext_key_usage, "serverAuth,clientAuth");
  extend(certificate.get(), issuer.get(), NID_authority_key_identifier, "keyid:always");
  add_hosts(certificate.get(), hosts);
  sign(certificate.get(), issuer_key.get());
  return {authority.certificate, pem(certificate.get()), pem(key.get())};
}

Bytes make_secret() {
  Bytes secret(32, '\0');
  need(RAND_bytes(reinterpret_cast<unsigned char*>(secret.data()),
                  static_cast<int>(secret.size())) == 1,
       "find random bytes");
  return secret;
}

bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace superstep
