#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "superstep/models/sampler.h"
#include "superstep/models/testing.h"
#include "superstep/training/testing.h"

namespace superstep::training {
namespace {

using layers::LabelRbm;
using layers::Rbm;
using models::Network;
using models::testing::BufferSink;
using testing::Trial;

constexpr int64_t kRows = 4, kClasses = 2;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// Machines 5-4 and 4-3, and on top 3 + 2 classes -> 6.
Network net() { return models::make_network(Trial::generative({4, 3, 6}), 5, kClasses); }

Batch four_rows() {
  Batch batch;
  batch.row_numbers = {9, 2, 30, 4};
  batch.labels = {1, 0, 0, 1};
  batch.x.resize({kRows, 5});
  fill_uniform(RngKey(2), 0, batch.x.values());
  for (float& v : batch.x.values()) v = v > 0.5F ? 1.0F : 0.0F;
  return batch;
}

// One gradient, and the states that it went through: of machine k, the rows that were seen above
// those that were dreamt.
struct Pass {
  explicit Pass(uint64_t key, int64_t steps = 2)
      : network(net()), params(network.layout()), sink(*network.layout()) {
    models::testing::randomize(params, 5, 0.8F);
    const UpDown learner(network, loss, steps);
    tally = learner.gradient(params, {batch, RngKey(key), RngKey(key)}, sink, scratch);
  }
  [[nodiscard]] double state(int k, int64_t row, int64_t i) const {
    return scratch.work.activations[static_cast<size_t>(k)].matrix().row(
        row)[static_cast<size_t>(i)];
  }
  [[nodiscard]] double label(int64_t row, int64_t y) const {
    return scratch.d.matrix().row(row)[static_cast<size_t>(y)];
  }
  [[nodiscard]] double value(int tensor, int64_t i, int64_t j) const {
    return params.matrix(tensor).row(i)[static_cast<size_t>(j)];
  }
  [[nodiscard]] double bias(int tensor, int64_t j) const {
    return params.values(tensor)[static_cast<size_t>(j)];
  }

