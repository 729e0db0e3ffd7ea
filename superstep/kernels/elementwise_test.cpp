#include "superstep/kernels/elementwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "superstep/kernels/cases.h"
#include "superstep/kernels/math.h"

namespace superstep::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Rows of numbers of a normal distribution, with a standard deviation of 3.
Tensor random(int64_t rows, int64_t cols, uint64_t seed = 1) {
  Tensor tensor({rows, cols});
  fill_normal(RngKey(seed), 0, tensor.values());
  for (float& value : tensor.values()) value *= 3.0F;
  return tensor;
}

std::vector<int64_t> numbers(int64_t rows, int64_t first = 0) {
  std::vector<int64_t> result(static_cast<size_t>(rows));
  std::iota(result.begin(), result.end(), first);
  return result;
}

// The largest |f(x) - exact(x)| / |exact(x)| over x from low to high.
template <class F, class Exact>
double largest_relative_error(F f, Exact exact, double low, double high) {
  double largest = 0;
  for (int i = 0; i <= 200'000; ++i) {
    const auto x = static_cast<float>(low + (high - low) * i / 200'000);
    const double wanted = exact(static_cast<double>(x));
    if (wanted != 0) largest = std::max(largest, std::fabs(f(x) - wanted) / std::fabs(wanted));
  }
  return largest;
}

TEST(Math, ExpIsWithinTwoUnitsInTheLastPlace) {
  const auto ours = [](float x) { return double{kernels::exp(x)}; };
  const auto exact = [](double x) { return std::exp(x); };
  EXPECT_LT(largest_relative_error(ours, exact, -87, 88), 2 * 0x1p-23);
  EXPECT_LT(largest_relative_error(ours, exact, -1, 1), 2 * 0x1p-23);
  EXPECT_EQ(kernels::exp(0.0F), 1.0F);
}

TEST(Math, ExpSaturatesInsteadOfOverflowing) {
  EXPECT_GT(kernels::exp(1000.0F), 1e38F);
  EXPECT_TRUE(std::isfinite(kernels::exp(kInfinity)));
  EXPECT_LT(kernels::exp(-kInfinity), 2e-38F);
  EXPECT_TRUE(std::isnan(kernels::exp(kNaN)));
}

TEST(Math, TanhAndSigmoidAreAccurateAndSaturate) {
  const auto exact_tanh = [](double x) { return std::tanh(x); };
  EXPECT_LT(
      largest_relative_error([](float x) { return double{kernels::tanh(x)}; }, exact_tanh, -10, 10),
      4 * 0x1p-23);
  EXPECT_LT(largest_relative_error([](float x) { return double{kernels::sigmoid(x)}; },
                                   [](double x) { return 1 / (1 + std::exp(-x)); }, -80, 80),
            4 * 0x1p-23);
  EXPECT_EQ(kernels::tanh(kInfinity), 1.0F);
  EXPECT_EQ(kernels::tanh(-kInfinity), -1.0F);
  EXPECT_EQ(kernels::sigmoid(kInfinity), 1.0F);
  EXPECT_LT(kernels::sigmoid(-kInfinity), 1e-37F);
  EXPECT_EQ(kernels::sigmoid(0.0F), 0.5F);
  EXPECT_TRUE(std::isnan(kernels::tanh(kNaN)));
  EXPECT_TRUE(std::isnan(kernels::sigmoid(kNaN)));
}

// Vectorised bodies and scalar ends of a loop must agree to the bit.
TEST(Activations, GiveAnElementTheSameBitsAtAnyPlaceOfAnyRow) {
  for (const int64_t cols : kLengths) {
    Tensor y = random(3, cols), t = y, r = y;
    sigmoid(y.matrix());
    tanh(t.matrix());
    relu(r.matrix());
    const Tensor x = random(3, cols);
    for (size_t i = 0; i < x.values().size(); ++i) {
      const float value = x.values()[i];
      ASSERT_EQ(y.values()[i], kernels::sigmoid(value)) << cols << " columns, element " << i;
      ASSERT_EQ(t.values()[i], kernels::tanh(value)) << cols << " columns, element " << i;
      ASSERT_EQ(r.values()[i], std::max(value, 0.0F)) << cols << " columns, element " << i;
    }
    EXPECT_EQ(x.values().size(), static_cast<size_t>(3 * cols));
  }
}

TEST(Activations, PassGradientsBackThroughTheirSlope) {
  Tensor y({1, 3}), dy({1, 3});
  const auto set = [](Tensor& t, std::vector<float> v) {
    std::ranges::copy(v, t.values().begin());
  };
  const auto get = [](const Tensor& t) {
    return std::vector<float>(t.values().begin(), t.values().end());
  };
  set(y, {0.5F, 0.25F, 1.0F});
  set(dy, {2.0F, 4.0F, 8.0F});
  sigmoid_backward(y.matrix(), dy.matrix());
  // 2 * 0.5 * 0.5; 4 * 0.25 * 0.75; 8 * 1 * 0
  EXPECT_EQ(get(dy), (std::vector<float>{0.5F, 0.75F, 0.0F}));
  set(dy, {2.0F, 4.0F, 8.0F});
  tanh_backward(y.matrix(), dy.matrix());
  // 2 (1 - 0.25); 4 (1 - 0.0625); 8 (1 - 1)
  EXPECT_EQ(get(dy), (std::vector<float>{1.5F, 3.75F, 0.0F}));
  set(y, {0.0F, 0.25F, 1.0F});
  set(dy, {2.0F, 4.0F, 8.0F});
  relu_backward(y.matrix(), dy.matrix());
  EXPECT_EQ(get(dy), (std::vector<float>{0.0F, 4.0F, 8.0F}));
}

TEST(Relu, KeepsNotANumber) {
  Tensor y({1, 1});
  y.values()[0] = kNaN;
  relu(y.matrix());
  EXPECT_TRUE(std::isnan(y.values()[0]));
}

TEST(Softmax, SumsToOneAndDoesNotOverflow) {
  Tensor y({2, 3});
  std::ranges::copy(std::vector<float>{1000, 1000, 999, -5000, 0, -5000}, y.values().begin());
  softmax_rows(y.matrix());
  // e^0, e^0, e^-1 over 2.367879
  EXPECT_NEAR(y.values()[0], 0.4223188, 1e-6);
  EXPECT_NEAR(y.values()[2], 0.1553624, 1e-6);
  EXPECT_NEAR(y.values()[4], 1, 1e-6);
  for (const int64_t cols : kLengths) {
    if (cols == 0) continue;
    Tensor p = random(2, cols);
    softmax_rows(p.matrix());
    for (int64_t r = 0; r < 2; ++r) {
      const auto row = p.matrix().row(r);
      EXPECT_NEAR(std::accumulate(row.begin(), row.end(), 0.0), 1.0, 1e-5) << cols;
    }
  }
}

TEST(LogSumExp, IsStable) {
  const std::vector<float> large = {1000, 1000}, small = {-1000, -1000};
  EXPECT_DOUBLE_EQ(log_sum_exp(large), 1000 + std::log(2.0));
  EXPECT_DOUBLE_EQ(log_sum_exp(small), -1000 + std::log(2.0));
  EXPECT_EQ(log_sum_exp({}), -std::numeric_limits<double>::infinity());
}

TEST(Softplus, IsStable) {
  EXPECT_DOUBLE_EQ(softplus(0), std::log(2.0));
  EXPECT_DOUBLE_EQ(softplus(1000), 1000.0);
  EXPECT_DOUBLE_EQ(softplus(-50), std::exp(-50.0));
}

TEST(ColumnSums, AddUpFromTheFirstRow) {
  for (const int64_t cols : kLengths) {
    const Tensor x = random(7, cols);
    std::vector<float> sums(static_cast<size_t>(cols), kNaN);
    column_sums(x.matrix(), sums);
    for (size_t j = 0; j < sums.size(); ++j) {
      float expected = 0;
      for (int64_t r = 0; r < 7; ++r) expected += x.matrix().row(r)[j];
      ASSERT_EQ(sums[j], expected) << cols << " columns, column " << j;
    }
    EXPECT_EQ(sums.size(), static_cast<size_t>(cols));
  }
}

TEST(Arithmetic, WorksOnViewsWithGaps) {
  // Rows of 2 in memory of 3; the third column must stay as it is.
  std::vector<float> x = {1, 2, 9, 3, 4, 9}, y = {10, 20, 8, 30, 40, 8};
  const Matrix x_view(x.data(), 2, 2, 3), y_view(y.data(), 2, 2, 3);
  scale(2.0F, x_view, y_view);
  EXPECT_EQ(y, (std::vector<float>{2, 4, 8, 6, 8, 8}));
  subtract(y_view, x_view, y_view);
  EXPECT_EQ(y, (std::vector<float>{1, 2, 8, 3, 4, 8}));
  add_row(y_view, std::vector<float>{100, 200});
  EXPECT_EQ(y, (std::vector<float>{101, 202, 8, 103, 204, 8}));
  EXPECT_EQ(squared_distance(x_view, y_view), 2 * (100.0 * 100 + 200.0 * 200));
  copy(x_view, y_view);
  EXPECT_EQ(y, (std::vector<float>{1, 2, 8, 3, 4, 8}));
  axpy(0.5F, x, y);
  EXPECT_EQ(y, (std::vector<float>{1.5F, 3, 12.5F, 4.5F, 6, 12.5F}));
}

TEST(SampleBernoulli, DependsOnTheRowNumberAndNotOnTheRowsBeside) {
  const RngKey key = RngKey(5).fold("hidden");
  Tensor p({6, 17}), all({6, 17}), part({2, 17});
  std::ranges::fill(p.values(), 0.5F);
  sample_bernoulli(p.matrix(), key, numbers(6, 40), all.matrix());
  sample_bernoulli(p.matrix().head(2), key, std::vector<int64_t>{44, 41}, part.matrix());
  EXPECT_TRUE(std::ranges::equal(part.matrix().row(0), all.matrix().row(4)));
  EXPECT_TRUE(std::ranges::equal(part.matrix().row(1), all.matrix().row(1)));
  EXPECT_FALSE(std::ranges::equal(all.matrix().row(0), all.matrix().row(1)));
}

TEST(SampleBernoulli, IsOneAsOftenAsItsProbability) {
  constexpr int64_t kRows = 400, kCols = 100;
  for (const float probability : {0.0F, 0.1F, 0.5F, 0.9F, 1.0F}) {
    Tensor p({kRows, kCols}), out({kRows, kCols});
    std::ranges::fill(p.values(), probability);
    sample_bernoulli(p.matrix(), RngKey(2), numbers(kRows), out.matrix());
    double ones = 0;
    for (const float value : out.values()) {
      ASSERT_TRUE(value == 0.0F || value == 1.0F);
      ones += value;
    }
    // Five standard deviations of 40,000 draws; none at 0 and 1.
    const double q = probability;
    EXPECT_NEAR(ones / 40'000, q, 5 * std::sqrt(q * (1 - q) / 40'000));
  }
}

TEST(AddNormal, AddsUnitNoiseByRowNumber) {
  constexpr int64_t kRows = 400, kCols = 100;
  Tensor mean({kRows, kCols}), out({kRows, kCols}), one({1, kCols});
  std::ranges::fill(mean.values(), 3.0F);
  add_normal(mean.matrix(), RngKey(2), numbers(kRows), out.matrix());
  double sum = 0, squares = 0;
  for (const float value : out.values()) {
    sum += value;
    squares += (value - 3.0) * (value - 3.0);
  }
  EXPECT_NEAR(sum / 40'000, 3, 5 / 200.0);                     // s.d. of the mean: 1 / 200
  EXPECT_NEAR(squares / 40'000, 1, 5 * std::sqrt(2.0) / 200);  // of the variance: sqrt(2) / 200
  add_normal(mean.matrix().head(1), RngKey(2), std::vector<int64_t>{123}, one.matrix());
  EXPECT_TRUE(std::ranges::equal(one.matrix().row(0), out.matrix().row(123)));
}

}  // namespace
}  // namespace superstep::kernels
