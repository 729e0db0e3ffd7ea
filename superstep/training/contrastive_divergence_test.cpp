#include "superstep/training/learner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "superstep/layers/rbm.h"
#include "superstep/models/testing.h"

namespace superstep::training {
namespace {

using layers::Rbm;
using models::Network;
using models::testing::BufferSink;

constexpr size_t kVisible = 6, kHidden = 4, kStates = 1 << kHidden;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

Network machine(const std::string& visible) {
  models::ModelConfig config;
  config.kind = "rbm";
  config.hidden = {kHidden};
  config.visible = visible;
  return models::make_network(config, kVisible, 0);
}

const Rbm& rbm_of(const Network& net, int layer) {
  return dynamic_cast<const Rbm&>(net.layer(layer));
}

Minibatch with_key(const Batch& batch, uint64_t key) {
  return {.batch = batch, .key = RngKey(key), .step_key = RngKey(key).fold("step")};
}

// Three rows whose numbers are not their places.
Batch three_rows(bool binary) {
  Batch batch;
  batch.row_numbers = {100, 7, 31};
  batch.x.resize({3, kVisible});
  fill_normal(RngKey(2), 0, batch.x.values());
  if (binary)
    for (float& v : batch.x.values()) v = v > 0 ? 1.0F : 0.0F;
  return batch;
}

// The distribution of hidden states after a step of Gibbs sampling of both sides, binary ones:
// to[h'] = the sum over h and v of from[h] p(v | h) p(h' | v).
std::vector<double> gibbs_step(const ParamSet& params, const std::vector<double>& from) {
  const auto w = params.matrix(Rbm::kWeight);
  const auto c = params.values(Rbm::kBias), b = params.values(Rbm::kVisibleBias);
  std::vector<double> to(kStates);
  const auto bit = [](size_t state, size_t i) { return (state >> i & 1) != 0; };
  for (size_t v = 0; v < size_t{1} << kVisible; ++v) {
    double probability = 0;  // of v, over all h
    for (size_t h = 0; h < kStates; ++h) {
      double given = from[h];
      for (size_t i = 0; i < kVisible; ++i) {
        double sum = double{b[i]};
        for (size_t j = 0; j < kHidden; ++j)
          if (bit(h, j)) sum += double{w.row(static_cast<int64_t>(i))[j]};
        given *= bit(v, i) ? sigmoid(sum) : 1 - sigmoid(sum);
      }
      probability += given;
    }
    for (size_t h = 0; h < kStates; ++h) {
      double given = probability;
      for (size_t j = 0; j < kHidden; ++j) {
        double sum = double{c[j]};
        for (size_t i = 0; i < kVisible; ++i)
          if (bit(v, i)) sum += double{w.row(static_cast<int64_t>(i))[j]};
        given *= bit(h, j) ? sigmoid(sum) : 1 - sigmoid(sum);
      }
      to[h] += given;
    }
  }
  return to;
}

// The mean and the variance of CD-k's gradient for one row, over the hidden states that the last
// reconstruction may come from: all 2^4 of them, each by its probability. Written again from the
// formulas, in double.
struct Exact {
  std::vector<double> mean, variance;  // of W (row by row), c, b
  double loss = 0, loss_variance = 0;
};

Exact enumerate(const ParamSet& params, std::span<const float> v0, bool binary, int64_t steps) {
  const auto w = params.matrix(Rbm::kWeight);
  const auto c = params.values(Rbm::kBias), b = params.values(Rbm::kVisibleBias);
  const auto hidden = [&](const std::vector<double>& v) {
    std::vector<double> h(kHidden);
    for (size_t j = 0; j < kHidden; ++j) {
      double sum = double{c[j]};
      for (size_t i = 0; i < kVisible; ++i) sum += v[i] * double{w.row(static_cast<int64_t>(i))[j]};
      h[j] = sigmoid(sum);
    }
    return h;
  };
  const std::vector<double> data(v0.begin(), v0.end());
  const std::vector<double> h0 = hidden(data);
  constexpr size_t kNumbers = kVisible * kHidden + kHidden + kVisible;
  std::vector<double> first(kNumbers), second(kNumbers);
  double loss = 0, loss_squared = 0, all = 0;
  std::vector<double> at_first(kStates, 1.0);
  for (size_t state = 0; state < kStates; ++state)
    for (size_t j = 0; j < kHidden; ++j)
      at_first[state] *= (state >> j & 1) != 0 ? h0[j] : 1 - h0[j];
  std::vector<double> at_last = at_first;
  for (int64_t step = 1; step < steps; ++step) at_last = gibbs_step(params, at_last);
  for (size_t state = 0; state < kStates; ++state) {
    const double probability = at_last[state];
    std::vector<double> v1(kVisible);
    double error = 0;
    for (size_t i = 0; i < kVisible; ++i) {
      double sum = double{b[i]};
      for (size_t j = 0; j < kHidden; ++j)
        if ((state >> j & 1) != 0) sum += double{w.row(static_cast<int64_t>(i))[j]};
      v1[i] = binary ? sigmoid(sum) : sum;
      error += (data[i] - v1[i]) * (data[i] - v1[i]);
    }
    const std::vector<double> h1 = hidden(v1);
    std::vector<double> g;
    for (size_t i = 0; i < kVisible; ++i)
      for (size_t j = 0; j < kHidden; ++j) g.push_back(v1[i] * h1[j] - data[i] * h0[j]);
    for (size_t j = 0; j < kHidden; ++j) g.push_back(h1[j] - h0[j]);
    for (size_t i = 0; i < kVisible; ++i) g.push_back(v1[i] - data[i]);
    for (size_t k = 0; k < kNumbers; ++k) {
      first[k] += probability * g[k];
      second[k] += probability * g[k] * g[k];
    }
    loss += at_first[state] * error;  // of the first reconstruction, whatever k is
    loss_squared += at_first[state] * error * error;
    all += probability;
  }
  EXPECT_NEAR(all, 1, 1e-12);
  Exact exact{
      .mean = first, .variance = {}, .loss = loss, .loss_variance = loss_squared - loss * loss};
  for (size_t k = 0; k < kNumbers; ++k)
    exact.variance.push_back(std::max(0.0, second[k] - first[k] * first[k]));
  return exact;
}

class EveryMachine : public ::testing::TestWithParam<std::pair<std::string, int64_t>> {};

// The average over thousands of keys is within five of its own standard errors, which the
// enumeration gives as well; 1e-5 is for float32. Of 34 numbers, one is beyond five in 50,000
// tries.
TEST_P(EveryMachine, HasTheGradientOfTheSumOverAllHiddenStates) {
  const auto& [visible, steps] = GetParam();
  const bool binary = visible == "binary";
  const Network net = machine(visible);
  ParamSet params(net.layout());
  // Steps that share their draws show where the sides are tightly coupled, and to many keys.
  models::testing::randomize(params, 4, steps > 1 ? 2.0F : 0.8F);
  const Batch batch = three_rows(binary);
  const int keys = steps > 1 ? 20'000 : 4000;

  const ContrastiveDivergence learner(rbm_of(net, 0), 0, {.steps = steps});
  LearnerScratch scratch;
  BufferSink sink(*net.layout());
  double loss = 0;
  for (uint64_t key = 0; key < static_cast<uint64_t>(keys); ++key)
    loss += learner.gradient(params, with_key(batch, key), sink, scratch).loss / keys;

  std::vector<double> sampled;
  for (const int t : {Rbm::kWeight, Rbm::kBias, Rbm::kVisibleBias})
    for (const double g : sink.gradient(t)) sampled.push_back(g / keys);
  std::vector<double> mean(sampled.size()), variance(sampled.size());
  double exact_loss = 0, loss_variance = 0;
  for (int64_t r = 0; r < 3; ++r) {
    const Exact exact = enumerate(params, batch.x.matrix().row(r), binary, steps);
    ASSERT_EQ(exact.mean.size(), sampled.size());
    for (size_t k = 0; k < sampled.size(); ++k) {
      mean[k] += exact.mean[k] / 3;
      variance[k] += exact.variance[k] / 9;
    }
    exact_loss += exact.loss;
    loss_variance += exact.loss_variance;
  }
  double widest = 0;
  for (size_t k = 0; k < sampled.size(); ++k) {
    const double bound = 5 * std::sqrt(variance[k] / keys) + 1e-5;
    EXPECT_NEAR(sampled[k], mean[k], bound) << "number " << k;
    widest = std::max(widest, bound);
  }
  EXPECT_NEAR(loss, exact_loss, 5 * std::sqrt(loss_variance / keys) + 1e-4);
  // Tight enough: reconstructions from probabilities in place of samples are beyond the bounds.
  EXPECT_LT(widest, binary ? 0.02 : 0.2);
}

INSTANTIATE_TEST_SUITE_P(Machines, EveryMachine,
                         ::testing::Values(std::pair("binary", 1), std::pair("gaussian", 1),
                                           std::pair("binary", 3)),
                         [](const auto& machine) {
                           return fmt::format("{}_{}", machine.param.first, machine.param.second);
                         });

// What is drawn for a row follows its number: alone, in company, in whatever order.
TEST(ContrastiveDivergence, DrawsForARowByItsNumber) {
  const Network net = machine("binary");
  ParamSet params(net.layout());
  models::testing::randomize(params, 4, 0.8F);
  const Batch batch = three_rows(true);
  const ContrastiveDivergence learner(rbm_of(net, 0), 0, {});
  LearnerScratch scratch;
  BufferSink together(*net.layout()), apart(*net.layout());
  learner.gradient(params, with_key(batch, 1), together, scratch);
  for (const size_t r : {2, 0, 1}) {
    Batch one;
    one.row_numbers = {batch.row_numbers[r]};
    one.x.resize({1, kVisible});
    std::ranges::copy(batch.x.matrix().row(static_cast<int64_t>(r)), one.x.values().begin());
    learner.gradient(params, with_key(one, 1), apart, scratch);
  }
  for (int t = 0; t < net.layout()->size(); ++t)
    for (size_t i = 0; i < together.gradient(t).size(); ++i)
      EXPECT_NEAR(together.gradient(t)[i], apart.gradient(t)[i] / 3, 1e-6) << t << ", " << i;
}

// The same row under two numbers: the loss is that of another reconstruction.
TEST(ContrastiveDivergence, DrawsAnewForAnotherNumberAndAnotherKey) {
  const Network net = machine("binary");
  ParamSet params(net.layout());
  models::testing::randomize(params, 4, 0.8F);
  const ContrastiveDivergence learner(rbm_of(net, 0), 0, {});
  LearnerScratch scratch;
  BufferSink sink(*net.layout());
  Batch batch;
  batch.x.resize(
      {8, kVisible});  // eight rows alike: one draw for all would give one loss eightfold
  batch.row_numbers = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto loss = [&](uint64_t key) {
    return learner.gradient(params, with_key(batch, key), sink, scratch).loss;
  };
  const double together = loss(1);
  EXPECT_NE(together, loss(2));
  batch.row_numbers.assign(8, 1);
  EXPECT_NE(together, loss(1));
}

TEST(ContrastiveDivergence, MovesItsOwnLayerAlone) {
  models::ModelConfig config;
  config.kind = "dbn";
  config.hidden = {kVisible, 4};
  const Network net = models::make_network(config, 5, 3);
  ParamSet params(net.layout());
  models::testing::randomize(params, 4);
  const ContrastiveDivergence learner(rbm_of(net, 1), net.first(1), {});
  LearnerScratch scratch;
  BufferSink sink(*net.layout());
  const Batch batch = three_rows(true);
  const Tally tally = learner.gradient(params, with_key(batch, 1), sink, scratch);
  EXPECT_EQ(tally.rows, 3);
  EXPECT_EQ(tally.errors, 0);
  EXPECT_GT(tally.loss, 0);
  for (int t = 0; t < net.layout()->size(); ++t) {
    double size = 0;
    for (const double g : sink.gradient(t)) size += std::abs(g);
    EXPECT_EQ(size > 0, net.layout()->spec(t).name.starts_with("layer.1."))
        << net.layout()->spec(t).name;
  }
}

}  // namespace
}  // namespace superstep::training
