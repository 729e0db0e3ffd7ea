#include "superstep/layers/rbm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "superstep/layers/check_layer.h"

namespace superstep::layers {
namespace {

constexpr int64_t kVisible = 8, kHidden = 6, kFirst = 1;  // one tensor of another layer before it
constexpr int64_t kVisibleStates = 1 << kVisible, kHiddenStates = 1 << kHidden;

// Row s holds the bits of s.
Tensor all_states(int64_t units) {
  Tensor states({int64_t{1} << units, units});
  for (int64_t s = 0; s < states.shape()[0]; ++s)
    for (int64_t i = 0; i < units; ++i)
      states.matrix().row(s)[i] = static_cast<float>((s >> i) & 1);
  return states;
}

// An RBM with weights of size 1, so that no unit is nearly free.
struct Machine {
  explicit Machine(Visible kind)
      : rbm({.visible = kVisible, .hidden = kHidden, .visible_kind = kind}),
        params({{"other", {3}},
                {"weight", {kVisible, kHidden}},
                {"bias", {kHidden}},
                {"visible_bias", {kVisible}}}) {
    for (int i = 0; i < params.layout().size(); ++i)
      fill_normal(RngKey(4).fold(static_cast<uint64_t>(i)), 0, params.values(i));
  }

  // E(v, h) by its definition, in double.
  [[nodiscard]] double energy(std::span<const float> v, std::span<const float> h) const {
    const auto w = params.matrix("weight");
    const auto c = params.values("bias"), b = params.values("visible_bias");
    double sum = 0;
    for (size_t i = 0; i < v.size(); ++i) {
      sum += rbm.options().visible_kind == Visible::kBinary
                 ? -double{b[i]} * v[i]
                 : (double{v[i]} - b[i]) * (double{v[i]} - b[i]) / 2;
      for (size_t j = 0; j < h.size(); ++j)
        sum -= double{v[i]} * double{w.row(static_cast<int64_t>(i))[j]} * h[j];
    }
    for (size_t j = 0; j < h.size(); ++j) sum -= double{c[j]} * h[j];
    return sum;
  }

