#include "superstep/base/error.h"

#include <gtest/gtest.h>

namespace superstep {
namespace {

TEST(Error, SaysWhatItWasMadeOf) {
  const DataError error("{}:{}: column '{}' holds '{}', wanted a number", "x.csv", 3, "w", "?");
  EXPECT_STREQ(error.what(), "x.csv:3: column 'w' holds '?', wanted a number");
}

TEST(Error, IsTheBaseOfAllThatIsThrownOnPurpose) {
  EXPECT_THROW(throw ConfigError("x"), Error);
  EXPECT_THROW(throw DataError("x"), Error);
  EXPECT_THROW(throw FileError("x"), Error);
  EXPECT_THROW(throw NumericError("x"), Error);
}

TEST(AssertDeathTest, EndsTheProcessNamingThePromise) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(SUPERSTEP_ASSERT(1 + 1 == 3), "error_test.cpp.*1 \\+ 1 == 3");
}

}  // namespace
}  // namespace superstep
