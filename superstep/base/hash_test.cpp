#include "superstep/base/hash.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "superstep/base/error.h"

namespace superstep {
namespace {

// FIPS 180-4, examples.
TEST(Sha256, GivesThePublishedAnswers) {
  EXPECT_EQ(sha256_hex("abc", 3),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("", 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const std::string million(1'000'000, 'a');
  EXPECT_EQ(sha256_hex(million.data(), million.size()),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// 3,000,000 bytes are more than the reader takes at once.
TEST(Sha256, OfAFileIsThatOfItsBytes) {
  const std::string path = testing::TempDir() + "superstep_hash_test";
  for (const size_t size : {0, 3, 1 << 20, 3'000'000}) {
    const std::string bytes(size, 'x');
    std::ofstream(path, std::ios::binary) << bytes;
    EXPECT_EQ(sha256_file(path), sha256_hex(bytes.data(), bytes.size())) << size;
  }
  std::remove(path.c_str());
}

TEST(Sha256, OfWhatCannotBeReadIsAFileErrorNamingIt) {
  for (const std::string& path : {testing::TempDir() + "no/such/file", testing::TempDir()}) {
    try {
      sha256_file(path);
      ADD_FAILURE() << path << " has a hash";
    } catch (const FileError& error) {
      EXPECT_EQ(std::string(error.what()).find(path), 0U) << error.what();
    }
  }
}

// XXH3_128bits of no bytes, as its library's tests have it.
TEST(Digest, GivesThePublishedAnswerAndSeesOrder) {
  EXPECT_EQ(digest("", 0), (Digest{0x6001c324468d497f, 0x99aa06d3014798d8}));
  const Digest a = digest("a", 1), b = digest("b", 1);
  EXPECT_NE(a, b);
  EXPECT_EQ(combine(a, b), combine(a, b));
  EXPECT_NE(combine(a, b), combine(b, a));
}

}  // namespace
}  // namespace superstep