  Network network;
  ParamSet params;
  layers::SoftmaxCrossEntropy loss;
  Batch batch = four_rows();
  BufferSink sink;
  LearnerScratch scratch;
  Tally tally;
};

double cross_entropy(double state, double x) {
  return -state * std::log(sigmoid(x)) - (1 - state) * std::log(1 - sigmoid(x));
}

// The mean over rows of the cross-entropy of what lies below machine k and what generation says of
// it, of what was seen; with one number of the generative tensors moved.
double generative_cost(const Pass& p, int k, int64_t weight, int64_t bias, double by) {
  const auto& rbm = dynamic_cast<const Rbm&>(p.network.layer(k));
  const int first = p.network.first(k);
  double cost = 0;
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t i = 0; i < rbm.inputs(); ++i) {
      double x = p.bias(first + Rbm::kVisibleBias, i) + (bias == i ? by : 0);
      for (int64_t j = 0; j < rbm.outputs(); ++j)
        x += (p.value(first + Rbm::kGenerativeWeight, i, j) +
              (weight == i * rbm.outputs() + j ? by : 0)) *
             p.state(k + 1, r, j);
      cost += cross_entropy(p.state(k, r, i), x) / kRows;
    }
  return cost;
}

// The same of what lies above it and what recognition says of it, of what was dreamt.
double recognition_cost(const Pass& p, int k, int64_t weight, int64_t bias, double by) {
  const auto& rbm = dynamic_cast<const Rbm&>(p.network.layer(k));
  const int first = p.network.first(k);
  double cost = 0;
  for (int64_t r = kRows; r < 2 * kRows; ++r)
    for (int64_t j = 0; j < rbm.outputs(); ++j) {
      double x = p.bias(first + Rbm::kBias, j) + (bias == j ? by : 0);
      for (int64_t i = 0; i < rbm.inputs(); ++i)
        x += (p.value(first + Rbm::kWeight, i, j) + (weight == i * rbm.outputs() + j ? by : 0)) *
             p.state(k, r, i);
      cost += cross_entropy(p.state(k + 1, r, j), x) / kRows;
    }
  return cost;
}

TEST(UpDown, DescendsTheLocalCrossEntropiesOfGenerationAndRecognition) {
  const Pass p(3);
  for (int k = 0; k < 2; ++k) {
    const int first = p.network.first(k);
    const auto expect = [&](int tensor, auto cost, bool is_weight) {
      const auto& got = p.sink.gradient(first + tensor);
      double largest = 0;
      for (size_t n = 0; n < got.size(); ++n) {
        const auto number = static_cast<int64_t>(n);
        const auto at = [&](double by) {
          return is_weight ? cost(p, k, number, -1, by) : cost(p, k, -1, number, by);
        };
        const double wanted = (at(1e-5) - at(-1e-5)) / 2e-5;
        EXPECT_NEAR(got[n], wanted, 1e-6) << "machine " << k << ", tensor " << tensor << ", " << n;
        largest = std::max(largest, std::abs(wanted));
      }
      EXPECT_GT(largest, 0.05) << "machine " << k << ", tensor " << tensor;
    };
    expect(Rbm::kGenerativeWeight, generative_cost, true);
    expect(Rbm::kVisibleBias, generative_cost, false);
    expect(Rbm::kWeight, recognition_cost, true);
    expect(Rbm::kBias, recognition_cost, false);
  }
}

// Of the top machine: what the chain came to, less what it began from.
TEST(UpDown, HasTheContrastiveGradientOfTheTopMachine) {
  const Pass p(3);
  const int first = p.network.first(2);
  std::vector<double> w(3 * 6), c(6), b(3), u(2 * 6), d(2);
  for (int64_t r = 0; r < 2 * kRows; ++r) {
    const double sign = r < kRows ? -1.0 / kRows : 1.0 / kRows;
    for (int64_t j = 0; j < 6; ++j) {
      double x = p.bias(first + LabelRbm::kBias, j);
      for (int64_t i = 0; i < 3; ++i)
        x += p.state(2, r, i) * p.value(first + LabelRbm::kWeight, i, j);
      for (int64_t y = 0; y < 2; ++y)
        x += p.label(r, y) * p.value(first + LabelRbm::kLabelWeight, y, j);
      const double h = sign * sigmoid(x);
      c[static_cast<size_t>(j)] += h;
      for (int64_t i = 0; i < 3; ++i) w[static_cast<size_t>(i * 6 + j)] += p.state(2, r, i) * h;
      for (int64_t y = 0; y < 2; ++y) u[static_cast<size_t>(y * 6 + j)] += p.label(r, y) * h;
    }
    for (int64_t i = 0; i < 3; ++i) b[static_cast<size_t>(i)] += sign * p.state(2, r, i);
    for (int64_t y = 0; y < 2; ++y) d[static_cast<size_t>(y)] += sign * p.label(r, y);
  }
  const auto expect = [&](int tensor, const std::vector<double>& wanted) {
    const auto& got = p.sink.gradient(first + tensor);
    ASSERT_EQ(got.size(), wanted.size());
    for (size_t k = 0; k < wanted.size(); ++k)
      EXPECT_NEAR(got[k], wanted[k], 1e-6) << "tensor " << tensor << ", " << k;
  };
  expect(LabelRbm::kWeight, w);
  expect(LabelRbm::kBias, c);
  expect(LabelRbm::kVisibleBias, b);
  expect(LabelRbm::kLabelWeight, u);
  expect(LabelRbm::kLabelBias, d);
}

// The rows as they came and their labels at the bottom and the top; states of 0 and 1 between.
TEST(UpDown, BeginsFromTheRowsAndTheirLabels) {
  const Pass p(3);
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t i = 0; i < 5; ++i)
      EXPECT_EQ(p.state(0, r, i), p.batch.x.matrix().row(r)[static_cast<size_t>(i)]);
    EXPECT_EQ(p.label(r, p.batch.labels[static_cast<size_t>(r)]), 1);
    EXPECT_EQ(p.label(r, 1 - p.batch.labels[static_cast<size_t>(r)]), 0);
  }
  for (int k = 0; k < 3; ++k)
    for (int64_t r = 0; r < 2 * kRows; ++r)
      for (int64_t i = 0; i < p.network.layer(k).inputs(); ++i)
        EXPECT_EQ(p.state(k, r, i) * (1 - p.state(k, r, i)), 0);
}

