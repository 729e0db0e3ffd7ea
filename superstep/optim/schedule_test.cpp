#include "superstep/optim/schedule.h"

#include <gtest/gtest.h>

#include "superstep/base/error.h"

namespace superstep::optim {
namespace {

// Steps 0, 1, 2, 3 of 4 with base 2, without a warm-up.
double rate(Schedule schedule, double final_share, int64_t step) {
  return schedule_rate(schedule, 2.0, final_share, 0, step, 4);
}

TEST(Schedule, ConstantIsTheBase) {
  for (int64_t step = 0; step < 4; ++step)
    EXPECT_EQ(rate(Schedule::kConstant, 0.5, step), 2.0) << step;
}

TEST(Schedule, LinearFallsEvenlyToTheFinalShare) {
  // 2 (1 - step / 4)
  EXPECT_EQ(rate(Schedule::kLinear, 0, 0), 2.0);
  EXPECT_EQ(rate(Schedule::kLinear, 0, 1), 1.5);
  EXPECT_EQ(rate(Schedule::kLinear, 0, 3), 0.5);
  // To 2 * 0.5 in step 4, which does not come: 2 (1 - 0.5 step / 4)
  EXPECT_EQ(rate(Schedule::kLinear, 0.5, 1), 1.75);
  EXPECT_EQ(rate(Schedule::kLinear, 0.5, 3), 1.25);
}

TEST(Schedule, LinearToZeroHasTheBitsOfItsFormula) {
  for (int64_t step = 0; step < 1000; ++step)
    EXPECT_EQ(schedule_rate(Schedule::kLinear, 0.3, 0, 0, step, 1000),
              0.3 * (1.0 - static_cast<double>(step) / 1000.0))
        << step;
}

TEST(Schedule, CosineFallsByHalfAPeriod) {
  // (1 + cos(pi step / 4)) / 2 = 1, 0.8535534, 0.5, 0.1464466
  EXPECT_EQ(rate(Schedule::kCosine, 0, 0), 2.0);
  EXPECT_NEAR(rate(Schedule::kCosine, 0, 1), 1.7071068, 1e-7);
  EXPECT_NEAR(rate(Schedule::kCosine, 0, 2), 1.0, 1e-12);
  EXPECT_NEAR(rate(Schedule::kCosine, 0, 3), 0.2928932, 1e-7);
  // With final share 0.2: 2 (0.2 + 0.8 * 0.5)
  EXPECT_NEAR(rate(Schedule::kCosine, 0.2, 2), 1.2, 1e-12);
}

TEST(Schedule, ExponentialFallsByTheSameFactorAStep) {
  // 0.0625^(step / 4) = 2^-step
  EXPECT_EQ(rate(Schedule::kExponential, 0.0625, 0), 2.0);
  EXPECT_NEAR(rate(Schedule::kExponential, 0.0625, 1), 1.0, 1e-12);
  EXPECT_NEAR(rate(Schedule::kExponential, 0.0625, 2), 0.5, 1e-12);
  EXPECT_NEAR(rate(Schedule::kExponential, 0.0625, 3), 0.25, 1e-12);
}

TEST(Schedule, ExponentialCannotReachZero) {
  EXPECT_THROW(rate(Schedule::kExponential, 0, 0), ConfigError);
}

TEST(Schedule, WarmUpRisesEvenlyAndTheScheduleFollows) {
  const auto warm = [](int64_t step) {
    return schedule_rate(Schedule::kLinear, 2.0, 0, 3, step, 7);
  };
  // 2 * 1/4, 2 * 2/4, 2 * 3/4, then 2 (1 - (step - 3) / 4)
  EXPECT_EQ(warm(0), 0.5);
  EXPECT_EQ(warm(1), 1.0);
  EXPECT_EQ(warm(2), 1.5);
  EXPECT_EQ(warm(3), 2.0);
  EXPECT_EQ(warm(4), 1.5);
  EXPECT_EQ(warm(6), 0.5);
}

TEST(Schedule, AWarmUpAsLongAsThePhaseIsNeverOver) {
  // 2 (step + 1) / 5
  EXPECT_EQ(schedule_rate(Schedule::kCosine, 2.0, 0, 4, 3, 4), 1.6);
}

TEST(Schedule, NamesStandForTheirSchedules) {
  EXPECT_EQ(parse_schedule("constant"), Schedule::kConstant);
  EXPECT_EQ(parse_schedule("linear"), Schedule::kLinear);
  EXPECT_EQ(parse_schedule("cosine"), Schedule::kCosine);
  EXPECT_EQ(parse_schedule("exponential"), Schedule::kExponential);
  try {
    parse_schedule("step");
    FAIL() << "no error";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(), "no schedule 'step': constant, linear, cosine, exponential");
  }
}

}  // namespace
}  // namespace superstep::optim
