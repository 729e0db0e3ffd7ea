#include "superstep/optim/optimizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "superstep/base/rng.h"

namespace superstep::optim {
namespace {

// One weight (rank 2), one bias (rank 1), one number each, which begin at 1; the state at 0.
struct OneNumber {
  explicit OneNumber(std::string_view name)
      : optimizer(make_optimizer(name)),
        params({{"weight", {1, 1}}, {"bias", {1}}}),
        state(optimizer->state_prefixes().size(), params) {
    params.fill(1.0F);
    for (ParamSet& set : state) set.fill(0.0F);
  }
  void bind() { optimizer->bind(params, state, rules, context); }
  // Hands gradient g to both tensors, the weight's as a product of (1) and (g).
  void step(const Step& step, float g) {
    const float one = 1.0F;
    GradSink& sink = optimizer->begin(step);
    sink.add_product(0, ConstMatrix(&one, 1, 1), ConstMatrix(&g, 1, 1));
    sink.add(1, std::span(&g, 1));
    optimizer->end();
  }
  [[nodiscard]] float weight() const { return params.values(0)[0]; }
  [[nodiscard]] float bias() const { return params.values(1)[0]; }

  kernels::Context context;
  std::unique_ptr<Optimizer> optimizer;
  ParamSet params;
  std::vector<ParamSet> state;
  std::vector<TensorRule> rules = {{.param = 0}, {.param = 1}};
};

TEST(Sgd, WithoutMomentumStepsDownTheGradient) {
  OneNumber net("sgd");
  net.rules[0].l2 = 0.5;
  net.bind();
  // The weight decays before it moves: 1 - 0.5 (0.25 + 0.5 * 1); the bias has no l2: 1 - 0.5 *
  // 0.25.
  net.step({.learning_rate = 0.5}, 0.25F);
  EXPECT_EQ(net.weight(), 0.625F);
  EXPECT_EQ(net.bias(), 0.875F);
  EXPECT_EQ(net.state[0].values(0)[0], 0.0F);
}

TEST(Sgd, WithMomentumFollowsTheVelocity) {
  OneNumber net("sgd");
  net.bind();
  const Step step{.learning_rate = 0.25, .momentum = 0.5};
  net.step(step, 1.0F);  // v = 1, w = 1 - 0.25
  EXPECT_EQ(net.weight(), 0.75F);
  net.step(step, 2.0F);  // v = 0.5 + 2, w = 0.75 - 0.625
  EXPECT_EQ(net.weight(), 0.125F);
  EXPECT_EQ(net.bias(), 0.125F);
  EXPECT_EQ(net.state[0].values(0)[0], 2.5F);
  net.optimizer->unbind();
  // With l2 0.5 on the weight: v = 1.25 + 0.5 * 0.125 + 0 = 1.3125, w = 0.125 - 0.328125; bias:
  // v = 1.25, w = 0.125 - 0.3125.
  net.rules[0].l2 = 0.5;
  net.bind();
  net.step(step, 0.0F);
  EXPECT_EQ(net.weight(), -0.203125F);
  EXPECT_EQ(net.bias(), -0.1875F);
}

TEST(Sgd, ForgetsTheVelocityInAStepWithoutMomentum) {
  for (const double clip_norm : {0.0, 100.0}) {  // 100: through the buffer, but never scaled
    OneNumber net("sgd");
    net.bind();
    net.step({.learning_rate = 0.25, .momentum = 0.5, .clip_norm = clip_norm}, 1.0F);
    EXPECT_EQ(net.weight(), 0.75F);  // v = 1
    net.step({.learning_rate = 0.25, .clip_norm = clip_norm}, 1.0F);
    EXPECT_EQ(net.weight(), 0.5F);
    EXPECT_EQ(net.state[0].values(0)[0], 0.0F);
  }
}

TEST(Nesterov, StepsFromAheadOfTheVelocity) {
  OneNumber net("nesterov");
  net.bind();
  const Step step{.learning_rate = 0.25, .momentum = 0.5};
  net.step(step, 1.0F);  // v = 1, w = 1 - 0.25 (1 + 0.5 * 1)
  EXPECT_EQ(net.weight(), 0.625F);
  net.step(step, 2.0F);  // v = 0.5 + 2 = 2.5, w = 0.625 - 0.25 (2 + 0.5 * 2.5)
  EXPECT_EQ(net.weight(), -0.1875F);
  EXPECT_EQ(net.bias(), -0.1875F);
  EXPECT_EQ(net.state[0].values(0)[0], 2.5F);
}

TEST(AdaGrad, DividesByTheRootOfTheSumOfSquares) {
  OneNumber net("adagrad");
  net.bind();
  const Step step{.learning_rate = 0.1};
  net.step(step, 3.0F);  // a = 9, w = 1 - 0.1 * 3 / (3 + 1e-6)
  EXPECT_NEAR(net.weight(), 0.9, 1e-6);
  net.step(step, 4.0F);  // a = 25, w = 0.9 - 0.1 * 4 / (5 + 1e-6)
  EXPECT_NEAR(net.weight(), 0.82, 1e-6);
  EXPECT_NEAR(net.bias(), 0.82, 1e-6);
  net.optimizer->unbind();
  // The state travels as a root, and a new unit goes on from it.
  EXPECT_EQ(net.state[0].values(0)[0], 5.0F);
  net.bind();
  net.step(step, 12.0F);  // a = 169, w = 0.82 - 0.1 * 12 / 13 = 0.7276923
  EXPECT_NEAR(net.weight(), 0.7276923, 1e-6);
  net.optimizer->unbind();
  EXPECT_EQ(net.state[0].values(0)[0], 13.0F);
}

TEST(AdaGrad, AddsTheDecayOfWeightsToTheGradient) {
  OneNumber net("adagrad");
  net.rules[0].l2 = 2;
  net.bind();
  net.step({.learning_rate = 0.1}, 1.0F);  // g = 1 + 2 * 1 = 3 for the weight, 1 for the bias
  net.optimizer->unbind();
  EXPECT_EQ(net.state[0].values(0)[0], 3.0F);
  EXPECT_EQ(net.state[0].values(1)[0], 1.0F);
}

TEST(RmsProp, DividesByTheRootOfTheRunningMeanOfSquares) {
  OneNumber net("rmsprop");
  net.bind();
  const Step step{.learning_rate = 0.01};
  net.step(step, 2.0F);  // a = 0.1 * 4 = 0.4, w = 1 - 0.01 * 2 / 0.6324555 = 0.9683772
  EXPECT_NEAR(net.weight(), 0.9683772, 1e-6);
  net.step(step, 1.0F);  // a = 0.36 + 0.1 = 0.46, w = 0.9683772 - 0.01 / 0.6782330 = 0.9536330
  EXPECT_NEAR(net.weight(), 0.9536330, 1e-6);
  EXPECT_NEAR(net.bias(), 0.9536330, 1e-6);
  net.optimizer->unbind();
  EXPECT_NEAR(net.state[0].values(0)[0], 0.6782330, 1e-6);
}

TEST(Adam, CorrectsItsMeansForTheirStartAtZero) {
  OneNumber net("adam");
  net.bind();
  // f = 0.2, a = 0.004; corrected 0.2 / 0.1 = 2 and 0.004 / 0.001 = 4: w = 1 - 0.1 * 2 / 2.
  net.step({.learning_rate = 0.1, .number = 1}, 2.0F);
  EXPECT_NEAR(net.weight(), 0.9, 1e-6);
  // f = 0.18 - 0.1 = 0.08, a = 0.003996 + 0.001 = 0.004996; corrected 0.08 / 0.19 = 0.4210526 and
  // 0.004996 / 0.001999 = 2.4992496, root 1.5808984: w = 0.9 - 0.1 * 0.2663375 = 0.8733663.
  net.step({.learning_rate = 0.1, .number = 2}, -1.0F);
  EXPECT_NEAR(net.weight(), 0.8733663, 1e-6);
  EXPECT_NEAR(net.bias(), 0.8733663, 1e-6);
  net.optimizer->unbind();
  // The first moment travels as it is, the second as its root.
  EXPECT_NEAR(net.state[0].values(0)[0], 0.08, 1e-7);
  EXPECT_NEAR(net.state[1].values(0)[0], 0.0706824, 1e-6);  // sqrt(0.004996)
}

TEST(Clipping, ScalesTheGradientOfAllTensorsTogether) {
  OneNumber net("sgd");
  net.rules[0].l2 = 1;
  net.bind();
  // (3, 3) has the norm 4.2426407: it becomes (1, 1). The decay is added afterwards.
  net.step({.learning_rate = 0.25, .clip_norm = 1.41421356}, 3.0F);
  EXPECT_NEAR(net.weight(), 0.5, 1e-6);  // 1 - 0.25 (1 + 1 * 1)
  EXPECT_NEAR(net.bias(), 0.75, 1e-6);
  // (0.5, 0.5) is within the norm: it stays.
  net.step({.learning_rate = 0.5, .clip_norm = 1.41421356}, 0.5F);
  EXPECT_NEAR(net.bias(), 0.5, 1e-6);
}

TEST(Clipping, DoesNotCountFrozenTensors) {
  OneNumber net("sgd");
  net.rules = {{.param = 0, .rate = 0}, {.param = 1}};
  net.bind();
  net.step({.learning_rate = 0.25, .clip_norm = 1.0}, 1.0F);
  EXPECT_EQ(net.bias(), 0.75F);
  EXPECT_EQ(net.weight(), 1.0F);
}

TEST(Clipping, KeepsAGradientThatIsNotFiniteVisible) {
  OneNumber net("adam");
  net.bind();
  net.step({.learning_rate = 0.25, .clip_norm = 1.0}, std::numeric_limits<float>::infinity());
  EXPECT_NE(net.weight(), net.weight());
}

TEST(MaxNorm, LimitsTheWeightsIntoEachUnit) {
  kernels::Context context;
  ParamSet params({{"weight", {2, 2}}});
  // The columns are (3, 4), of norm 5, and (0, 1).
  const std::vector<float> w = {3, 0, 4, 1};
  std::ranges::copy(w, params.values(0).begin());
  const auto sgd = make_optimizer("sgd");
  std::vector<ParamSet> state(1, ParamSet(params.shared_layout()));
  const std::vector<TensorRule> rules = {{.param = 0, .max_norm = 2.5}};
  sgd->bind(params, state, rules, context);
  sgd->begin({.learning_rate = 0.1});
  sgd->end();
  EXPECT_FLOAT_EQ(params.values(0)[0], 1.5F);
  EXPECT_FLOAT_EQ(params.values(0)[2], 2.0F);
  EXPECT_EQ(params.values(0)[1], 0.0F);
  EXPECT_EQ(params.values(0)[3], 1.0F);
}

TEST(L1, PullsTowardZeroAndLeavesZero) {
  kernels::Context context;
  ParamSet params({{"weight", {1, 3}}});
  const std::vector<float> w = {2, 0, -2};
  for (const double momentum : {0.0, 0.5}) {
    std::ranges::copy(w, params.values(0).begin());
    const auto sgd = make_optimizer("sgd");
    std::vector<ParamSet> state(1, ParamSet(params.shared_layout()));
    const std::vector<TensorRule> rules = {{.param = 0, .l1 = 0.5}};
    sgd->bind(params, state, rules, context);
    sgd->begin({.learning_rate = 0.5, .momentum = momentum});
    sgd->end();
    // 2 - 0.5 * 0.5
    EXPECT_EQ(params.values(0)[0], 1.75F) << momentum;
    EXPECT_EQ(params.values(0)[1], 0.0F) << momentum;
    EXPECT_EQ(params.values(0)[2], -1.75F) << momentum;
  }
}

// Products as a pass hands them over: none, one, or two to a tensor.
TEST(EveryOptimizer, MovesByASparseProductAsByTheSameMatrixWrittenOut) {
  Tensor x({6, 9}), dy({6, 5}), x2({2, 9}), dy2({2, 5});
  for (Tensor* t : {&x, &dy, &x2, &dy2})
    fill_normal(RngKey(1).fold(static_cast<uint64_t>(t->shape()[0] + t->shape()[1])), 0,
                t->values());
  for (size_t i = 0; i < x.values().size(); ++i)
    if (i % 3 != 0 || i % 9 == 6) x.values()[i] = 0;  // column 6 is of zeros alone
  SparseMatrix held;
  held.start(6, 9);
  for (int64_t r = 0; r < 6; ++r) held.append_row(x.matrix().row(r));

  for (const char* name : kOptimizers)
    for (const Step& step : {Step{.learning_rate = 0.1},
                             {.learning_rate = 0.1, .momentum = 0.5},
                             {.learning_rate = 0.1, .momentum = 0.5, .clip_norm = 0.7}})
      for (const bool twice : {false, true}) {
        SCOPED_TRACE(fmt::format("{}, momentum {}, clip {}, {}", name, step.momentum,
                                 step.clip_norm, twice));
        std::vector<ParamSet> ends;
        for (const bool sparse : {false, true}) {
          kernels::Context context;
          const auto optimizer = make_optimizer(name);
          ParamSet params({{"weight", {9, 5}}, {"frozen", {9, 5}}});
          fill_normal(RngKey(2), 0, params.values(0));
          std::vector<ParamSet> state(optimizer->state_prefixes().size(),
                                      ParamSet(params.shared_layout()));
          const std::vector<TensorRule> rules = {
              {.param = 0, .l1 = 0.01, .l2 = 0.1, .max_norm = 2}};
          optimizer->bind(params, state, rules, context);
          for (int64_t number = 1; number <= 3; ++number) {
            Step now = step;
            now.number = number;
            GradSink& sink = optimizer->begin(now);
            for (const int param : {0, 1}) {
              sink.add_product_of(param, sparse ? Features(held) : Features(x.matrix()),
                                  dy.matrix());
              if (twice) sink.add_product(param, x2.matrix(), dy2.matrix());
            }
            optimizer->end();
          }
          optimizer->unbind();
          EXPECT_EQ(params.values(1)[0], 0);
          ends.push_back(params);
          for (const ParamSet& set : state) ends.push_back(set);
        }
        const size_t half = ends.size() / 2;
        for (size_t s = 0; s < half; ++s)
          for (size_t i = 0; i < ends[s].flat().size(); ++i)
            ASSERT_NEAR(ends[s].flat()[i], ends[half + s].flat()[i],
                        1e-5 * (1 + std::abs(ends[s].flat()[i])))
                << s << "[" << i << "]";
      }
}

TEST(MakeOptimizer, ListsTheNamesWhenOneIsUnknown) {
  try {
    make_optimizer("adamw");
    FAIL() << "no error";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(), "no optimizer 'adamw': sgd, nesterov, adagrad, rmsprop, adam");
  }
}

}  // namespace
}  // namespace superstep::optim
