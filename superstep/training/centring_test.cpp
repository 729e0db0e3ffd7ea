// Offsets and the pull toward sparse units, in contrastive divergence.
#include <gtest/gtest.h>

#include <cmath>

#include "superstep/models/testing.h"
#include "superstep/training/learner.h"

namespace superstep::training {
namespace {

using layers::Rbm;
using models::testing::BufferSink;

constexpr size_t kVisible = 6, kHidden = 4;
constexpr int64_t kRows = 5;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// An RBM 6-4 of binary units, five rows of 0 and 1, and offsets.
struct Case {
  Case() : params(layout(rbm)) {
    models::testing::randomize(params, 4, 0.8F);
    batch.row_numbers = {100, 7, 31, 8, 9};
    batch.x.resize({kRows, kVisible});
    fill_normal(RngKey(2), 0, batch.x.values());
    for (float& v : batch.x.values()) v = v > 0 ? 1.0F : 0.0F;
  }
  static std::vector<ParamSpec> layout(const Rbm& rbm) {
    std::vector<ParamSpec> specs;
    for (const auto& tensor : rbm.tensors()) specs.push_back({tensor.name, tensor.shape});
    return specs;
  }
  [[nodiscard]] ContrastiveDivergence::Offsets offsets() const { return {mu, lambda}; }
  // The gradients of W (row by row), c and b.
  std::vector<double> gradient(const ContrastiveDivergence::Options& options,
                               const ContrastiveDivergence::Offsets& taken,
                               std::span<double> activity = {}) {
    LearnerScratch scratch;
    BufferSink sink(params.layout());
    const ContrastiveDivergence learner(rbm, 0, options);
    loss = learner
               .gradient(params, {.batch = batch, .key = key, .step_key = key}, taken, activity,
                         sink, scratch)
               .loss;
    std::vector<double> all;
    for (const int t : {Rbm::kWeight, Rbm::kBias, Rbm::kVisibleBias})
      all.insert(all.end(), sink.gradient(t).begin(), sink.gradient(t).end());
    return all;
  }
  [[nodiscard]] double w(size_t i, size_t j) const {
    return params.matrix(Rbm::kWeight).row(static_cast<int64_t>(i))[j];
  }
  [[nodiscard]] double v(int64_t r, size_t i) const { return batch.x.matrix().row(r)[i]; }

