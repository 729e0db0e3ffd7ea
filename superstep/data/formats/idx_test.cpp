#include "superstep/data/formats/idx.h"

#include "superstep/base/error.h"
#include "superstep/data/formats/memory_stream.h"
#include "superstep/data/testing.h"

namespace superstep::data {
namespace {

using testing::idx;

std::vector<uint8_t> read(std::string_view bytes) {
  MemoryStream in(bytes);
  const IdxHeader header = read_idx_header(in, "x.idx");
  return read_idx_values(in, "x.idx", header, static_cast<int64_t>(bytes.size()));
}

TEST(Idx, ReadsOneToFourAxes) {
  EXPECT_EQ(read(idx({3}, "abc")), (std::vector<uint8_t>{'a', 'b', 'c'}));
  const std::string bytes = idx({2, 3, 4}, "");
  MemoryStream three(bytes);
  const IdxHeader header = read_idx_header(three, "x.idx");
  EXPECT_EQ(header.rows, 2);
  EXPECT_EQ(header.columns, 12);
  EXPECT_EQ(header.axes, (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(read(idx({2, 1, 1, 2}, "abcd")).size(), 4U);
}

TEST(Idx, NamesTheByteOfAWrongHeader) {
  EXPECT_ERROR(DataError, read("\x89PNG...."), "x.idx: byte 0 holds 89 50 4e 47", "00 00 08");
  EXPECT_ERROR(DataError, read(std::string("\0\0\x0D\1....", 8)), "byte 2", "0d", "unsigned bytes");
  EXPECT_ERROR(DataError, read(std::string("\0\0\x08\5....", 8)), "byte 0", "01 to 04");
  EXPECT_ERROR(DataError, read(std::string("\0\0\x08\1\0\0", 6)), "cut short at byte 6");
  EXPECT_ERROR(DataError, read(idx({1, 0}, "")), "byte 8", "axis of 0");
}

TEST(Idx, NamesTheRowWhereItIsCutShort) {
  // 3 rows of 2 values; the header is 12 bytes; 3 values are there.
  EXPECT_ERROR(DataError, read(idx({3, 2}, "abc")), "cut short at byte 15, in row 1",
               "3 rows of 2 values");
  EXPECT_ERROR(DataError, read(idx({3, 2}, "abcdefg")), "more bytes than the 3 rows",
               "from byte 18");
  EXPECT_ERROR(DataError, read(idx({4000000000, 70000}, "abc")), "more than the file can hold");
}

TEST(Idx, NamesTheLabelsOfImages) {
  EXPECT_EQ(idx_labels_name("d/train-images-idx3-ubyte.gz"), "d/train-labels-idx1-ubyte.gz");
  EXPECT_EQ(idx_labels_name("t10k-images.idx3-ubyte"), "t10k-labels.idx1-ubyte");
  EXPECT_EQ(idx_labels_name("images/x.idx"), "");
  EXPECT_EQ(idx_labels_name("images"), "");
}

}  // namespace
}  // namespace superstep::data
