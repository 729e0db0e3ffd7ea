#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "superstep/models/testing.h"
#include "superstep/training/learner.h"

namespace superstep::training {
namespace {

using layers::LabelRbm;
using models::testing::BufferSink;

constexpr size_t kInputs = 3, kHidden = 3, kClasses = 3, kStates = 1 << kHidden;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
bool bit(size_t state, size_t i) { return (state >> i & 1) != 0; }

// The joint machine 3 + 3 -> 3 in double.
struct Joint {
  explicit Joint(const ParamSet& p) : params(p) {}
  [[nodiscard]] std::vector<double> hidden(const std::vector<double>& v, size_t y) const {
    std::vector<double> h(kHidden);
    for (size_t j = 0; j < kHidden; ++j) {
      double x = double{params.values(LabelRbm::kBias)[j]} +
                 double{params.matrix(LabelRbm::kLabelWeight).row(static_cast<int64_t>(y))[j]};
      for (size_t i = 0; i < kInputs; ++i) x += v[i] * w(i, j);
      h[j] = sigmoid(x);
    }
    return h;
  }
  [[nodiscard]] std::vector<double> visible(size_t state) const {
    std::vector<double> v(kInputs);
    for (size_t i = 0; i < kInputs; ++i) {
      double x = double{params.values(LabelRbm::kVisibleBias)[i]};
      for (size_t j = 0; j < kHidden; ++j)
        if (bit(state, j)) x += w(i, j);
      v[i] = sigmoid(x);
    }
    return v;
  }
  [[nodiscard]] std::vector<double> label(size_t state) const {
    std::vector<double> p(kClasses);
    double sum = 0;
    for (size_t y = 0; y < kClasses; ++y) {
      double x = double{params.values(LabelRbm::kLabelBias)[y]};
      for (size_t j = 0; j < kHidden; ++j)
        if (bit(state, j))
          x += double{params.matrix(LabelRbm::kLabelWeight).row(static_cast<int64_t>(y))[j]};
      sum += p[y] = std::exp(x);
    }
    for (double& q : p) q /= sum;
    return p;
  }
  [[nodiscard]] double w(size_t i, size_t j) const {
    return params.matrix(LabelRbm::kWeight).row(static_cast<int64_t>(i))[j];
  }
  const ParamSet& params;
};

std::vector<double> distribution(const std::vector<double>& h) {
  std::vector<double> p(size_t{1} << h.size(), 1.0);
  for (size_t state = 0; state < p.size(); ++state)
    for (size_t j = 0; j < h.size(); ++j) p[state] *= bit(state, j) ? h[j] : 1 - h[j];
  return p;
}

// The gradients of W, c, b, U, d for one row: as statistics of a reconstruction less the data's.
std::vector<double> statistics(const std::vector<double>& v, size_t y,
                               const std::vector<double>& h) {
  std::vector<double> s;
  for (const double v_i : v)
    for (const double h_j : h) s.push_back(v_i * h_j);
  s.insert(s.end(), h.begin(), h.end());
  s.insert(s.end(), v.begin(), v.end());
  for (size_t k = 0; k < kClasses; ++k)
    for (const double h_j : h) s.push_back(k == y ? h_j : 0);
  for (size_t k = 0; k < kClasses; ++k) s.push_back(k == y ? 1 : 0);
  return s;
}

// Mean and variance over all that may be drawn in k steps from (v, y): a hidden state, then k times
// the visible mean and a label, and between them hidden states again.
struct Exact {
  std::vector<double> mean, variance;
  double loss = 0, loss_variance = 0;
};
Exact enumerate(const Joint& joint, const std::vector<double>& v0, size_t y0, int64_t steps) {
  std::vector<double> now = distribution(joint.hidden(v0, y0));
  Exact exact;
  double loss_squared = 0;
  for (size_t state = 0; state < kStates; ++state) {
    double error = 0;
    const auto v1 = joint.visible(state);
    for (size_t i = 0; i < kInputs; ++i) error += (v0[i] - v1[i]) * (v0[i] - v1[i]);
    exact.loss += now[state] * error;
    loss_squared += now[state] * error * error;
  }
  exact.loss_variance = loss_squared - exact.loss * exact.loss;
  for (int64_t step = 1; step < steps; ++step) {
    std::vector<double> next(kStates);
    for (size_t state = 0; state < kStates; ++state) {
      // Between two steps the features are states: all that may be drawn of their means.
      const auto labels = joint.label(state);
      const auto visible = distribution(joint.visible(state));
      for (size_t v = 0; v < visible.size(); ++v) {
        std::vector<double> features(kInputs);
        for (size_t i = 0; i < kInputs; ++i) features[i] = static_cast<double>(v >> i & 1U);
        for (size_t y = 0; y < kClasses; ++y) {
          const auto to = distribution(joint.hidden(features, y));
          for (size_t h = 0; h < kStates; ++h)
            next[h] += now[state] * visible[v] * labels[y] * to[h];
        }
      }
    }
    now = next;
  }
  const auto data = statistics(v0, y0, joint.hidden(v0, y0));
  exact.mean.resize(data.size());
  std::vector<double> second(data.size());
  for (size_t state = 0; state < kStates; ++state) {
    const auto labels = joint.label(state);
    const auto v1 = joint.visible(state);
    for (size_t y = 0; y < kClasses; ++y) {
      const auto s = statistics(v1, y, joint.hidden(v1, y));
      const double p = now[state] * labels[y];
      for (size_t k = 0; k < s.size(); ++k) {
        exact.mean[k] += p * (s[k] - data[k]);
        second[k] += p * (s[k] - data[k]) * (s[k] - data[k]);
      }
    }
  }
  for (size_t k = 0; k < data.size(); ++k)
    exact.variance.push_back(std::max(0.0, second[k] - exact.mean[k] * exact.mean[k]));
  return exact;
}

// Over thousands of keys within five standard errors, which the enumeration gives as well; 1e-5 is
// for float32.
TEST(LabelDivergence, HasTheGradientOfTheSumOverAllThatMayBeDrawn) {
  for (const int64_t steps : {1, 3}) {
    const LabelRbm rbm({.inputs = kInputs, .hidden = kHidden, .classes = kClasses});
    std::vector<ParamSpec> specs;
    for (const auto& tensor : rbm.tensors()) specs.push_back({tensor.name, tensor.shape});
    ParamSet params(specs);
    models::testing::randomize(params, 5, steps > 1 ? 2.0F : 1.0F);
    Batch batch;
    batch.row_numbers = {100, 7};
    batch.labels = {2, 0};
    batch.x.resize({2, kInputs});
    std::ranges::copy(std::vector<float>{1, 0, 1, 0, 0.25F, 1}, batch.x.values().begin());

    const int keys = steps > 1 ? 20'000 : 4000;
    LearnerScratch scratch;
    BufferSink sink(params.layout());
    double loss = 0;
    const LabelDivergence learner(rbm, 0, steps);
    for (uint64_t key = 0; key < static_cast<uint64_t>(keys); ++key) {
      const Tally tally =
          learner.gradient(params, {batch, RngKey(key), RngKey(key)}, sink, scratch);
      EXPECT_EQ(tally.rows, 2);
      loss += tally.loss / keys;
    }
    std::vector<double> sampled;
    for (const int t : {LabelRbm::kWeight, LabelRbm::kBias, LabelRbm::kVisibleBias,
                        LabelRbm::kLabelWeight, LabelRbm::kLabelBias})
      for (const double g : sink.gradient(t)) sampled.push_back(g / keys);

    const Joint joint(params);
    const Exact a = enumerate(joint, {1, 0, 1}, 2, steps),
                b = enumerate(joint, {0, 0.25, 1}, 0, steps);
    ASSERT_EQ(sampled.size(), a.mean.size());
    double widest = 0;
    for (size_t k = 0; k < sampled.size(); ++k) {
      const double bound = 5 * std::sqrt((a.variance[k] + b.variance[k]) / 4 / keys) + 1e-5;
      EXPECT_NEAR(sampled[k], (a.mean[k] + b.mean[k]) / 2, bound)
          << "number " << k << ", steps " << steps;
      widest = std::max(widest, bound);
    }
    EXPECT_NEAR(loss, a.loss + b.loss,
                5 * std::sqrt((a.loss_variance + b.loss_variance) / keys) + 1e-4);
    EXPECT_LT(widest, 0.035);
  }
}

}  // namespace
}  // namespace superstep::training
