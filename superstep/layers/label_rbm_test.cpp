#include "superstep/layers/label_rbm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "superstep/layers/check_layer.h"

namespace superstep::layers {
namespace {

constexpr int64_t kInputs = 6, kHidden = 5, kClasses = 3;
constexpr int64_t kInputStates = 1 << kInputs, kHiddenStates = 1 << kHidden;
constexpr int kFirst = 1;  // one tensor of another layer before it

// Row s holds the bits of s.
Tensor all_states(int64_t units) {
  Tensor states({int64_t{1} << units, units});
  for (int64_t s = 0; s < states.shape()[0]; ++s)
    for (int64_t i = 0; i < units; ++i)
      states.matrix().row(s)[i] = static_cast<float>((s >> i) & 1);
  return states;
}

// A machine with weights of size 1, and all its states.
struct Machine {
  Machine()
      : params({{"other", {3}},
                {"weight", {kInputs, kHidden}},
                {"bias", {kHidden}},
                {"visible_bias", {kInputs}},
                {"label_weight", {kClasses, kHidden}},
                {"label_bias", {kClasses}}}) {
    for (int i = 0; i < params.layout().size(); ++i)
      fill_normal(RngKey(4).fold(static_cast<uint64_t>(i)), 0, params.values(i));
  }

  // exp(-E(v, y, h)) by its definition, in double.
  [[nodiscard]] double weight(int64_t v_state, int64_t y, int64_t h_state) const {
    const auto v = v_states.matrix().row(v_state), h = h_states.matrix().row(h_state);
    const auto w = params.matrix("weight"), u = params.matrix("label_weight");
    double energy = -double{params.values("label_bias")[static_cast<size_t>(y)]};
    for (size_t i = 0; i < v.size(); ++i) {
      energy -= double{params.values("visible_bias")[i]} * double{v[i]};
      for (size_t j = 0; j < h.size(); ++j)
        energy -= double{v[i]} * double{w.row(static_cast<int64_t>(i))[j]} * double{h[j]};
    }
    for (size_t j = 0; j < h.size(); ++j)
      energy -= (double{params.values("bias")[j]} + double{u.row(y)[j]}) * double{h[j]};
    return std::exp(-energy);
  }
  // The same, summed over h.
  [[nodiscard]] double weight(int64_t v_state, int64_t y) const {
    double sum = 0;
    for (int64_t s = 0; s < kHiddenStates; ++s) sum += weight(v_state, y, s);
    return sum;
  }

