#include "superstep/base/certificates.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <memory>

namespace superstep {
namespace {

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Certificate read(const std::string& pem) {
  BIO* in = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  Certificate certificate(PEM_read_bio_X509(in, nullptr, nullptr, nullptr), &X509_free);
  BIO_free(in);
  return certificate;
}

// As a peer would: the chain, the purpose, the time.
bool verifies(const std::string& certificate, const std::string& authority, int purpose) {
  const Certificate leaf = read(certificate), root = read(authority);
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, root.get());
  X509_STORE_CTX* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, leaf.get(), nullptr);
  X509_STORE_CTX_set_purpose(context, purpose);
  const bool good = X509_verify_cert(context) == 1;
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  return good;
}

TEST(Certificates, AreSignedByTheirAuthorityForServersAndClients) {
  const Authority authority = make_authority("job 17");
  const Tls tls = issue(authority, {"127.0.0.1", "node-7.example"});
  EXPECT_EQ(tls.authority, authority.certificate);
  EXPECT_TRUE(verifies(tls.certificate, tls.authority, X509_PURPOSE_SSL_SERVER));
  EXPECT_TRUE(verifies(tls.certificate, tls.authority, X509_PURPOSE_SSL_CLIENT));
  EXPECT_FALSE(
      verifies(tls.certificate, make_authority("job 17").certificate, X509_PURPOSE_SSL_SERVER));
}

TEST(Certificates, AreGoodForTheHostsGivenAndNoOthers) {
  const Tls tls = issue(make_authority("a"), {"10.0.0.7", "::1", "node-7.example", "a,DNS:evil"});
  const Certificate certificate = read(tls.certificate);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "10.0.0.7", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "::1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "10.0.0.8", 0), 0);
  EXPECT_EQ(X509_check_host(certificate.get(), "node-7.example", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(certificate.get(), "node-8.example", 0, 0, nullptr), 0);
  EXPECT_EQ(X509_check_host(certificate.get(), "evil", 0, 0, nullptr), 0);
}

TEST(Certificates, OfAWorkerAreGoodForNoHost) {
  const Tls tls = issue(make_authority("a"), {});
  EXPECT_EQ(X509_check_ip_asc(read(tls.certificate).get(), "127.0.0.1", 0), 0);
  EXPECT_EQ(X509_check_host(read(tls.certificate).get(), "superstep", 0,
                            X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr),
            0);
}

TEST(Certificates, CannotBeIssuedWithoutAnAuthority) {
  const Authority one = make_authority("one"), two = make_authority("two");
  EXPECT_THROW(issue({"", ""}, {}), ConfigError);
  EXPECT_THROW(issue({one.certificate, two.key}, {}), ConfigError);
}

TEST(Secret, HasThirtyTwoBytesThatDiffer) {
  EXPECT_EQ(make_secret().size(), 32U);
  EXPECT_NE(make_secret(), make_secret());
}

TEST(Secret, IsComparedWhole) {
  EXPECT_TRUE(same_secret("", ""));
  EXPECT_TRUE(same_secret("abc", "abc"));
  EXPECT_FALSE(same_secret("abc", "abd"));
  EXPECT_FALSE(same_secret("abc", "ab"));
}

}  // namespace
}  // namespace superstep
