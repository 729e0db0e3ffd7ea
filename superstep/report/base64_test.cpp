#include "superstep/report/base64.h"

#include <gtest/gtest.h>

namespace superstep::report {
namespace {

// The vectors of RFC 4648, section 10.
TEST(Base64, WritesTheVectorsOfItsStandard) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

// 11111111 11101111 00000000 -> 111111 111110 111100 000000 -> / + 8 A.
TEST(Base64, TakesBytesAbove127) { EXPECT_EQ(base64(std::string_view("\xff\xef\x00", 3)), "/+8A"); }

}  // namespace
}  // namespace superstep::report
