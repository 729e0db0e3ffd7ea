#include "superstep/base/hash.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "superstep/base/error.h"

namespace superstep {
namespace {

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    SUPERSTEP_ASSERT(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void update(const void* data, size_t size) {
    SUPERSTEP_ASSERT(EVP_DigestUpdate(context_.get(), data, size) == 1);
  }
  std::string hex() {
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    SUPERSTEP_ASSERT(EVP_DigestFinal_ex(context_.get(), raw, &length) == 1);
    std::string text;
    for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", raw[i]);
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

}  // namespace

std::string sha256_hex(const void* data, size_t size) {
  Sha256 sha;
  sha.update(data, size);
  return sha.hex();
}

std::string sha256_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw FileError("{}: {}", path, std::strerror(errno));
  Sha256 sha;
  std::vector<char> buffer(1 << 20);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || file.gcount() > 0)
    sha.update(buffer.data(), static_cast<size_t>(file.gcount()));
  // A folder opens, and only reading it fails.
  if (file.bad()) throw FileError("{}: cannot be read: {}", path, std::strerror(errno));
  return sha.hex();
}

Digest digest(const void* data, size_t size) {
  const XXH128_hash_t hash = XXH3_128bits(data, size);
  return {hash.low64, hash.high64};
}

Digest combine(Digest a, Digest b) {
  const Digest both[2] = {a, b};
  return digest(both, sizeof both);
}

}  // namespace superstep