  Rbm rbm{{.visible = kVisible, .hidden = kHidden}};
  ParamSet params;
  Batch batch;
  std::vector<float> mu{0.1F, 0.9F, 0.5F, 0.3F, 0.7F, 0.2F}, lambda{0.4F, 0.6F, 0.2F, 0.8F};
  RngKey key{11};
  double loss = 0;
};

// Melchior, Fischer and Wiskott 2016, algorithm 1: the centred machine that is the same
// distribution,
//   E(v, h) = -(v - mu)'b - c'(h - lambda) - (v - mu)'W (h - lambda),
// has b = b_plain + W lambda and c = c_plain + W'mu. Its CD-1 gradient from its own statistics, and
// what a step down that means for the plain biases.
TEST(Centring, HasTheGradientOfTheCentredMachine) {
  Case test;
  const auto [b_plain, c_plain] =
      std::pair(test.params.values(Rbm::kVisibleBias), test.params.values(Rbm::kBias));
  std::vector<double> b(kVisible), c(kHidden);
  for (size_t i = 0; i < kVisible; ++i) {
    b[i] = double{b_plain[i]};
    for (size_t j = 0; j < kHidden; ++j) b[i] += test.w(i, j) * double{test.lambda[j]};
  }
  for (size_t j = 0; j < kHidden; ++j) {
    c[j] = double{c_plain[j]};
    for (size_t i = 0; i < kVisible; ++i) c[j] += test.w(i, j) * double{test.mu[i]};
  }
  const auto hidden = [&](const std::vector<double>& v) {
    std::vector<double> h(kHidden);
    for (size_t j = 0; j < kHidden; ++j) {
      double x = c[j];
      for (size_t i = 0; i < kVisible; ++i) x += (v[i] - double{test.mu[i]}) * test.w(i, j);
      h[j] = sigmoid(x);
    }
    return h;
  };
  // The states that this key draws; that they are the ones is seen by the loss below.
  kernels::Context context;
  Tensor mean({kRows, kHidden}), states({kRows, kHidden});
  test.rbm.hidden_mean_and_sample(test.params, 0, test.batch.x.matrix(), test.key.fold("hidden"),
                                  test.batch.row_numbers, mean.matrix(), states.matrix(), context);
  std::vector<double> dw(kVisible * kHidden), db(kVisible), dc(kHidden);
  double loss = 0;
  for (int64_t r = 0; r < kRows; ++r) {
    std::vector<double> v0(kVisible), v1(kVisible);
    for (size_t i = 0; i < kVisible; ++i) {
      v0[i] = test.v(r, i);
      double x = b[i];
      for (size_t j = 0; j < kHidden; ++j)
        x += test.w(i, j) * (double{states.matrix().row(r)[j]} - double{test.lambda[j]});
      v1[i] = sigmoid(x);
      loss += (v0[i] - v1[i]) * (v0[i] - v1[i]);
      db[i] += (v1[i] - v0[i]) / kRows;
    }
    const auto h0 = hidden(v0), h1 = hidden(v1);
    for (size_t j = 0; j < kHidden; ++j) {
      const double lambda = test.lambda[j];
      dc[j] += (h1[j] - h0[j]) / kRows;
      for (size_t i = 0; i < kVisible; ++i) {
        const double mu = test.mu[i];
        dw[i * kHidden + j] +=
            ((v1[i] - mu) * (h1[j] - lambda) - (v0[i] - mu) * (h0[j] - lambda)) / kRows;
      }
    }
  }
  std::vector<double> wanted = dw;
  for (size_t j = 0; j < kHidden; ++j) {
    wanted.push_back(dc[j]);
    for (size_t i = 0; i < kVisible; ++i) wanted.back() -= dw[i * kHidden + j] * double{test.mu[i]};
  }
  for (size_t i = 0; i < kVisible; ++i) {
    wanted.push_back(db[i]);
    for (size_t j = 0; j < kHidden; ++j)
      wanted.back() -= dw[i * kHidden + j] * double{test.lambda[j]};
  }

  const auto got = test.gradient({}, test.offsets());
  EXPECT_NEAR(test.loss, loss, 1e-5);
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t k = 0; k < got.size(); ++k) EXPECT_NEAR(got[k], wanted[k], 1e-6) << "number " << k;
  // Another gradient than the plain one.
  const auto plain = test.gradient({}, {});
  double apart = 0;
  for (size_t k = 0; k < got.size(); ++k) apart = std::max(apart, std::abs(got[k] - plain[k]));
  EXPECT_GT(apart, 0.05);
}

TEST(Centring, AddsUpWhatHiddenUnitsAreActiveBy) {
  Case test;
  std::vector<double> activity(kHidden, 1.0);
  test.gradient({}, test.offsets(), activity);
  for (size_t j = 0; j < kHidden; ++j) {
    double wanted = 1;
    for (int64_t r = 0; r < kRows; ++r) {
      double x = test.params.values(Rbm::kBias)[j];
      for (size_t i = 0; i < kVisible; ++i) x += test.v(r, i) * test.w(i, j);
      wanted += sigmoid(x);
    }
    EXPECT_NEAR(activity[j], wanted, 1e-5);
  }
}

constexpr ContrastiveDivergence::Options kSparse = {.sparsity_target = 0.1, .sparsity_cost = 0.7};

// Of one row the mean activation q is that row's, and the cross-entropy of target p and q,
// -p log q - (1 - p) log(1 - q), is a function of W and c alone.
TEST(Sparsity, AddsTheGradientOfTheCrossEntropyOfTargetAndActivation) {
  Case test;
  test.batch.row_numbers.resize(1);
  test.batch.x.resize({1, kVisible});
  const auto plain = test.gradient({}, {}), sparse = test.gradient(kSparse, {});
  const auto cost = [&](size_t moved, double by) {
    double all = 0;
    for (size_t j = 0; j < kHidden; ++j) {
      double x = double{test.params.values(Rbm::kBias)[j]};
      if (moved == kVisible * kHidden + j) x += by;
      for (size_t i = 0; i < kVisible; ++i)
        x += test.v(0, i) * (test.w(i, j) + (moved == i * kHidden + j ? by : 0));
      const double q = sigmoid(x), p = 0.1;
      all += 0.7 * (-p * std::log(q) - (1 - p) * std::log(1 - q));
    }
    return all;
  };
  double largest = 0;
  for (size_t k = 0; k < plain.size(); ++k) {
    const double wanted = (cost(k, 1e-5) - cost(k, -1e-5)) / 2e-5;  // b has no part in it
    EXPECT_NEAR(sparse[k] - plain[k], wanted, 1e-6) << "number " << k;
    largest = std::max(largest, std::abs(wanted));
  }
  EXPECT_GT(largest, 0.1);
}

// Of many rows the pull is cost (q - p) at each row's input, with q the mean activation (Hinton
// 2010, section 11). With offsets it is a part of the centred gradient and maps back like the rest:
//   dW = mean of (v - mu) pull,  dc = pull - dW'mu,  db = -dW lambda
TEST(Sparsity, PullsByTheMeanActivationOfTheRows) {
  for (const bool centred : {false, true}) {
    Case test;
    std::vector<double> activity(kHidden);
    const auto offsets = centred ? test.offsets() : ContrastiveDivergence::Offsets{};
    const auto plain = test.gradient({}, offsets, activity),
               sparse = test.gradient(kSparse, offsets);
    const auto mu = [&](size_t i) { return centred ? double{test.mu[i]} : 0; };
    std::vector<double> wanted(plain.size());
    for (size_t j = 0; j < kHidden; ++j) {
      const double pull = 0.7 * (activity[j] / kRows - 0.1);
      double& dc = wanted[kVisible * kHidden + j];
      dc = pull;
      for (size_t i = 0; i < kVisible; ++i) {
        double& dw = wanted[i * kHidden + j];
        for (int64_t r = 0; r < kRows; ++r) dw += (test.v(r, i) - mu(i)) * pull / kRows;
        dc -= dw * mu(i);
        if (centred) wanted[kVisible * kHidden + kHidden + i] -= dw * double{test.lambda[j]};
      }
    }
    for (size_t k = 0; k < plain.size(); ++k)
      EXPECT_NEAR(sparse[k] - plain[k], wanted[k], 1e-6) << "number " << k << ", " << centred;
  }
}

}  // namespace
}  // namespace superstep::training