  Rbm rbm;
  ParamSet params;
  kernels::Context context;
};

// Visible rows to test with: all states of binary units, random numbers for Gaussian ones.
Tensor visible_rows(Visible kind) {
  Tensor v = all_states(kVisible);
  if (kind == Visible::kGaussian) fill_normal(RngKey(6), 0, v.values());
  return v;
}

class EveryRbm : public testing::TestWithParam<Visible> {};

TEST_P(EveryRbm, HasTheFreeEnergyOfTheSumOverHiddenStates) {
  Machine m(GetParam());
  const Tensor v = visible_rows(GetParam()), h = all_states(kHidden);
  std::vector<double> free_energy(kVisibleStates);
  m.rbm.free_energy(m.params, kFirst, v.matrix(), free_energy, m.context);
  for (int64_t r = 0; r < kVisibleStates; ++r) {
    double sum = 0;
    for (int64_t s = 0; s < kHiddenStates; ++s)
      sum += std::exp(-m.energy(v.matrix().row(r), h.matrix().row(s)));
    EXPECT_NEAR(free_energy[static_cast<size_t>(r)], -std::log(sum), 1e-5) << "row " << r;
  }
}

TEST_P(EveryRbm, HasTheHiddenProbabilitiesOfTheJoint) {
  Machine m(GetParam());
  const Tensor v = visible_rows(GetParam()), h = all_states(kHidden);
  Tensor p({kVisibleStates, kHidden});
  m.rbm.hidden_probabilities(m.params, kFirst, v.matrix(), p.matrix(), m.context);
  for (int64_t r = 0; r < kVisibleStates; ++r) {
    std::vector<double> ones(kHidden);
    double all = 0;
    for (int64_t s = 0; s < kHiddenStates; ++s) {
      const double weight = std::exp(-m.energy(v.matrix().row(r), h.matrix().row(s)));
      all += weight;
      for (size_t j = 0; j < kHidden; ++j) ones[j] += weight * h.matrix().row(s)[j];
    }
    for (size_t j = 0; j < kHidden; ++j)
      EXPECT_NEAR(p.matrix().row(r)[j], ones[j] / all, 1e-5) << "row " << r << ", unit " << j;
  }
}

TEST(BinaryRbm, HasTheVisibleProbabilitiesOfTheJoint) {
  Machine m(Visible::kBinary);
  const Tensor v = all_states(kVisible), h = all_states(kHidden);
  Tensor p({kHiddenStates, kVisible});
  m.rbm.visible_mean(m.params, kFirst, h.matrix(), p.matrix(), m.context);
  for (int64_t s = 0; s < kHiddenStates; ++s) {
    std::vector<double> ones(kVisible);
    double all = 0;
    for (int64_t r = 0; r < kVisibleStates; ++r) {
      const double weight = std::exp(-m.energy(v.matrix().row(r), h.matrix().row(s)));
      all += weight;
      for (size_t i = 0; i < kVisible; ++i) ones[i] += weight * v.matrix().row(r)[i];
    }
    for (size_t i = 0; i < kVisible; ++i)
      EXPECT_NEAR(p.matrix().row(s)[i], ones[i] / all, 1e-5) << "state " << s << ", unit " << i;
  }
}

// p(v | h) is normal about the mean with unit variance where E(mean + d, h) - E(mean, h) is
// |d|^2 / 2 for any d.
TEST(GaussianRbm, HasTheVisibleMeanAndUnitVarianceOfTheJoint) {
  Machine m(Visible::kGaussian);
  const Tensor h = all_states(kHidden);
  Tensor mean({kHiddenStates, kVisible}), d({kHiddenStates, kVisible});
  m.rbm.visible_mean(m.params, kFirst, h.matrix(), mean.matrix(), m.context);
  fill_normal(RngKey(7), 0, d.values());
  for (int64_t s = 0; s < kHiddenStates; ++s) {
    std::vector<float> moved(kVisible);
    double squares = 0;
    for (size_t i = 0; i < kVisible; ++i) {
      moved[i] = mean.matrix().row(s)[i] + d.matrix().row(s)[i];
      squares += std::pow(double{d.matrix().row(s)[i]}, 2);
    }
    const double rise =
        m.energy(moved, h.matrix().row(s)) - m.energy(mean.matrix().row(s), h.matrix().row(s));
    EXPECT_NEAR(rise, squares / 2, 1e-4) << "state " << s;
  }
}

TEST_P(EveryRbm, HasTheGradientOfCentralDifferencesAsALayer) {
  const Rbm rbm({.visible = 7, .hidden = 5, .visible_kind = GetParam()});
  const GradientReport report = check_layer(rbm, {.rows = 3});
  EXPECT_LT(report.largest_error, 1e-3) << report.where;
  EXPECT_EQ(report.compared, 3 * 7 + 7 * 5 + 5 + 7);
  EXPECT_EQ(report.kinks, 0);
}

INSTANTIATE_TEST_SUITE_P(Rbms, EveryRbm, testing::Values(Visible::kBinary, Visible::kGaussian),
                         [](const auto& kind) { return std::string(to_string(kind.param)); });

TEST(Rbm, StartsFromTheMeanOfTheData) {
  const Rbm binary({.visible = 3, .hidden = 2});
  EXPECT_FLOAT_EQ(binary.initial_visible_bias(0.5), 0.0F);
  EXPECT_FLOAT_EQ(binary.initial_visible_bias(0.75), 1.0986123F);  // log 3
  EXPECT_FLOAT_EQ(binary.initial_visible_bias(0.0), -4.5951199F);  // log(0.01 / 0.99)
  EXPECT_FLOAT_EQ(binary.initial_visible_bias(1.0), 4.5951199F);
  const Rbm gaussian({.visible = 3, .hidden = 2, .visible_kind = Visible::kGaussian});
  EXPECT_EQ(gaussian.initial_visible_bias(-2.5), -2.5F);
  EXPECT_EQ(binary.tensors()[Rbm::kWeight].scale, 0.01F);
  EXPECT_EQ(binary.tensors()[Rbm::kVisibleBias].shape, Shape({3}));
}

TEST(Rbm, SaysWhatItIsAndWhatDoesNotFit) {
  Machine m(Visible::kBinary);
  EXPECT_EQ(m.rbm.describe(), "rbm 8 binary -> 6");
  EXPECT_EQ(parse_visible("gaussian"), Visible::kGaussian);
  EXPECT_THROW(parse_visible("poisson"), ConfigError);
  EXPECT_THROW(Rbm({.visible = 0, .hidden = 2}), ConfigError);
  Tensor v({2, 7}), h({2, 6});
  try {
    m.rbm.hidden_probabilities(m.params, kFirst, v.matrix(), h.matrix(), m.context);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[rbm 8 binary -> 6] v must be (rows, 8), got (2, 7)");
  }
}

}  // namespace
}  // namespace superstep::layers
