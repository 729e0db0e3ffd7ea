#include "superstep/base/bytes.h"

#include <gtest/gtest.h>

#include <vector>

namespace superstep {
namespace {

Bytes some_bytes() {
  ByteWriter w;
  w.put(int32_t{-3});
  w.put_string("abc");
  w.put_array(std::span<const double>(std::vector<double>{1.5, -2.5}));
  w.put(true);
  return std::move(w).take();
}

void read_all(std::string_view bytes) {
  ByteReader r(bytes, "some bytes");
  EXPECT_EQ(r.get<int32_t>(), -3);
  EXPECT_EQ(r.get_string(), "abc");
  EXPECT_EQ(r.get_all<std::vector<double>>(), (std::vector<double>{1.5, -2.5}));
  EXPECT_TRUE(r.get<bool>());
  EXPECT_TRUE(r.at_end() || bytes.size() > some_bytes().size());
  r.finish();
}

std::string error_of(std::string_view bytes) {
  try {
    read_all(bytes);
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

TEST(Bytes, ComeBackAsTheyWereWritten) {
  // 4 bytes, a length of 8 and 3 bytes, a length of 8 and 16 bytes, 1 byte.
  EXPECT_EQ(some_bytes().size(), 4U + 8 + 3 + 8 + 16 + 1);
  read_all(some_bytes());
}

TEST(Bytes, AreLittleEndian) {
  ByteWriter w;
  w.put(uint32_t{0x01020304});
  EXPECT_EQ(std::move(w).take(), "\x04\x03\x02\x01");
}

TEST(Bytes, CutShortAnywhereAreADataErrorNamingTheByte) {
  const Bytes whole = some_bytes();
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(error_of(std::string_view(whole).substr(0, size)).find("some bytes: cut short at"),
              std::string::npos)
        << size;
  EXPECT_EQ(error_of(std::string_view(whole).substr(0, 6)),
            "some bytes: cut short at byte 4: wanted 8 more bytes, have 2");
}

TEST(Bytes, LeftOverAreADataError) {
  EXPECT_EQ(error_of(some_bytes() + "xy"), "some bytes: 2 bytes left over");
}

TEST(Bytes, WithALengthBeyondAllReasonAreADataError) {
  // A length whose size in bytes overflows 64 bits: 2^61 doubles.
  ByteWriter w;
  w.put(uint64_t{1} << 61);
  const Bytes bytes = std::move(w).take();
  ByteReader r(bytes, "x");
  EXPECT_THROW((void)r.get_all<std::vector<double>>(), DataError);
  ByteReader s(bytes, "x");
  EXPECT_THROW((void)s.get_string(), DataError);
}

TEST(Bytes, FillAnArrayOfTheSameLengthOnly) {
  ByteWriter w;
  w.put_array(std::span<const int>(std::vector<int>{1, 2, 3}));
  const Bytes bytes = std::move(w).take();
  std::vector<int> three(3), two(2);
  ByteReader(bytes, "x").get_array(std::span(three));
  EXPECT_EQ(three, (std::vector<int>{1, 2, 3}));
  ByteReader r(bytes, "x");
  EXPECT_THROW(r.get_array(std::span(two)), DataError);
}

}  // namespace
}  // namespace superstep
