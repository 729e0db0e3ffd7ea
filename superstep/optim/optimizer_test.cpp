#include "superstep/optim/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "superstep/base/rng.h"

namespace superstep::optim {
namespace {

// One weight (rank 2), one bias (rank 1), one number each.
struct OneNumber {
  OneNumber() : params({{"weight", {1, 1}}, {"bias", {1}}}), state(1, params) {
    params.fill(1.0F);
    state[0].fill(0.0F);
  }
  // Hands gradient g to both tensors, the weight's as a product of (1) and (g).
  void step(Optimizer& optimizer, const Step& step, float g) {
    const float one = 1.0F;
    GradSink& sink = optimizer.begin(step);
    sink.add_product(0, ConstMatrix(&one, 1, 1), ConstMatrix(&g, 1, 1));
    sink.add(1, std::span(&g, 1));
    optimizer.end();
  }
  [[nodiscard]] float weight() const { return params.values(0)[0]; }
  [[nodiscard]] float bias() const { return params.values(1)[0]; }

  kernels::Context context;
  ParamSet params;
  std::vector<ParamSet> state;
  std::vector<int> trained = {0, 1};
};

TEST(Sgd, WithoutMomentumStepsDownTheGradient) {
  OneNumber net;
  const auto sgd = make_optimizer("sgd");
  sgd->bind(net.params, net.state, net.trained, net.context);
  net.step(*sgd, {.learning_rate = 0.5}, 0.25F);
  // 1 - 0.5 * 0.25
  EXPECT_EQ(net.weight(), 0.875F);
  EXPECT_EQ(net.bias(), 0.875F);
  // The weight decays before it moves: 0.875 - 0.5 (0.25 + 0.5 * 0.875) = 0.53125; the bias does
  // not: 0.875 - 0.5 * 0.25.
  net.step(*sgd, {.learning_rate = 0.5, .l2 = 0.5}, 0.25F);
  EXPECT_EQ(net.weight(), 0.53125F);
  EXPECT_EQ(net.bias(), 0.75F);
  EXPECT_EQ(net.state[0].values(0)[0], 0.0F);
}

TEST(Sgd, WithMomentumFollowsTheVelocity) {
  OneNumber net;
  const auto sgd = make_optimizer("sgd");
  sgd->bind(net.params, net.state, net.trained, net.context);
  const Step step{.learning_rate = 0.25, .momentum = 0.5};
  net.step(*sgd, step, 1.0F);  // v = 1, w = 1 - 0.25
  EXPECT_EQ(net.weight(), 0.75F);
  net.step(*sgd, step, 2.0F);  // v = 0.5 + 2, w = 0.75 - 0.625
  EXPECT_EQ(net.weight(), 0.125F);
  EXPECT_EQ(net.bias(), 0.125F);
  EXPECT_EQ(net.state[0].values(0)[0], 2.5F);
  // With l2 0.5: v = 1.25 + 0.5 * 0.125 + 0 = 1.3125, w = 0.125 - 0.328125; bias: v = 1.25,
  // w = 0.125 - 0.3125.
  net.step(*sgd, {.learning_rate = 0.25, .momentum = 0.5, .l2 = 0.5}, 0.0F);
  EXPECT_EQ(net.weight(), -0.203125F);
  EXPECT_EQ(net.bias(), -0.1875F);
}

TEST(Sgd, ForgetsTheVelocityInAStepWithoutMomentum) {
  OneNumber net;
  const auto sgd = make_optimizer("sgd");
  sgd->bind(net.params, net.state, net.trained, net.context);
  net.step(*sgd, {.learning_rate = 0.25, .momentum = 0.5}, 1.0F);  // v = 1, w = 0.75
  net.step(*sgd, {.learning_rate = 0.25}, 1.0F);                   // w = 0.5
  EXPECT_EQ(net.weight(), 0.5F);
  EXPECT_EQ(net.state[0].values(0)[0], 0.0F);
}

TEST(AdaGrad, DividesByTheRootOfTheSumOfSquares) {
  OneNumber net;
  const auto adagrad = make_optimizer("adagrad");
  adagrad->bind(net.params, net.state, net.trained, net.context);
  const Step step{.learning_rate = 0.1};
  net.step(*adagrad, step, 3.0F);  // a = 9, w = 1 - 0.1 * 3 / (3 + 1e-6)
  EXPECT_NEAR(net.weight(), 0.9, 1e-6);
  net.step(*adagrad, step, 4.0F);  // a = 25, w = 0.9 - 0.1 * 4 / (5 + 1e-6)
  EXPECT_NEAR(net.weight(), 0.82, 1e-6);
  EXPECT_NEAR(net.bias(), 0.82, 1e-6);
  adagrad->unbind();
  // The state travels as a root, and a new unit goes on from it.
  EXPECT_EQ(net.state[0].values(0)[0], 5.0F);
  adagrad->bind(net.params, net.state, net.trained, net.context);
  net.step(*adagrad, step, 12.0F);  // a = 169, w = 0.82 - 0.1 * 12 / 13 = 0.7276923
  EXPECT_NEAR(net.weight(), 0.7276923, 1e-6);
  adagrad->unbind();
  EXPECT_EQ(net.state[0].values(0)[0], 13.0F);
}

TEST(AdaGrad, AddsTheDecayOfWeightsToTheGradient) {
  OneNumber net;
  const auto adagrad = make_optimizer("adagrad");
  adagrad->bind(net.params, net.state, net.trained, net.context);
  // g = 1 + 2 * 1 = 3 for the weight, 1 for the bias.
  net.step(*adagrad, {.learning_rate = 0.1, .l2 = 2.0}, 1.0F);
  adagrad->unbind();
  EXPECT_EQ(net.state[0].values(0)[0], 3.0F);
  EXPECT_EQ(net.state[0].values(1)[0], 1.0F);
}

// Every optimizer against the formula of its header in double, over a tensor of odd size, with two
// products and two sums a step, as contrastive divergence hands over.
struct Rule {
  std::string name;
  Step step;
};

class EveryOptimizer : public testing::TestWithParam<Rule> {};

TEST_P(EveryOptimizer, FollowsItsFormula) {
  const auto& [name, step] = GetParam();
  constexpr int64_t kRows = 5, kInputs = 7, kOutputs = 3;
  const RngKey key(3);
  ParamSet params({{"weight", {kInputs, kOutputs}}, {"bias", {kOutputs}}});
  std::vector<ParamSet> state(1, params);
  for (int p = 0; p < 2; ++p) {
    fill_normal(key.fold("w").fold(static_cast<uint64_t>(p)), 0, params.values(p));
    // A velocity or a root that training has left.
    fill_uniform(key.fold("s").fold(static_cast<uint64_t>(p)), 0, state[0].values(p));
  }
  std::vector<double> w(params.flat().begin(), params.flat().end());
  std::vector<double> s(state[0].flat().begin(), state[0].flat().end());
  if (name == "adagrad")
    for (double& root : s) root *= root;

  kernels::Context context;
  const auto optimizer = make_optimizer(name);
  const std::vector<int> trained = {0, 1};
  optimizer->bind(params, state, trained, context);
  for (uint64_t t = 0; t < 4; ++t) {
    std::vector<double> g(w.size());
    GradSink& sink = optimizer->begin(step);
    for (uint64_t part = 0; part < 2; ++part) {
      Tensor a({kRows, kInputs}), b({kRows, kOutputs}), sums({kOutputs});
      const RngKey draw = key.fold("g").fold(t).fold(part);
      fill_normal(draw.fold("a"), 0, a.values());
      fill_normal(draw.fold("b"), 0, b.values());
      fill_normal(draw.fold("sums"), 0, sums.values());
      sink.add_product(0, a.matrix(), b.matrix());
      sink.add(1, sums.values());
      for (int64_t r = 0; r < kRows; ++r)
        for (int64_t i = 0; i < kInputs; ++i)
          for (int64_t j = 0; j < kOutputs; ++j)
            g[static_cast<size_t>(i * kOutputs + j)] +=
                double{a.matrix().row(r)[i]} * double{b.matrix().row(r)[j]};
      for (size_t j = 0; j < kOutputs; ++j)
        g[params.layout().offset(1) + j] += double{sums.values()[j]};
    }
    optimizer->end();
    for (size_t i = 0; i < w.size(); ++i) {
      if (i < kInputs * kOutputs) g[i] += step.l2 * w[i];
      if (name == "sgd") {
        s[i] = step.momentum * s[i] + g[i];
        w[i] -= step.learning_rate * s[i];
        if (step.momentum == 0.0) s[i] = 0;
      } else {
        s[i] += g[i] * g[i];
        w[i] -= step.learning_rate * g[i] / (std::sqrt(s[i]) + 1e-6);
      }
    }
  }
  optimizer->unbind();
  for (int p = 0; p < 2; ++p) {
    for (size_t i = 0; i < params.values(p).size(); ++i) {
      const size_t at = params.layout().offset(p) + i;
      EXPECT_NEAR(params.values(p)[i], w[at], 2e-6 * (1 + std::fabs(w[at]))) << p << " " << i;
      const double expected = name == "adagrad" ? std::sqrt(s[at]) : s[at];
      EXPECT_NEAR(state[0].values(p)[i], expected, 2e-6 * (1 + std::fabs(expected)));
    }
  }
  // The padding between tensors is still zero.
  EXPECT_EQ(params.flat()[kInputs * kOutputs], 0.0F);
}

TEST_P(EveryOptimizer, LeavesFrozenTensorsAndTheirStateAlone) {
  OneNumber net;
  net.state[0].fill(0.75F);
  net.trained = {1};
  const auto optimizer = make_optimizer(GetParam().name);
  optimizer->bind(net.params, net.state, net.trained, net.context);
  net.step(*optimizer, GetParam().step, 1.0F);
  optimizer->unbind();
  EXPECT_EQ(net.weight(), 1.0F);
  EXPECT_EQ(net.state[0].values(0)[0], 0.75F);
  EXPECT_NE(net.bias(), 1.0F);
}

TEST_P(EveryOptimizer, GivesTheSameBitsWhenAUnitRunsAgain) {
  std::vector<float> weights;
  const auto optimizer = make_optimizer(GetParam().name);
  for (int run = 0; run < 2; ++run) {
    OneNumber net;  // an optimizer that ran before is as good as a new one
    optimizer->bind(net.params, net.state, net.trained, net.context);
    for (const float g : {0.3F, -0.7F, 1.1F}) net.step(*optimizer, GetParam().step, g);
    optimizer->unbind();
    weights.push_back(net.weight());
  }
  EXPECT_EQ(weights[0], weights[1]);
  EXPECT_NE(weights[0], 1.0F);
}

INSTANTIATE_TEST_SUITE_P(Rules, EveryOptimizer,
                         testing::Values(Rule{"sgd", {.learning_rate = 0.1}},
                                         Rule{"sgd", {.learning_rate = 0.1, .l2 = 0.01}},
                                         Rule{"sgd", {.learning_rate = 0.1, .momentum = 0.9}},
                                         Rule{"sgd",
                                              {.learning_rate = 0.1, .momentum = 0.9, .l2 = 0.01}},
                                         Rule{"adagrad", {.learning_rate = 0.1}},
                                         Rule{"adagrad", {.learning_rate = 0.1, .l2 = 0.01}}),
                         [](const auto& rule) {
                           return fmt::format("{}_{}_momentum_{}_l2", rule.param.name,
                                              rule.param.step.momentum > 0 ? "with" : "without",
                                              rule.param.step.l2 > 0 ? "with" : "without");
                         });

TEST(MakeOptimizer, ListsTheNamesWhenOneIsUnknown) {
  try {
    make_optimizer("adam");
    FAIL() << "no error";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(), "no optimizer 'adam': sgd or adagrad");
  }
}

}  // namespace
}  // namespace superstep::optim
