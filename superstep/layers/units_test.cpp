#include "superstep/layers/units.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "superstep/base/error.h"

namespace superstep::layers {
namespace {

Tensor row_of(const std::vector<float>& values) {
  Tensor row({1, static_cast<int64_t>(values.size())});
  std::ranges::copy(values, row.values().begin());
  return row;
}

const std::vector<int64_t> kRowNumber = {42};

TEST(Units, HaveNamesThatReadBack) {
  for (const Units units :
       {Units::kBinary, Units::kGaussian, Units::kSoftmax, Units::kLinear, Units::kRectified})
    EXPECT_EQ(parse_units(to_string(units)), units) << to_string(units);
  EXPECT_EQ(to_string(Units::kRectified), "rectified");
  try {
    parse_units("poisson");
    FAIL() << "no error";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(), "no units 'poisson': binary, gaussian, softmax, linear, rectified");
  }
}

TEST(Units, AreTheSameAboveButLinearAboveRectified) {
  EXPECT_EQ(visible_above(Units::kBinary), Units::kBinary);
  EXPECT_EQ(visible_above(Units::kRectified), Units::kLinear);
  EXPECT_EQ(visible_above(Units::kGaussian), Units::kGaussian);
  EXPECT_EQ(visible_above(Units::kSoftmax), Units::kSoftmax);
  EXPECT_THROW(visible_above(Units::kLinear), ConfigError);
}

TEST(InitialVisibleBias, MakesTheMeanOfAFreeUnit) {
  EXPECT_FLOAT_EQ(initial_visible_bias(Units::kBinary, 50, 0.75), 1.0986123F);  // log 3
  EXPECT_FLOAT_EQ(initial_visible_bias(Units::kBinary, 50, 0), -4.5951199F);    // log(0.01 / 0.99)
  EXPECT_FLOAT_EQ(initial_visible_bias(Units::kBinary, 50, 1), 4.5951199F);
  EXPECT_EQ(initial_visible_bias(Units::kGaussian, 50, -2.5), -2.5F);
  EXPECT_EQ(initial_visible_bias(Units::kLinear, 50, -2.5), -2.5F);
  EXPECT_FLOAT_EQ(initial_visible_bias(Units::kSoftmax, 50, 0.02), -3.9120230F);  // log(1 / 50)
  EXPECT_FLOAT_EQ(initial_visible_bias(Units::kSoftmax, 50, 0), -8.5171932F);     // log(0.01 / 50)
}

TEST(RowTotals, AreTheSumsOfTheRows) {
  Tensor rows({2, 3});
  std::ranges::copy(std::vector<float>{1, 2, 3.5F, 0, 0, 0}, rows.values().begin());
  std::vector<float> totals(2);
  row_totals(rows.matrix(), totals);
  EXPECT_EQ(totals, (std::vector<float>{6.5F, 0}));
}

TEST(SampleChoice, NeedsNoMeansThatSumToOne) {
  const Tensor mean = row_of({0, 300, 0, 100});
  Tensor sample = row_of({7, 7, 7, 7});
  int second = 0;
  for (uint64_t draw = 0; draw < 10'000; ++draw) {
    sample_choice(mean.matrix(), RngKey(draw), kRowNumber, sample.matrix());
    ASSERT_EQ(std::accumulate(sample.values().begin(), sample.values().end(), 0.0F), 1.0F);
    ASSERT_EQ(sample.values()[0] + sample.values()[2], 0.0F);
    second += sample.values()[1] == 1.0F ? 1 : 0;
  }
  EXPECT_NEAR(second, 7500, 217);  // 5 sqrt(10,000 x 0.75 x 0.25)
}

TEST(SampleCounts, RoundsTheNumberOfChoices) {
  Tensor sample({1, 2});
  const auto total = [&](float a, float b) {
    sample_counts(row_of({a, b}).matrix(), RngKey(1), kRowNumber, sample.matrix());
    return sample.values()[0] + sample.values()[1];
  };
  EXPECT_EQ(total(1, 1.4F), 2.0F);
  EXPECT_EQ(total(1, 1.6F), 3.0F);
  EXPECT_EQ(total(0.2F, 0.1F), 0.0F);
  EXPECT_EQ(total(0, 0), 0.0F);
  EXPECT_EQ(total(2000, 3000), 5000.0F);       // more than one chunk of uniform numbers
  EXPECT_NEAR(sample.values()[0], 2000, 174);  // 5 sqrt(5000 x 0.4 x 0.6)
}

TEST(SampleCounts, DrawsEveryChunkOfItsOwn) {
  Tensor sample({1, 2});
  int odd = 0;
  for (uint64_t draw = 0; draw < 20; ++draw) {
    // Two chunks of 1,024: with the same numbers in both every count would be even.
    sample_counts(row_of({1024, 1024}).matrix(), RngKey(draw), kRowNumber, sample.matrix());
    ASSERT_EQ(sample.values()[0] + sample.values()[1], 2048.0F);
    odd += static_cast<int>(sample.values()[0]) % 2;
  }
  EXPECT_GE(odd, 3);
  EXPECT_LE(odd, 17);
}

TEST(SampleChoice, TakesTheIntervalAboveANumberThatLiesOnABoundary) {
  std::vector<float> u(1);
  fill_uniform(RngKey(1).fold(uint64_t{0}), 42, u);  // the first number of the first chunk
  Tensor sample({1, 3});
  sample_choice(row_of({u[0], 0, 1 - u[0]}).matrix(), RngKey(1), kRowNumber, sample.matrix());
  EXPECT_EQ(sample.values()[2], 1.0F);  // [0, u) is the first column's; the second has none
}

TEST(SampleCounts, LetsWhatIsNotFinitePass) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Tensor sample({1, 2});
  sample_counts(row_of({1, nan}).matrix(), RngKey(1), kRowNumber, sample.matrix());
  EXPECT_EQ(sample.values()[0], 1.0F);
  EXPECT_NE(sample.values()[1], sample.values()[1]);
}

TEST(SampleRectified, LeavesTheMeanAndIsCertainWhereTheInputIsFarBelowZero) {
  Tensor x = row_of({-80, -1, 2}), sample({1, 3});
  sample_rectified(RngKey(1), kRowNumber, x.matrix(), sample.matrix());
  EXPECT_EQ(std::vector<float>(x.values().begin(), x.values().end()),
            (std::vector<float>{0, 0, 2}));
  EXPECT_EQ(sample.values()[0], 0.0F);
  // 2 + n sqrt(sigmoid(2)), where n is the normal number of that place
  std::vector<float> normal(3);
  fill_normal(RngKey(1), 42, normal);
  EXPECT_NEAR(sample.values()[2], std::max(0.0F, 2 + normal[2] * 0.93851F), 1e-5);
}

}  // namespace
}  // namespace superstep::layers
