#include "superstep/layers/rbm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <tuple>
#include <vector>

#include "superstep/layers/check_layer.h"

namespace superstep::layers {
namespace {

constexpr int kFirst = 1;    // one tensor of another layer before it
constexpr int kChoices = 3;  // N of softmax units, where a test does not say otherwise

// The states of one side, a row each: the oracles below sum over them.
//
// Of numbers a grid: the sum of a smooth function that falls off like a normal density, times the
// step, is its integral to all the digits that a double has, for a step of half the deviation.
constexpr double kStep = 0.5, kReach = 18;

int64_t units_in(Units kind) { return kind == Units::kGaussian || kind == Units::kLinear ? 2 : 5; }

// The volume that a state stands for.
double volume(Units kind) { return kind == Units::kGaussian ? kStep * kStep : 1; }

Tensor all_states(Units kind, int choices) {
  const int64_t units = units_in(kind);
  if (kind == Units::kBinary) {  // row s holds the bits of s
    Tensor states({int64_t{1} << units, units});
    for (int64_t s = 0; s < states.shape()[0]; ++s)
      for (int64_t i = 0; i < units; ++i)
        states.matrix().row(s)[i] = static_cast<float>((s >> i) & 1);
    return states;
  }
  if (kind == Units::kSoftmax) {  // row s holds the choices that are the digits of s, counted
    int64_t count = 1;
    for (int i = 0; i < choices; ++i) count *= units;
    Tensor states({count, units});
    for (int64_t s = 0; s < count; ++s)
      for (int64_t i = 0, rest = s; i < choices; ++i, rest /= units)
        states.matrix().row(s)[rest % units] += 1.0F;
    return states;
  }
  const auto side = static_cast<int64_t>(2 * kReach / kStep) + 1;
  Tensor states({side * side, units});
  for (int64_t s = 0; s < side * side; ++s) {
    states.matrix().row(s)[0] = static_cast<float>(static_cast<double>(s / side) * kStep - kReach);
    states.matrix().row(s)[1] = static_cast<float>(static_cast<double>(s % side) * kStep - kReach);
  }
  return states;
}

// An RBM with weights of size 1, so that no unit is nearly free.
struct Machine {
  Machine(Units visible, Units hidden, bool untied = false)
      : rbm({.visible = units_in(visible),
             .hidden = units_in(hidden),
             .visible_units = visible,
             .hidden_units = hidden,
             .untied = untied}),
        params(specs(rbm)) {
    for (int i = 0; i < params.layout().size(); ++i)
      fill_normal(RngKey(4).fold(static_cast<uint64_t>(i)), 0, params.values(i));
  }

  static std::vector<ParamSpec> specs(const Rbm& rbm) {
    std::vector<ParamSpec> all = {{"other", {3}}};
    for (const TensorInit& init : rbm.tensors()) all.push_back({init.name, init.shape});
    return all;
  }

  // E(v, h) by its definition, in double.
  [[nodiscard]] double energy(std::span<const float> v, std::span<const float> h) const {
    const auto w = params.matrix("weight");
    const auto c = params.values("bias"), b = params.values("visible_bias");
    const Units visible = rbm.options().visible_units, hidden = rbm.options().hidden_units;
    double sum = 0, n = 0;
    for (size_t i = 0; i < v.size(); ++i) {
      n += double{v[i]};
      sum += visible == Units::kGaussian || visible == Units::kLinear
                 ? std::pow(double{v[i]} - double{b[i]}, 2) / 2
                 : -double{b[i]} * double{v[i]};
      for (size_t j = 0; j < h.size(); ++j)
        sum -= double{v[i]} * double{w.row(static_cast<int64_t>(i))[j]} * double{h[j]};
    }
    for (size_t j = 0; j < h.size(); ++j) {
      sum -= double{c[j]} * double{h[j]} * (visible == Units::kSoftmax ? n : 1);
      if (hidden == Units::kGaussian) sum += double{h[j]} * double{h[j]} / 2;
    }
    return sum;
  }

