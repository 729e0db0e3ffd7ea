#include "superstep/io/hdfs/token_file.h"

#include <gtest/gtest.h>

#include "superstep/base/error.h"
#include "superstep/io/test_folder.h"

namespace superstep::io::hdfs {
namespace {

using namespace std::string_literals;

// Lengths below 128 are one byte.
std::string text(const std::string& s) { return static_cast<char>(s.size()) + s; }

std::string token(const std::string& kind) {
  return text("id") + text("pw") + text(kind) + text("h:1");
}

TEST(TokenFile, TheTokenOfHdfsIsFoundAmongOthers) {
  const std::string bytes = "HDTS\0"s + "\x02" + text("a") + token("YARN_AM_RM_TOKEN") + text("b") +
                            token("HDFS_DELEGATION_TOKEN");
  // python3: base64.urlsafe_b64encode(b"\x02id\x02pw\x15HDFS_DELEGATION_TOKEN\x03h:1").rstrip(b"=")
  EXPECT_EQ(hdfs_token_of(bytes, "f"), "AmlkAnB3FUhERlNfREVMRUdBVElPTl9UT0tFTgNoOjE");
  EXPECT_EQ(hdfs_token_of("HDTS\0\0"s, "f"), "");
}

TEST(TokenFile, LongFieldsSayTheirLengthInMoreBytes) {
  // 200 = 0xc8: one byte of magnitude, told by -113.
  const std::string id(200, 'x');
  const std::string bytes = "HDTS\0\1"s + text("a") + "\x8f\xc8"s + id + text("pw") +
                            text("HDFS_DELEGATION_TOKEN") + text("h:1");
  EXPECT_EQ(hdfs_token_of(bytes, "f").substr(0, 8), "j8h4eHh4");  // 8f c8 78 78 78 78
}

TEST(TokenFile, WhatIsCutShortOrAnotherFileIsRefused) {
  const std::string bytes = "HDTS\0\1"s + text("a") + token("HDFS_DELEGATION_TOKEN");
  for (size_t n = 0; n < bytes.size(); ++n)
    EXPECT_THROW(hdfs_token_of(std::string_view(bytes).substr(0, n), "f"), DataError) << n;
  EXPECT_THROW(hdfs_token_of("HDTS\1\0"s, "f"), DataError);
}

using ChangingTokenFile = TestFolder;

TEST_F(ChangingTokenFile, IsReadAgainWhenItHasChanged) {
  const std::string path = this->path("tokens");
  const auto lay = [&](const std::string& bytes, int seconds) {
    put("tokens", bytes);
    // Moments of change that differ, however coarse the file system's clock is.
    std::filesystem::last_write_time(
        path, std::filesystem::file_time_type{} + std::chrono::seconds(seconds));
  };
  const std::string first = "HDTS\0\1"s + text("a") + token("HDFS_DELEGATION_TOKEN");
  std::string second = first;
  second[second.find("pw")] = 'q';
  lay(first, 1);
  TokenFile file(path, "what it held");
  EXPECT_EQ(file.token(), hdfs_token_of(first, "f"));
  lay(second, 2);
  EXPECT_EQ(file.token(), hdfs_token_of(second, "f"));
  EXPECT_NE(file.token(), hdfs_token_of(first, "f"));
  lay(first.substr(0, 9), 3);
  EXPECT_EQ(file.token(), hdfs_token_of(second, "f"));
  std::filesystem::remove(path);
  EXPECT_EQ(file.token(), hdfs_token_of(second, "f"));
}

TEST(TokenFile, WithoutAFileTheTokenStays) { EXPECT_EQ(TokenFile("", "it").token(), "it"); }

}  // namespace
}  // namespace superstep::io::hdfs
