#include "superstep/base/floating_point.h"

#include <gtest/gtest.h>

#include <cfenv>
#include <limits>

namespace superstep {
namespace {

// Sums and products that the compiler may not work out beforehand.
float half_of(float x) {
  volatile float y = x;
  return y * 0.5F;
}
float sum_of(float a, float b) {
  volatile float x = a, y = b;
  return x + y;
}
constexpr float kTiny = 1e-30F;

TEST(FloatingPointScope, FlushesDenormalsAndPutsBackWhatWas) {
  const float least = std::numeric_limits<float>::min();
  ASSERT_GT(half_of(least), 0.0F);
  {
    const FloatingPointScope scope;
    EXPECT_EQ(half_of(least), 0.0F);      // a denormal result
    EXPECT_EQ(half_of(least / 2), 0.0F);  // a denormal operand
    {
      const FloatingPointScope inner;
      EXPECT_EQ(half_of(least), 0.0F);
    }
    EXPECT_EQ(half_of(least), 0.0F);
  }
  EXPECT_GT(half_of(least), 0.0F);
}

TEST(FloatingPointScope, RoundsToNearestWhateverTheCallerDid) {
  ASSERT_EQ(std::fesetround(FE_UPWARD), 0);
  const float before = sum_of(1.0F, kTiny);
  float within = 0;
  {
    const FloatingPointScope scope;
    within = sum_of(1.0F, kTiny);
  }
  const float after = sum_of(1.0F, kTiny);
  const int rounding = std::fegetround();
  std::fesetround(FE_TONEAREST);
  EXPECT_GT(before, 1.0F);
  EXPECT_EQ(within, 1.0F);
  EXPECT_GT(after, 1.0F);
  EXPECT_EQ(rounding, FE_UPWARD);
}

}  // namespace
}  // namespace superstep