  Tensor v_states = all_states(kInputs), h_states = all_states(kHidden);
  LabelRbm rbm{{.inputs = kInputs, .hidden = kHidden, .classes = kClasses}};
  ParamSet params;
  kernels::Context context;
};

// Rows that all say class y.
Tensor labels_of(int64_t rows, int64_t y) {
  Tensor labels({rows, kClasses});
  for (int64_t r = 0; r < rows; ++r) labels.matrix().row(r)[y] = 1;
  return labels;
}

std::vector<int64_t> numbered(int64_t rows) {
  std::vector<int64_t> numbers(static_cast<size_t>(rows));
  std::iota(numbers.begin(), numbers.end(), int64_t{1000});
  return numbers;
}

TEST(LabelRbm, ScoresAClassByItsLogProbabilityGivenTheFeatures) {
  Machine m;
  Tensor scores({kInputStates, kClasses});
  const std::vector<int64_t> numbers = numbered(kInputStates);
  const Pass pass{Mode::kEvaluate, RngKey(1), numbers, m.context};
  m.rbm.forward(m.params, kFirst, m.v_states.matrix(), scores.matrix(), pass);
  for (int64_t s = 0; s < kInputStates; ++s) {
    double all = 0, all_scores = 0;
    for (int64_t y = 0; y < kClasses; ++y) {
      all += m.weight(s, y);
      all_scores += std::exp(double{scores.matrix().row(s)[y]});
    }
    for (int64_t y = 0; y < kClasses; ++y)
      EXPECT_NEAR(double{scores.matrix().row(s)[y]} - std::log(all_scores),
                  std::log(m.weight(s, y) / all), 1e-5)
          << "state " << s << ", class " << y;
  }
}

TEST(LabelRbm, HasTheGradientOfCentralDifferencesAsALayer) {
  const LabelRbm rbm({.inputs = 7, .hidden = 5, .classes = 3});
  const GradientReport report = check_layer(rbm, {.rows = 4});
  EXPECT_LT(report.largest_error, 1e-3) << report.where;
  EXPECT_EQ(report.compared, 4 * 7 + 7 * 5 + 5 + 7 + 3 * 5 + 3);
  EXPECT_EQ(report.kinks, 0);
}

TEST(LabelRbm, HasTheFreeEnergyAndTheHiddenMeanOfTheJoint) {
  Machine m;
  for (int64_t y = 0; y < kClasses; ++y) {
    const Tensor labels = labels_of(kInputStates, y);
    Tensor mean({kInputStates, kHidden});
    std::vector<double> free_energy(kInputStates);
    m.rbm.hidden_mean(m.params, kFirst, m.v_states.matrix(), labels.matrix(), mean.matrix(),
                      m.context);
    m.rbm.free_energy(m.params, kFirst, m.v_states.matrix(), labels.matrix(), free_energy,
                      m.context);
    for (int64_t s = 0; s < kInputStates; ++s) {
      const double all = m.weight(s, y);
      EXPECT_NEAR(free_energy[static_cast<size_t>(s)], -std::log(all), 1e-5) << s;
      std::vector<double> ones(kHidden);
      for (int64_t t = 0; t < kHiddenStates; ++t)
        for (size_t j = 0; j < kHidden; ++j)
          ones[j] += m.weight(s, y, t) / all * double{m.h_states.matrix().row(t)[j]};
      for (size_t j = 0; j < kHidden; ++j)
        EXPECT_NEAR(mean.matrix().row(s)[j], ones[j], 1e-5) << "state " << s << ", unit " << j;
    }
  }
}

TEST(LabelRbm, HasTheVisibleAndTheLabelMeanOfTheJoint) {
  Machine m;
  Tensor v({kHiddenStates, kInputs}), labels({kHiddenStates, kClasses});
  m.rbm.visible_mean(m.params, kFirst, m.h_states.matrix(), v.matrix(), m.context);
  m.rbm.label_mean(m.params, kFirst, m.h_states.matrix(), labels.matrix(), m.context);
  for (int64_t t = 0; t < kHiddenStates; ++t) {
    std::vector<double> ones(kInputs), classes(kClasses);
    double all = 0;
    for (int64_t s = 0; s < kInputStates; ++s)
      for (int64_t y = 0; y < kClasses; ++y) {
        const double weight = m.weight(s, y, t);
        all += weight;
        classes[static_cast<size_t>(y)] += weight;
        for (size_t i = 0; i < kInputs; ++i)
          ones[i] += weight * double{m.v_states.matrix().row(s)[i]};
      }
    for (size_t i = 0; i < kInputs; ++i)
      EXPECT_NEAR(v.matrix().row(t)[i], ones[i] / all, 1e-5) << "state " << t << ", unit " << i;
    for (size_t y = 0; y < kClasses; ++y)
      EXPECT_NEAR(labels.matrix().row(t)[y], classes[y] / all, 1e-5)
          << "state " << t << ", class " << y;
  }
}

TEST(LabelRbm, DrawsHiddenStatesByTheirMeanWithTheSameBitsInAnyBatch) {
  constexpr int64_t kDraws = 40'000;
  Machine m;
  Tensor v({kDraws, kInputs}), mean({kDraws, kHidden}), sample({kDraws, kHidden});
  for (int64_t r = 0; r < kDraws; ++r) v.matrix().row(r)[1] = 1;
  const Tensor labels = labels_of(kDraws, 2);
  const std::vector<int64_t> numbers = numbered(kDraws);
  m.rbm.hidden_mean_and_sample(m.params, kFirst, v.matrix(), labels.matrix(), RngKey(5), numbers,
                               mean.matrix(), sample.matrix(), m.context);
  Tensor alone({1, kHidden}), mean_alone({1, kHidden}), sample_alone({1, kHidden});
  m.rbm.hidden_mean(m.params, kFirst, v.matrix().head(1), labels.matrix().head(1), alone.matrix(),
                    m.context);
  m.rbm.hidden_mean_and_sample(m.params, kFirst, v.matrix().head(1), labels.matrix().head(1),
                               RngKey(5), std::span(numbers).first(1), mean_alone.matrix(),
                               sample_alone.matrix(), m.context);
  EXPECT_TRUE(std::ranges::equal(alone.values(), mean.matrix().row(0)));
  EXPECT_TRUE(std::ranges::equal(mean_alone.values(), mean.matrix().row(0)));
  EXPECT_TRUE(std::ranges::equal(sample_alone.values(), sample.matrix().row(0)));
  for (int64_t j = 0; j < kHidden; ++j) {
    double ones = 0;
    for (int64_t r = 0; r < kDraws; ++r) ones += double{sample.matrix().row(r)[j]};
    EXPECT_NEAR(ones / kDraws, mean.values()[static_cast<size_t>(j)], 0.0125)
        << j;  // 5 / sqrt(4 n)
  }
}

TEST(LabelRbm, SaysWhatItIsAndWhatDoesNotFit) {
  Machine m;
  EXPECT_EQ(m.rbm.describe(), "label rbm 6 + 3 classes -> 5");
  EXPECT_EQ(m.rbm.inputs(), 6);
  EXPECT_EQ(m.rbm.outputs(), 3);
  const std::vector<TensorInit> tensors = m.rbm.tensors();
  ASSERT_EQ(tensors.size(), 5U);
  EXPECT_EQ(tensors[LabelRbm::kLabelWeight].name, "label_weight");
  EXPECT_EQ(tensors[LabelRbm::kLabelWeight].shape, Shape({3, 5}));
  EXPECT_EQ(tensors[LabelRbm::kLabelWeight].scale, 0.01F);
  EXPECT_THROW(LabelRbm({.inputs = 2, .hidden = 2, .classes = 1}), ConfigError);
  EXPECT_THROW(LabelRbm({.inputs = 0, .hidden = 2, .classes = 2}), ConfigError);
  Tensor v({2, 6}), h({2, 5});
  const Tensor labels({2, 4});
  try {
    m.rbm.hidden_mean(m.params, kFirst, v.matrix(), labels.matrix(), h.matrix(), m.context);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "[label rbm 6 + 3 classes -> 5] labels must be (rows, 3), got (2, 4)");
  }
}

}  // namespace
}  // namespace superstep::layers