  Rbm rbm;
  ParamSet params;
  kernels::Context context;
};

// The log of the sum, and the mean, of the states under exp(-energy).
struct Ensemble {
  double log_sum;
  std::vector<double> mean;
};
template <class Energy>
Ensemble ensemble(const Tensor& states, double volume_of_one, Energy energy) {
  const auto rows = static_cast<size_t>(states.shape()[0]);
  std::vector<double> minus(rows);
  for (size_t s = 0; s < rows; ++s)
    minus[s] = -energy(states.matrix().row(static_cast<int64_t>(s)));
  const double largest = *std::ranges::max_element(minus);
  Ensemble result{0, std::vector<double>(static_cast<size_t>(states.shape()[1]))};
  double sum = 0;
  for (size_t s = 0; s < rows; ++s) {
    const double weight = std::exp(minus[s] - largest);
    sum += weight;
    for (size_t i = 0; i < result.mean.size(); ++i)
      result.mean[i] += weight * double{states.matrix().row(static_cast<int64_t>(s))[i]};
  }
  for (double& m : result.mean) m /= sum;
  result.log_sum = largest + std::log(sum * volume_of_one);
  return result;
}

// Some rows to condition on: all states of discrete units, random numbers otherwise.
Tensor some_rows(Units kind) {
  if (kind == Units::kBinary || kind == Units::kSoftmax) return all_states(kind, kChoices);
  Tensor rows({16, units_in(kind)});
  fill_normal(RngKey(6), 0, rows.values());
  return rows;
}

std::vector<int64_t> numbered(int64_t rows) {
  std::vector<int64_t> numbers(static_cast<size_t>(rows));
  std::iota(numbers.begin(), numbers.end(), int64_t{1000});
  return numbers;
}

using Pair = std::tuple<Units, Units>;
std::string name_of(const testing::TestParamInfo<Pair>& info) {
  return std::string(to_string(std::get<0>(info.param))) + "_" +
         std::string(to_string(std::get<1>(info.param)));
}
constexpr auto kVisibleKinds = {Units::kBinary, Units::kGaussian, Units::kSoftmax, Units::kLinear};

// --- Those with an energy: everything follows from it by sums over states.

class RbmWithAnEnergy : public testing::TestWithParam<Pair> {
 protected:
  Units visible_ = std::get<0>(GetParam()), hidden_ = std::get<1>(GetParam());
  Machine m_{visible_, hidden_};
};

TEST_P(RbmWithAnEnergy, HasTheFreeEnergyOfTheSumOverHiddenStates) {
  ASSERT_TRUE(m_.rbm.has_free_energy());
  const Tensor v = some_rows(visible_), h = all_states(hidden_, 1);
  std::vector<double> free_energy(static_cast<size_t>(v.shape()[0]));
  m_.rbm.free_energy(m_.params, kFirst, v.matrix(), free_energy, m_.context);
  for (int64_t r = 0; r < v.shape()[0]; ++r) {
    const Ensemble over_h = ensemble(h, volume(hidden_), [&](std::span<const float> state) {
      return m_.energy(v.matrix().row(r), state);
    });
    EXPECT_NEAR(free_energy[static_cast<size_t>(r)], -over_h.log_sum,
                1e-5 * (1 + std::fabs(over_h.log_sum)))
        << "row " << r;
  }
}

TEST_P(RbmWithAnEnergy, HasTheHiddenMeanOfTheJoint) {
  const Tensor v = some_rows(visible_), h = all_states(hidden_, 1);
  Tensor mean({v.shape()[0], units_in(hidden_)});
  m_.rbm.hidden_mean(m_.params, kFirst, v.matrix(), mean.matrix(), m_.context);
  for (int64_t r = 0; r < v.shape()[0]; ++r) {
    const Ensemble over_h = ensemble(
        h, 1, [&](std::span<const float> state) { return m_.energy(v.matrix().row(r), state); });
    for (size_t j = 0; j < over_h.mean.size(); ++j)
      EXPECT_NEAR(mean.matrix().row(r)[j], over_h.mean[j], 1e-5) << "row " << r << ", unit " << j;
  }
}

TEST_P(RbmWithAnEnergy, HasTheVisibleMeanOfTheJoint) {
  Tensor h = some_rows(hidden_);
  if (hidden_ == Units::kSoftmax) h = all_states(hidden_, 1);
  const int64_t rows = h.shape()[0];
  for (const int choices : {1, kChoices}) {
    Tensor mean({rows, units_in(visible_)});
    const std::vector<float> totals(static_cast<size_t>(rows), static_cast<float>(choices));
    m_.rbm.visible_mean(m_.params, kFirst, h.matrix(), mean.matrix(), m_.context,
                        choices == 1 ? std::span<const float>{} : totals);
    const Tensor v = all_states(visible_, choices);
    for (int64_t r = 0; r < rows; ++r) {
      const Ensemble over_v = ensemble(
          v, 1, [&](std::span<const float> state) { return m_.energy(state, h.matrix().row(r)); });
      for (size_t i = 0; i < over_v.mean.size(); ++i)
        EXPECT_NEAR(mean.matrix().row(r)[i], over_v.mean[i], 1e-5)
            << choices << " choices, row " << r << ", unit " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rbms, RbmWithAnEnergy,
                         testing::Combine(testing::ValuesIn(kVisibleKinds),
                                          testing::Values(Units::kBinary, Units::kGaussian,
                                                          Units::kSoftmax)),
                         name_of);

// --- Every pair of kinds.

class EveryRbm : public testing::TestWithParam<Pair> {
 protected:
  Units visible_ = std::get<0>(GetParam()), hidden_ = std::get<1>(GetParam());
};

TEST_P(EveryRbm, HasTheGradientOfCentralDifferencesAsALayer) {
  const Rbm rbm({.visible = 7,
                 .hidden = 5,
                 .visible_units = visible_,
                 .hidden_units = hidden_,
                 .untied = true});
  const GradientReport report = check_layer(rbm, {.rows = 3});
  EXPECT_LT(report.largest_error, 1e-3) << report.where;
  // x, weight, bias, visible_bias, generative_weight; rectified units may have kinks among them
  EXPECT_EQ(report.compared + report.kinks, 3 * 7 + 7 * 5 + 5 + 7 + 7 * 5);
  EXPECT_LE(report.kinks, hidden_ == Units::kRectified ? 4 : 0);
}

TEST_P(EveryRbm, GivesARowTheSameBitsAloneAndInABatch) {
  Machine m(visible_, hidden_);
  const Tensor v = some_rows(visible_);
  const int64_t rows = v.shape()[0], hidden = units_in(hidden_), visible = units_in(visible_);
  const std::vector<int64_t> numbers = numbered(rows);
  const RngKey key(11);
  // What a step of a chain makes of `count` rows from `begin` on.
  struct Chain {
    Tensor mean, sample, means_alone, back, state;
  };
  const auto run = [&](int64_t begin, int64_t count) {
    Chain chain{Tensor({count, hidden}), Tensor({count, hidden}), Tensor({count, hidden}),
                Tensor({count, visible}), Tensor({count, visible})};
    const ConstMatrix part(v.matrix().row(begin).data(), count, visible);
    const auto part_numbers =
        std::span(numbers).subspan(static_cast<size_t>(begin), static_cast<size_t>(count));
    m.rbm.hidden_mean(m.params, kFirst, part, chain.means_alone.matrix(), m.context);
    m.rbm.hidden_mean_and_sample(m.params, kFirst, part, key, part_numbers, chain.mean.matrix(),
                                 chain.sample.matrix(), m.context);
    std::vector<float> totals(static_cast<size_t>(count));
    row_totals(part, totals);
    m.rbm.visible_mean(m.params, kFirst, chain.sample.matrix(), chain.back.matrix(), m.context,
                       totals);
    m.rbm.sample_visible(chain.back.matrix(), key.fold("v"), part_numbers, chain.state.matrix());
    return chain;
  };
  const Chain all = run(0, rows);
  EXPECT_TRUE(std::ranges::equal(all.mean.values(), all.means_alone.values()));
  for (int64_t r = 0; r < rows; ++r) {
    const Chain one = run(r, 1);
    EXPECT_TRUE(std::ranges::equal(one.mean.values(), all.mean.matrix().row(r))) << r;
    EXPECT_TRUE(std::ranges::equal(one.sample.values(), all.sample.matrix().row(r))) << r;
    EXPECT_TRUE(std::ranges::equal(one.back.values(), all.back.matrix().row(r))) << r;
    EXPECT_TRUE(std::ranges::equal(one.state.values(), all.state.matrix().row(r))) << r;
  }
}

INSTANTIATE_TEST_SUITE_P(Rbms, EveryRbm,
                         testing::Combine(testing::ValuesIn(kVisibleKinds),
                                          testing::Values(Units::kBinary, Units::kGaussian,
                                                          Units::kSoftmax, Units::kRectified)),
                         name_of);

// --- Samples.

// The mean and variance of each column, over many rows that have the same distribution.
struct Moments {
  std::vector<double> mean, variance;
};
Moments moments(ConstMatrix rows) {
  Moments m{std::vector<double>(static_cast<size_t>(rows.cols)),
            std::vector<double>(static_cast<size_t>(rows.cols))};
  const auto n = static_cast<double>(rows.rows);
  for (int64_t r = 0; r < rows.rows; ++r)
    for (size_t j = 0; j < m.mean.size(); ++j) m.mean[j] += double{rows.row(r)[j]} / n;
  for (int64_t r = 0; r < rows.rows; ++r)
    for (size_t j = 0; j < m.mean.size(); ++j)
      m.variance[j] += std::pow(double{rows.row(r)[j]} - m.mean[j], 2) / (n - 1);
  return m;
}

constexpr int64_t kDraws = 40'000;  // standard error of a mean: 0.005 deviations

// Hidden states of kDraws rows that all hold the same v, and their mean.
struct Drawn {
  Tensor mean, sample;
};
Drawn draw_hidden(Machine& m) {
  Tensor v({kDraws, m.rbm.inputs()});
  for (int64_t r = 0; r < kDraws; ++r) fill_normal(RngKey(3), 0, v.matrix().row(r));
  Drawn drawn{Tensor({kDraws, m.rbm.outputs()}), Tensor({kDraws, m.rbm.outputs()})};
  m.rbm.hidden_mean_and_sample(m.params, kFirst, v.matrix(), RngKey(5), numbered(kDraws),
                               drawn.mean.matrix(), drawn.sample.matrix(), m.context);
  return drawn;
}

TEST(HiddenStates, OfBinaryUnitsAreOneWithTheirMeanAsProbability) {
  Machine m(Units::kGaussian, Units::kBinary);
  const Drawn drawn = draw_hidden(m);
  const Moments got = moments(drawn.sample.matrix());
  for (size_t j = 0; j < got.mean.size(); ++j)
    EXPECT_NEAR(got.mean[j], drawn.mean.values()[j], 0.0125) << j;  // 5 x sqrt(p (1 - p) / n)
  for (const float value : drawn.sample.values()) ASSERT_TRUE(value == 0 || value == 1) << value;
}

TEST(HiddenStates, OfGaussianUnitsHaveTheirMeanAndAVarianceOfOne) {
  Machine m(Units::kBinary, Units::kGaussian);
  const Drawn drawn = draw_hidden(m);
  const Moments got = moments(drawn.sample.matrix());
  for (size_t j = 0; j < got.mean.size(); ++j) {
    EXPECT_NEAR(got.mean[j], drawn.mean.values()[j], 0.025) << j;  // 5 / sqrt(n)
    EXPECT_NEAR(got.variance[j], 1, 0.035) << j;                   // 5 sqrt(2 / n)
  }
}

TEST(HiddenStates, OfSoftmaxUnitsAreOneChoiceByTheirMeans) {
  Machine m(Units::kGaussian, Units::kSoftmax);
  const Drawn drawn = draw_hidden(m);
  const Moments got = moments(drawn.sample.matrix());
  for (size_t j = 0; j < got.mean.size(); ++j)
    EXPECT_NEAR(got.mean[j], drawn.mean.values()[j], 0.0125) << j;
  for (int64_t r = 0; r < kDraws; ++r) {
    ASSERT_EQ(std::ranges::count(drawn.sample.matrix().row(r), 1.0F), 1) << "row " << r;
    ASSERT_EQ(std::ranges::count(drawn.sample.matrix().row(r), 0.0F), 4) << "row " << r;
  }
}

// With s = sqrt(sigmoid(x)), z = x / s, Phi and phi of the standard normal distribution:
// E max(0, x + s n) = x Phi(z) + s phi(z);  E max(0, x + s n)^2 = (x^2 + s^2) Phi(z) + x s phi(z).
TEST(HiddenStates, OfRectifiedUnitsAreTheMaximumOfZeroAndANoisyInput) {
  Machine m(Units::kGaussian, Units::kRectified);
  const std::vector<float> inputs = {-1, -0.25F, 0, 0.5F, 3};
  std::ranges::fill(m.params.values("weight"), 0.0F);
  std::ranges::copy(inputs, m.params.values("bias").begin());
  const Drawn drawn = draw_hidden(m);
  const Moments got = moments(drawn.sample.matrix());
  for (size_t j = 0; j < inputs.size(); ++j) {
    const double x = inputs[j], s = std::sqrt(1 / (1 + std::exp(-x))), z = x / s;
    const double normal = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
    const double share = std::erfc(-z / std::numbers::sqrt2) / 2;
    const double mean = x * share + s * normal;
    const double variance = (x * x + s * s) * share + x * s * normal - mean * mean;
    EXPECT_NEAR(got.mean[j], mean, 0.025 * std::sqrt(variance)) << "x " << x;
    EXPECT_NEAR(got.variance[j], variance, 0.15 * variance) << "x " << x;
    EXPECT_EQ(drawn.mean.values()[j], std::max(0.0F, inputs[j]));
  }
  for (const float value : drawn.sample.values()) ASSERT_GE(value, 0);
}

TEST(VisibleStates, FollowTheirMeansByKind) {
  const RngKey key(8);
  const std::vector<int64_t> numbers = numbered(kDraws);
  const auto draw = [&](Units kind, std::vector<float> mean_row) {
    const Rbm rbm(
        {.visible = static_cast<int64_t>(mean_row.size()), .hidden = 2, .visible_units = kind});
    Tensor mean({kDraws, rbm.inputs()}), sample({kDraws, rbm.inputs()});
    for (int64_t r = 0; r < kDraws; ++r) std::ranges::copy(mean_row, mean.matrix().row(r).begin());
    rbm.sample_visible(mean.matrix(), key, numbers, sample.matrix());
    return sample;
  };
  const Moments binary = moments(draw(Units::kBinary, {0, 0.25F, 1}).matrix());
  EXPECT_EQ(binary.mean[0], 0);
  EXPECT_NEAR(binary.mean[1], 0.25, 0.011);  // 5 sqrt(0.25 x 0.75 / n)
  EXPECT_NEAR(binary.mean[2], 1, 1e-9);
  const Moments gaussian = moments(draw(Units::kGaussian, {-2, 5}).matrix());
  EXPECT_NEAR(gaussian.mean[0], -2, 0.025);
  EXPECT_NEAR(gaussian.mean[1], 5, 0.025);
  EXPECT_NEAR(gaussian.variance[0], 1, 0.035);
  const Tensor linear = draw(Units::kLinear, {-2, 5});
  for (int64_t r = 0; r < kDraws; ++r) {
    ASSERT_EQ(linear.matrix().row(r)[0], -2) << "row " << r;
    ASSERT_EQ(linear.matrix().row(r)[1], 5) << "row " << r;
  }
  // 8 choices, by 1/8, 0, 5/8 and 2/8: the mean is N p, the variance N p (1 - p).
  const Tensor counts = draw(Units::kSoftmax, {1, 0, 5, 2});
  const Moments softmax = moments(counts.matrix());
  EXPECT_NEAR(softmax.mean[0], 1, 0.024);  // 5 sqrt(8 x 1/8 x 7/8 / n)
  EXPECT_EQ(softmax.mean[1], 0);
  EXPECT_NEAR(softmax.mean[2], 5, 0.035);
  EXPECT_NEAR(softmax.mean[3], 2, 0.031);
  EXPECT_NEAR(softmax.variance[2], 1.875, 0.07);
  for (int64_t r = 0; r < kDraws; ++r) {
    const auto row = counts.matrix().row(r);
    ASSERT_EQ(std::accumulate(row.begin(), row.end(), 0.0F), 8.0F) << "row " << r;
  }
}

// --- What is particular.

TEST(ReplicatedSoftmax, MakesARowOfNoChoicesHalfAndNothing) {
  Machine m(Units::kSoftmax, Units::kBinary);
  const Tensor v({1, 5});
  Tensor h({1, 5}), back({1, 5}), state({1, 5});
  m.rbm.hidden_mean(m.params, kFirst, v.matrix(), h.matrix(), m.context);
  for (const float p : h.values()) EXPECT_EQ(p, 0.5F);  // sigmoid(0 c)
  const std::vector<float> totals = {0};
  m.rbm.visible_mean(m.params, kFirst, h.matrix(), back.matrix(), m.context, totals);
  m.rbm.sample_visible(back.matrix(), RngKey(1), std::vector<int64_t>{0}, state.matrix());
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(back.values()[i], 0) << i;
    EXPECT_EQ(state.values()[i], 0) << i;
  }
}

TEST(UntiedRbm, GeneratesByItsOwnWeightAlone) {
  Machine untied(Units::kBinary, Units::kBinary, true), tied(Units::kBinary, Units::kBinary);
  for (const char* name : {"weight", "bias", "visible_bias"})
    std::ranges::copy(untied.params.values(name), tied.params.values(name).begin());
  const Tensor v = all_states(Units::kBinary, 1);
  const int64_t rows = v.shape()[0];
  const auto hidden_of = [&](Machine& m) {
    Tensor h({rows, 5});
    m.rbm.hidden_mean(m.params, kFirst, v.matrix(), h.matrix(), m.context);
    return h;
  };
  const auto visible_of = [&](Machine& m) {
    Tensor back({rows, 5});
    m.rbm.visible_mean(m.params, kFirst, v.matrix(), back.matrix(), m.context);
    return back;
  };
  EXPECT_TRUE(std::ranges::equal(hidden_of(untied).values(), hidden_of(tied).values()));
  EXPECT_FALSE(std::ranges::equal(visible_of(untied).values(), visible_of(tied).values()));
  std::ranges::copy(untied.params.values("generative_weight"),
                    tied.params.values("weight").begin());
  EXPECT_TRUE(std::ranges::equal(visible_of(untied).values(), visible_of(tied).values()));
  EXPECT_EQ(untied.rbm.tensors().at(Rbm::kGenerativeWeight).fill, Fill::kZero);
  EXPECT_EQ(tied.rbm.tensors().size(), 3U);
}

TEST(RectifiedRbm, HasNoFreeEnergy) {
  Machine m(Units::kGaussian, Units::kRectified);
  EXPECT_FALSE(m.rbm.has_free_energy());
  const Tensor v({1, 2});
  std::vector<double> out(1);
  try {
    m.rbm.free_energy(m.params, kFirst, v.matrix(), out, m.context);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "[rbm 2 gaussian -> 5 rectified] rectified hidden units have no free energy in "
                 "closed form");
  }
}

TEST(Rbm, StartsFromTheMeanOfTheData) {
  const Rbm binary({.visible = 50, .hidden = 2});
  EXPECT_FLOAT_EQ(binary.initial_visible_bias(0.75), 1.0986123F);  // log 3
  const Rbm softmax({.visible = 50, .hidden = 2, .visible_units = Units::kSoftmax});
  EXPECT_FLOAT_EQ(softmax.initial_visible_bias(0), -8.5171932F);  // log(0.01 / 50)
  EXPECT_EQ(binary.tensors()[Rbm::kWeight].scale, 0.01F);
  EXPECT_EQ(binary.tensors()[Rbm::kVisibleBias].shape, Shape({50}));
}

TEST(Rbm, SaysWhatItIsAndWhatDoesNotFit) {
  Machine m(Units::kBinary, Units::kRectified);
  EXPECT_EQ(m.rbm.describe(), "rbm 5 binary -> 5 rectified");
  EXPECT_THROW(Rbm({.visible = 0, .hidden = 2}), ConfigError);
  EXPECT_THROW(Rbm({.visible = 2, .hidden = 2, .visible_units = Units::kRectified}), ConfigError);
  EXPECT_THROW(Rbm({.visible = 2, .hidden = 2, .hidden_units = Units::kLinear}), ConfigError);
  Tensor v({2, 7}), h({2, 5});
  try {
    m.rbm.hidden_mean(m.params, kFirst, v.matrix(), h.matrix(), m.context);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[rbm 5 binary -> 5 rectified] v must be (rows, 5), got (2, 7)");
  }
}

}  // namespace
}  // namespace superstep::layers