// What is drawn has the probability that the states beside it give it: up by recognition, down by
// generation, and over the top in one step through hidden units (the sum over their 2^6 states).
// Over 2,000 keys and 4 rows within five standard errors, of at most 1/4 each.
TEST(UpDown, DrawsStatesByTheProbabilitiesOfItsWeights) {
  constexpr int kKeys = 2000;
  std::map<std::string, double> excess, together;
  for (uint64_t key = 0; key < kKeys; ++key) {
    const Pass p(key, 1);
    for (int64_t r = 0; r < kRows; ++r) {
      std::map<int64_t, double> up_below, down_below;  // of the machine below
      for (int k = 0; k < 2; ++k) {
        const auto& rbm = dynamic_cast<const Rbm&>(p.network.layer(k));
        const int first = p.network.first(k);
        std::map<int64_t, double> up, down;
        for (int64_t j = 0; j < rbm.outputs(); ++j) {
          double x = p.bias(first + Rbm::kBias, j);
          for (int64_t i = 0; i < rbm.inputs(); ++i)
            x += p.state(k, r, i) * p.value(first + Rbm::kWeight, i, j);
          up[j] = p.state(k + 1, r, j) - sigmoid(x);
          excess[fmt::format("wake {} {}", k, j)] += up[j];
          if (k == 1) together[fmt::format("wake {}", j)] += up[j] * up_below[j];
        }
        for (int64_t i = 0; i < rbm.inputs(); ++i) {
          double x = p.bias(first + Rbm::kVisibleBias, i);
          for (int64_t j = 0; j < rbm.outputs(); ++j)
            x += p.state(k + 1, kRows + r, j) * p.value(first + Rbm::kGenerativeWeight, i, j);
          down[i] = p.state(k, kRows + r, i) - sigmoid(x);
          excess[fmt::format("sleep {} {}", k, i)] += down[i];
          if (k == 1) together[fmt::format("sleep {}", i)] += down[i] * down_below[i];
        }
        up_below = up;
        down_below = down;
      }
      const int first = p.network.first(2);
      std::vector<double> up(6);
      for (int64_t j = 0; j < 6; ++j) {
        double x = p.bias(first + LabelRbm::kBias, j);
        for (int64_t i = 0; i < 3; ++i)
          x += p.state(2, r, i) * p.value(first + LabelRbm::kWeight, i, j);
        x += p.value(first + LabelRbm::kLabelWeight, p.batch.labels[static_cast<size_t>(r)], j);
        up[static_cast<size_t>(j)] = sigmoid(x);
      }
      std::vector<double> v(3);
      double first_class = 0;
      for (size_t h = 0; h < 64; ++h) {
        double probability = 1;
        for (size_t j = 0; j < 6; ++j) probability *= (h >> j & 1) != 0 ? up[j] : 1 - up[j];
        const auto input = [&](double start, int tensor, int64_t row) {
          for (int64_t j = 0; j < 6; ++j)
            if ((h >> j & 1) != 0) start += p.value(first + tensor, row, j);
          return start;
        };
        for (int64_t i = 0; i < 3; ++i)
          v[static_cast<size_t>(i)] +=
              probability *
              sigmoid(input(p.bias(first + LabelRbm::kVisibleBias, i), LabelRbm::kWeight, i));
        first_class +=
            probability *
            sigmoid(input(p.bias(first + LabelRbm::kLabelBias, 0), LabelRbm::kLabelWeight, 0) -
                    input(p.bias(first + LabelRbm::kLabelBias, 1), LabelRbm::kLabelWeight, 1));
      }
      for (int64_t i = 0; i < 3; ++i)
        excess[fmt::format("top {}", i)] += p.state(2, kRows + r, i) - v[static_cast<size_t>(i)];
      excess["label"] += p.label(kRows + r, 0) - first_class;
    }
  }
  EXPECT_EQ(excess.size(), 4U + 5 + 3 + 4 + 3 + 1);
  for (const auto& [what, sum] : excess)
    EXPECT_NEAR(sum, 0, 5 * 0.5 * std::sqrt(kKeys * kRows)) << what;
  // Units of one number in two machines are drawn apart.
  EXPECT_EQ(together.size(), 3U + 4);
  for (const auto& [what, sum] : together)
    EXPECT_NEAR(sum, 0, 5 * 0.25 * std::sqrt(kKeys * kRows)) << what;
}

