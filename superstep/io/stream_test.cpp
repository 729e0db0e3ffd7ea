#include "superstep/io/stream.h"

#include <zlib.h>

#include "superstep/io/test_folder.h"

namespace superstep::io {
namespace {

using StreamTest = TestFolder;

std::string gzip(std::string_view text) {
  z_stream z{};
  deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, text.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

/// 300,000 bytes that compress a little: several chunks on both sides.
std::string long_text() {
  std::string text;
  for (uint32_t i = 0, x = 1; i < 300'000; ++i) {
    x = x * 1664525U + 1013904223U;
    text += static_cast<char>('a' + (x >> 28));
  }
  return text;
}

TEST_F(StreamTest, ReadsPlainAndCompressedAlike) {
  const std::string text = long_text();
  for (const std::string& want : {std::string(), std::string("a"), std::string("ab"), text}) {
    EXPECT_EQ(read_file(put("plain", want)), want);
    EXPECT_EQ(read_file_decompressed(path("plain")), want);
    EXPECT_EQ(read_file_decompressed(put("packed", gzip(want))), want);
    EXPECT_EQ(read_file(path("packed")), gzip(want));
  }
}

TEST_F(StreamTest, GivesTheSameBytesInChunksOfAnySize) {
  const std::string text = long_text().substr(0, 70'000);
  put("plain", text);
  put("packed", gzip(text));
  for (const char* name : {"plain", "packed"}) {
    for (const size_t size : {1, 7, 65'536, 65'537, 70'000, 70'001}) {
      const auto in = open_stream(path(name));
      std::string got, chunk(size, '\0');
      while (const size_t n = in->read(chunk)) {
        EXPECT_TRUE(n == size || got.size() + n == text.size());
        got.append(chunk, 0, n);
      }
      EXPECT_EQ(got, text) << name << " in chunks of " << size;
      EXPECT_EQ(in->read(chunk), 0U);
    }
  }
}

TEST_F(StreamTest, ReadsAllMembersOfAGzipFileAndForgivesZerosAfterThem) {
  const std::string text = long_text();
  const std::string file = gzip("one ") + gzip("") + gzip(text) + gzip(" end");
  EXPECT_EQ(read_file_decompressed(put("a.gz", file)), "one " + text + " end");
  EXPECT_EQ(read_file_decompressed(put("b.gz", file + std::string(100'000, '\0'))),
            "one " + text + " end");
}

TEST_F(StreamTest, RefusesAGzipFileThatIsCutShortAnywhere) {
  const std::string whole = gzip("the quick brown fox jumps over the lazy dog");
  for (size_t length = 2; length < whole.size(); ++length) {
    const std::string file = put("cut.gz", whole.substr(0, length));
    EXPECT_EQ(error_of<DataError>([&] { return read_file_decompressed(file); }),
              file + ": byte " + std::to_string(length) + ": the gzip file is cut short");
  }
  const std::string file = put("cut2.gz", whole + whole.substr(0, 5));
  EXPECT_NE(error_of<DataError>([&] { return read_file_decompressed(file); }).find("cut short"),
            std::string::npos);
}

TEST_F(StreamTest, RefusesDamage) {
  const std::string text = long_text();
  const std::string whole = gzip(text);
  for (const size_t place : {size_t{2}, whole.size() / 2, whole.size() - 8, whole.size() - 1}) {
    std::string damaged = whole;
    damaged[place] = static_cast<char>(damaged[place] ^ 0x55);
    const std::string file = put("bad.gz", damaged);
    const std::string error = error_of<DataError>([&] { return read_file_decompressed(file); });
    EXPECT_TRUE(error.starts_with(file + ": byte ")) << "byte " << place << ": " << error;
  }
  const std::string file = put("tail.gz", whole + "tail");
  EXPECT_EQ(error_of<DataError>([&] { return read_file_decompressed(file); }),
            file + ": byte " + std::to_string(whole.size()) +
                ": something that is no gzip follows the compressed data");
  put("tail.gz", whole + std::string(3, '\0') + "x");
  EXPECT_EQ(error_of<DataError>([&] { return read_file_decompressed(file); }),
            file + ": byte " + std::to_string(whole.size() + 3) +
                ": something that is no gzip follows the compressed data");
}

TEST_F(StreamTest, RefusesWhatIsNoFile) {
  EXPECT_EQ(error_of<FileError>([&] { return read_file(path("none")); }),
            path("none") + ": No such file or directory");
  EXPECT_EQ(error_of<FileError>([&] { return read_file_decompressed(folder_); }),
            folder_ + ": is a folder, wanted a file");
}

}  // namespace
}  // namespace superstep::io
