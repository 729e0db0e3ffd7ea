#include "superstep/models/sampler.h"

#include <gtest/gtest.h>

#include <cmath>

#include "superstep/layers/label_rbm.h"
#include "superstep/models/testing.h"

namespace superstep::models {
namespace {

using layers::LabelRbm;

ModelConfig generative(std::vector<int64_t> hidden) {
  ModelConfig config;
  config.kind = "dbn";
  config.hidden = std::move(hidden);
  config.generative = true;
  return config;
}

std::vector<float> values_of(const Tensor& tensor) {
  const auto values = tensor.values();
  return {values.begin(), values.end()};
}

// A machine of 3 features, 2 classes and 2 hidden units alone: E[v | class] is the sum over its
// 2^5 states. 4,000 chains of 60 steps each err by less than 0.5 / sqrt(4,000) = 0.008; means are
// given, not states, which is less.
TEST(Sampler, DrawsRowsOfAClassFromTheDistributionOfTheMachine) {
  const Network net = make_network(generative({2}), 3, 2);
  ParamSet params(net.layout());
  testing::randomize(params, 6, 1.6F);
  Sampler sampler(net, params);
  ASSERT_TRUE(sampler.knows_classes());
  std::vector<double> of_class_0;
  for (const size_t label : {0, 1}) {
    std::vector<double> wanted(3);
    double z = 0;
    for (size_t state = 0; state < 32; ++state) {
      const auto on = [&](size_t bit) { return static_cast<double>(state >> bit & 1); };
      double energy = 0;
      for (size_t i = 0; i < 3; ++i) {
        energy -= double{params.values(LabelRbm::kVisibleBias)[i]} * on(i);
        for (size_t j = 0; j < 2; ++j)
          energy -= on(i) * on(3 + j) *
                    double{params.matrix(LabelRbm::kWeight).row(static_cast<int64_t>(i))[j]};
      }
      for (size_t j = 0; j < 2; ++j)
        energy -=
            on(3 + j) *
            (double{params.values(LabelRbm::kBias)[j]} +
             double{params.matrix(LabelRbm::kLabelWeight).row(static_cast<int64_t>(label))[j]});
      z += std::exp(-energy);
      for (size_t i = 0; i < 3; ++i) wanted[i] += std::exp(-energy) * on(i);
    }
    const Tensor rows = sampler.of_class(static_cast<int64_t>(label), 4000, 60, RngKey(1));
    std::vector<double> mean(3);
    for (int64_t r = 0; r < 4000; ++r)
      for (size_t i = 0; i < 3; ++i) mean[i] += double{rows.matrix().row(r)[i]} / 4000;
    for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(mean[i], wanted[i] / z, 0.02) << label << ", " << i;
    if (label == 0) of_class_0 = mean;
    if (label == 1) {
      EXPECT_GT(std::abs(mean[0] - of_class_0[0]) + std::abs(mean[1] - of_class_0[1]), 0.1);
    }
  }
}

TEST(Sampler, DrawsTheSameUnderTheSameKey) {
  const Network net = make_network(generative({5, 4}), 6, 3);
  ParamSet params(net.layout());
  testing::randomize(params, 5, 1.0F);
  Sampler sampler(net, params);
  const Tensor rows = sampler.of_class(1, 7, 20, RngKey(1));
  EXPECT_EQ(rows.shape(), Shape({7, 6}));
  EXPECT_EQ(values_of(rows), values_of(Sampler(net, params).of_class(1, 7, 20, RngKey(1))));
  EXPECT_NE(values_of(rows), values_of(sampler.of_class(1, 7, 20, RngKey(2))));
  EXPECT_NE(values_of(rows), values_of(sampler.of_class(1, 7, 21, RngKey(1))));
  EXPECT_NE(values_of(rows), values_of(sampler.of_class(2, 7, 20, RngKey(1))));
}

// Layer by layer sigmoid(b + h G'), with the weights that generation has for itself.
TEST(Sampler, GoesDownByTheGenerativeWeights) {
  const Network net = make_network(generative({2, 3, 4}), 3, 2);
  ParamSet params(net.layout());
  testing::randomize(params, 5, 1.0F);
  Tensor states({2, 3});
  fill_uniform(RngKey(1), 0, states.values());
  std::vector<std::vector<double>> above;
  for (int64_t r = 0; r < 2; ++r) {
    const auto row = std::as_const(states).matrix().row(r);
    above.emplace_back(row.begin(), row.end());
  }
  for (const std::string layer : {"layer.1.", "layer.0."}) {
    const auto w = params.matrix(layer + "generative_weight");
    for (auto& row : above) {
      std::vector<double> below;
      for (int64_t i = 0; i < w.rows; ++i) {
        double x = double{params.values(layer + "visible_bias")[static_cast<size_t>(i)]};
        for (size_t j = 0; j < row.size(); ++j) x += double{w.row(i)[j]} * row[j];
        below.push_back(1 / (1 + std::exp(-x)));
      }
      row = below;
    }
  }
  const Tensor rows = Sampler(net, params).downward(std::as_const(states).matrix(), 1);
  ASSERT_EQ(rows.shape(), Shape({2, 3}));
  for (int64_t r = 0; r < 2; ++r)
    for (size_t i = 0; i < 3; ++i)
      EXPECT_NEAR(rows.matrix().row(r)[i], above[static_cast<size_t>(r)][i], 1e-6);
}

TEST(Sampler, SaysWhatItCannotDraw) {
  ModelConfig config = generative({5, 4});
  const Network net = make_network(config, 6, 3);
  ParamSet params(net.layout());
  Sampler sampler(net, params);
  EXPECT_ERROR(ConfigError, sampler.of_class(3, 1, 1, RngKey(1)), "no class of number 3",
               "there are 3");
  EXPECT_ERROR(ConfigError, sampler.of_class(-1, 1, 1, RngKey(1)), "no class of number -1");
  config.generative = false;
  const Network plain = make_network(config, 6, 3);
  ParamSet of_plain(plain.layout());
  Sampler other(plain, of_plain);
  EXPECT_FALSE(other.knows_classes());
  EXPECT_ERROR(ConfigError, other.of_class(0, 1, 1, RngKey(1)), "model.generative = true");
  Tensor scores({1, 3});
  EXPECT_ERROR(ConfigError, other.downward(std::as_const(scores).matrix(), 2),
               "layer 2 is no restricted Boltzmann machine");
}

}  // namespace
}  // namespace superstep::models