TEST(UpDown, ReportsTheLossOfTheLabelGivenTheStatesSeen) {
  const Pass p(3);
  double loss = 0;
  int64_t errors = 0;
  for (int64_t r = 0; r < kRows; ++r) {
    std::vector<double> score(2);
    for (int64_t y = 0; y < 2; ++y) {
      const int first = p.network.first(2);
      score[static_cast<size_t>(y)] = p.bias(first + LabelRbm::kLabelBias, y);
      for (int64_t j = 0; j < 6; ++j) {
        double x =
            p.bias(first + LabelRbm::kBias, j) + p.value(first + LabelRbm::kLabelWeight, y, j);
        for (int64_t i = 0; i < 3; ++i)
          x += p.state(2, r, i) * p.value(first + LabelRbm::kWeight, i, j);
        score[static_cast<size_t>(y)] += std::log1p(std::exp(x));
      }
    }
    const auto label = static_cast<size_t>(p.batch.labels[static_cast<size_t>(r)]);
    loss += std::log1p(std::exp(score[1 - label] - score[label]));
    errors += score[1 - label] > score[label] ? 1 : 0;
  }
  EXPECT_EQ(p.tally.rows, kRows);
  EXPECT_EQ(p.tally.errors, errors);
  EXPECT_NEAR(p.tally.loss, loss, 1e-5);
}

// Pictures of 3 x 3: a plus or a cross, one pixel in twenty flipped.
constexpr std::array<std::array<int, 9>, 2> kPatterns = {
    {{0, 1, 0, 1, 1, 1, 0, 1, 0}, {1, 0, 1, 0, 1, 0, 1, 0, 1}}};

std::shared_ptr<data::MatrixSource> patterns(int64_t rows) {
  Tensor x({rows, 9});
  std::vector<int32_t> labels;
  std::vector<float> u(9);
  for (int64_t r = 0; r < rows; ++r) {
    fill_uniform(RngKey(8), static_cast<uint64_t>(r), u);
    labels.push_back(static_cast<int32_t>(r % 2));
    for (size_t i = 0; i < 9; ++i) {
      const bool on = kPatterns[static_cast<size_t>(r % 2)][i] == 1;
      x.matrix().row(r)[i] = on != (u[i] < 0.05F) ? 1.0F : 0.0F;
    }
  }
  return std::make_shared<data::MatrixSource>(std::move(x), std::move(labels));
}

// Pixels of samples of a class that are those of its pattern.
double likeness(const Network& network, const ParamSet& params, int64_t label) {
  models::Sampler sampler(network, params);
  const Tensor drawn = sampler.of_class(label, 50, 100, RngKey(1));
  int right = 0;
  for (int64_t r = 0; r < 50; ++r)
    for (size_t i = 0; i < 9; ++i)
      right += (drawn.matrix().row(r)[i] > 0.5F) == (kPatterns[static_cast<size_t>(label)][i] == 1)
                   ? 1
                   : 0;
  return right / 450.0;
}

TEST(UpDown, TeachesAGenerativeNetToDrawAClassWhenAsked) {
  const auto source = patterns(400);
  const Network network = models::make_network(Trial::generative({12, 12}), 9, 2);
  const layers::SoftmaxCrossEntropy loss;
  NetworkJob job{.network = &network,
                 .loss = &loss,
                 .pretrain_machines = true,
                 .train = source,
                 .valid = source,
                 .train_rows = testing::numbers(0, 300),
                 .valid_rows = testing::numbers(300, 400),
                 .pretrain = {},
                 .finetune = {},
                 .reduce = {},
                 .seed = 3};
  job.pretrain.epochs = 30;
  job.pretrain.learning_rate = 0.1;
  job.finetune.epochs = 30;
  job.finetune.method = "up_down";
  job.finetune.learning_rate = 0.01;
  job.pretrain.batch = job.finetune.batch = 10;
  job.reduce.replicas = 2;
  const NetworkProgram program(job);
  double error = 1;
  int wakes = 0;
  const auto state = testing::run_serially(program, [&](const testing::Done& done, const auto&) {
    if (done.round.args != kValid) return;
    error = done.measure("valid_error");
    ++wakes;
  });
  EXPECT_EQ(wakes, 30);
  EXPECT_LT(error, 0.03);
  const ParamSet trained = program.result(state), fresh = program.result(program.initial());
  for (const int64_t label : {0, 1}) {
    EXPECT_GT(likeness(network, trained, label), 0.95) << label;
    EXPECT_LT(likeness(network, fresh, label), 0.8) << label;
  }
  // Both directions have gone ways of their own.
  const auto up = trained.values("layer.0.weight"),
             down = trained.values("layer.0.generative_weight");
  EXPECT_FALSE(std::ranges::equal(up, down));
}

}  // namespace
}  // namespace superstep::training
