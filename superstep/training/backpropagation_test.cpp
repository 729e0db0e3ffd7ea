// Backpropagation with and without dropout.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "superstep/models/testing.h"
#include "superstep/training/learner.h"

namespace superstep::training {
namespace {

using models::Network;
using models::testing::BufferSink;

Minibatch with_key(const Batch& batch, uint64_t key) {
  return {.batch = batch, .key = RngKey(key), .step_key = RngKey(key)};
}

// Scores are the inputs: rows (1 0), (0 1), (2 2) with labels 0, 0, 1. The second is an error; so
// is the third, for of equals the first counts.
TEST(Backpropagation, CountsErrorsAndLoss) {
  models::ModelConfig config;
  config.kind = "logistic";
  const Network net = models::make_network(config, 2, 2);
  ParamSet params(net.layout());
  params.values("layer.0.weight")[0] = params.values("layer.0.weight")[3] = 1.0F;
  Batch batch;
  batch.row_numbers = {0, 1, 2};
  batch.x.resize({3, 2});
  const std::vector<float> x{1, 0, 0, 1, 2, 2};
  std::ranges::copy(x, batch.x.values().begin());
  batch.labels = {0, 0, 1};
  const layers::SoftmaxCrossEntropy loss;
  const Backpropagation learner(net, loss);
  LearnerScratch scratch;
  BufferSink sink(*net.layout());
  const Tally trained = learner.gradient(params, with_key(batch, 1), sink, scratch);
  const Tally evaluated = evaluate(net, loss, params, batch, scratch);
  for (const Tally& tally : {trained, evaluated}) {
    EXPECT_EQ(tally.rows, 3);
    EXPECT_EQ(tally.errors, 2);
    // log(1 + e^-1) + log(1 + e) + log 2
    EXPECT_NEAR(tally.loss, 0.3132617 + 1.3132617 + 0.6931472, 1e-6);
  }
}

Batch classes_to_learn(int64_t rows, int64_t columns) {
  Batch batch;
  batch.x.resize({rows, columns});
  fill_normal(RngKey(3), 0, batch.x.values());
  for (int64_t r = 0; r < rows; ++r) {
    batch.row_numbers.push_back(10 * r);
    batch.labels.push_back(static_cast<int32_t>(r) % 3);
  }
  return batch;
}

Network net_of(const std::string& kind) {
  models::ModelConfig config;
  config.kind = kind;
  config.hidden = {5, 4};
  config.activation = "tanh";
  return models::make_network(config, 6, 3);
}

// The key names what is left out, so a loss under one key is a plain function of the parameters.
// Nets 6-5-4-3, 7 rows; a step of 1/256 errs by its square, float32 by about 1e-7 * 256: 1e-3 of
// the tensor's largest derivative covers both.
TEST(Backpropagation, WithDropoutHasTheGradientOfCentralDifferencesOfOneKey) {
  for (const std::string kind : {"mlp", "dbn"}) {
    const Network net = net_of(kind);
    ParamSet params(net.layout());
    models::testing::randomize(params, 8, 0.7F);
    const Batch batch = classes_to_learn(7, 6);
    const layers::SoftmaxCrossEntropy loss;
    const Backpropagation learner(net, loss, {0.3, 0.5, 0.25});
    LearnerScratch scratch;
    BufferSink sink(*net.layout()), unused(*net.layout());
    learner.gradient(params, with_key(batch, 4), sink, scratch);
    const auto mean_loss = [&] {
      return learner.gradient(params, with_key(batch, 4), unused, scratch).loss / 7;
    };
    int zeros = 0;  // a weight whose input is left out in every row has no derivative
    for (int t = 0; t < net.layout()->size(); ++t) {
      std::vector<double> differences;
      for (float& v : params.values(t)) {
        constexpr float kStep = 1.0F / 256;
        const float before = v;
        v = before + kStep;
        const float above = v;
        const double up = mean_loss();
        v = before - kStep;
        const double down = mean_loss();
        differences.push_back((up - down) / (double{above} - double{v}));
        v = before;
      }
      double largest = 1e-3;
      for (const double d : differences) largest = std::max(largest, std::abs(d));
      for (size_t i = 0; i < differences.size(); ++i) {
        EXPECT_NEAR(sink.gradient(t)[i], differences[i], 1e-3 * largest)
            << net.layout()->spec(t).name << "[" << i << "]";
        zeros += sink.gradient(t)[i] == 0 ? 1 : 0;
      }
    }
    EXPECT_LT(zeros, 40) << kind;
  }
}

TEST(Backpropagation, LeavesOtherInputsOutUnderAnotherKey) {
  const Network net = net_of("mlp");
  ParamSet params(net.layout());
  models::testing::randomize(params, 8, 0.7F);
  const Batch batch = classes_to_learn(7, 6);
  const layers::SoftmaxCrossEntropy loss;
  LearnerScratch scratch;
  BufferSink sink(*net.layout());
  const auto loss_of = [&](std::vector<double> dropout, uint64_t key) {
    return Backpropagation(net, loss, std::move(dropout))
        .gradient(params, with_key(batch, key), sink, scratch)
        .loss;
  };
  const double whole = evaluate(net, loss, params, batch, scratch).loss;
  EXPECT_EQ(loss_of({}, 1), whole);
  for (const std::vector<double>& dropout :
       {std::vector<double>{0.5, 0, 0}, {0, 0.5, 0}, {0, 0, 0.5}}) {
    EXPECT_NE(loss_of(dropout, 1), whole);
    EXPECT_EQ(loss_of(dropout, 1), loss_of(dropout, 1));
    EXPECT_NE(loss_of(dropout, 1), loss_of(dropout, 2));
  }
  // What was thinned before is not in the way of an evaluation.
  EXPECT_EQ(evaluate(net, loss, params, batch, scratch).loss, whole);
}

TEST(Backpropagation, OfRateZeroHasTheBitsOfNoDropout) {
  const Network net = net_of("dbn");
  ParamSet params(net.layout());
  models::testing::randomize(params, 8, 0.7F);
  const Batch batch = classes_to_learn(7, 6);
  const layers::SoftmaxCrossEntropy loss;
  LearnerScratch scratch;
  BufferSink none(*net.layout()), zero(*net.layout());
  const Tally a = Backpropagation(net, loss).gradient(params, with_key(batch, 1), none, scratch);
  const Tally b =
      Backpropagation(net, loss, {0, 0, 0}).gradient(params, with_key(batch, 1), zero, scratch);
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.errors, b.errors);
  for (int t = 0; t < net.layout()->size(); ++t) EXPECT_EQ(none.gradient(t), zero.gradient(t));
}

// A linear score of thinned and enlarged inputs is right on average: over 4,000 keys within five
// standard errors. With half of six inputs left out, each score of row 0 varies by the sum of
// (x_i w_ij)^2.
TEST(Backpropagation, EnlargesWhatIsLeftByWhatIsNot) {
  models::ModelConfig config;
  config.kind = "logistic";
  const Network net = models::make_network(config, 6, 3);
  ParamSet params(net.layout());
  models::testing::randomize(params, 8, 0.7F);
  const Batch batch = classes_to_learn(1, 6);
  kernels::Context context;
  Network::Workspace work;
  const auto scores = [&](uint64_t key, std::span<const double> dropout) {
    const layers::Pass pass{layers::Mode::kTrain, RngKey(key), batch.row_numbers, context};
    const auto row = net.forward(params, batch.x.matrix(), work, pass, dropout).row(0);
    return std::vector<float>(row.begin(), row.end());
  };
  const std::vector<float> whole = scores(0, {});
  std::vector<double> mean(3);
  constexpr int kKeys = 4000;
  const std::vector<double> half{0.5};
  for (uint64_t key = 0; key < kKeys; ++key) {
    const auto thinned = scores(key, half);
    for (size_t j = 0; j < 3; ++j) mean[j] += double{thinned[j]} / kKeys;
  }
  for (size_t j = 0; j < 3; ++j) {
    double variance = 0;
    for (int64_t i = 0; i < 6; ++i)
      variance += std::pow(double{batch.x.matrix().row(0)[static_cast<size_t>(i)]} *
                               double{params.matrix(0).row(i)[j]},
                           2);
    EXPECT_NEAR(mean[j], whole[j], 5 * std::sqrt(variance / kKeys));
  }
}

}  // namespace
}  // namespace superstep::training
