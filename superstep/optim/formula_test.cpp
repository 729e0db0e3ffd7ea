// Every optimizer under every option against the formula of its header, in double; and what all
// of them promise.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "superstep/base/rng.h"
#include "superstep/optim/optimizer.h"

namespace superstep::optim {
namespace {

struct Options {
  std::string name;
  Step step;
  TensorRule weight;
};

std::vector<Options> all_options() {
  const Step step{.learning_rate = 0.1};
  const Step with_momentum{.learning_rate = 0.1, .momentum = 0.9};
  const Step clipped{.learning_rate = 0.1, .momentum = 0.9, .clip_norm = 3};
  return {{"plain", step, {}},
          {"decay", step, {.l1 = 0.1, .l2 = 0.01}},
          {"momentum", with_momentum, {}},
          {"momentum_decay", with_momentum, {.l1 = 0.1, .l2 = 0.01}},
          {"clip_norm", {.learning_rate = 0.1, .clip_norm = 3}, {}},
          {"momentum_clip_norm", clipped, {}},
          {"rate", with_momentum, {.rate = 0.25}},
          {"rate_alone", step, {.rate = 0.25, .l1 = 0.1, .l2 = 0.01}},
          {"max_norm", with_momentum, {.max_norm = 1}},
          {"all", clipped, {.rate = 0.5, .l1 = 0.1, .l2 = 0.01, .max_norm = 1}}};
}

constexpr int64_t kRows = 5, kInputs = 7, kOutputs = 3;  // a weight of odd size
constexpr int kWeight = 0, kBias = 1;

// One tensor as the formulas see it: with squares, not roots.
struct Oracle {
  std::vector<double> w, v, a;  // v: velocity or first moment, a: second moment
  TensorRule rule;

  void move(const std::string& name, const Step& step, std::vector<double> g) {
    const double rate = step.learning_rate * rule.rate, m = step.momentum;
    const auto t = static_cast<double>(step.number);
    for (size_t i = 0; i < w.size(); ++i) {
      const double sign = w[i] > 0 ? 1 : w[i] < 0 ? -1 : 0;
      g[i] += rule.l2 * w[i] + rule.l1 * sign;
      if (name == "sgd") {
        v[i] = m * v[i] + g[i];
        w[i] -= rate * v[i];
        if (m == 0.0) v[i] = 0;
      } else if (name == "nesterov") {
        v[i] = m * v[i] + g[i];
        w[i] -= rate * (g[i] + m * v[i]);
      } else if (name == "adagrad") {
        a[i] += g[i] * g[i];
        w[i] -= rate * g[i] / (std::sqrt(a[i]) + 1e-6);
      } else if (name == "rmsprop") {
        a[i] = 0.9 * a[i] + 0.1 * g[i] * g[i];
        w[i] -= rate * g[i] / (std::sqrt(a[i]) + 1e-6);
      } else {
        v[i] = 0.9 * v[i] + 0.1 * g[i];
        a[i] = 0.999 * a[i] + 0.001 * g[i] * g[i];
        w[i] -= rate * v[i] / (1 - std::pow(0.9, t)) /
                (std::sqrt(a[i] / (1 - std::pow(0.999, t))) + 1e-8);
      }
    }
    if (rule.max_norm == 0.0) return;
    for (size_t j = 0; j < kOutputs; ++j) {
      double squares = 0;
      for (size_t i = j; i < w.size(); i += kOutputs) squares += w[i] * w[i];
      if (squares <= rule.max_norm * rule.max_norm) continue;
      for (size_t i = j; i < w.size(); i += kOutputs) w[i] *= rule.max_norm / std::sqrt(squares);
    }
  }
};

// A weight and a bias with a state that training has left, and gradients that depend on t alone.
struct Net {
  Net(const std::string& name, const Options& options)
      : optimizer(make_optimizer(name)),
        prefixes(optimizer->state_prefixes()),
        params({{"weight", {kInputs, kOutputs}}, {"bias", {kOutputs}}}),
        state(prefixes.size(), params) {
    for (const int p : {kWeight, kBias}) {
      const auto number = static_cast<uint64_t>(p);
      fill_normal(key.fold("w").fold(number), 0, params.values(p));
      for (size_t s = 0; s < state.size(); ++s)
        fill_uniform(key.fold(prefixes[s]).fold(number), 0, state[s].values(p));
    }
    rules[0] = options.weight;
    rules[0].param = kWeight;
    rules[1].param = kBias;
  }

  // Two products and two sums a step, as contrastive divergence hands over. Their total goes to
  // `total`, in double, where given.
  void step(Step step, int64_t number, std::array<std::vector<double>, 2>* total = nullptr) {
    step.number = number;
    GradSink& sink = optimizer->begin(step);
    for (uint64_t part = 0; part < 2; ++part) {
      const RngKey draw = key.fold("g").fold(static_cast<uint64_t>(number)).fold(part);
      fill_normal(draw.fold("a"), 0, a.values());
      fill_normal(draw.fold("b"), 0, b.values());
      fill_normal(draw.fold("sums"), 0, sums.values());
      sink.add_product(kWeight, a.matrix(), b.matrix());
      sink.add(kBias, sums.values());
      if (total == nullptr) continue;
      for (int64_t r = 0; r < kRows; ++r)
        for (int64_t i = 0; i < kInputs; ++i)
          for (int64_t j = 0; j < kOutputs; ++j)
            (*total)[kWeight][static_cast<size_t>(i * kOutputs + j)] +=
                double{a.matrix().row(r)[i]} * double{b.matrix().row(r)[j]};
      for (size_t j = 0; j < kOutputs; ++j) (*total)[kBias][j] += double{sums.values()[j]};
    }
    optimizer->end();
  }
  void bind() { optimizer->bind(params, state, rules, context); }

  RngKey key{3};
  kernels::Context context;
  std::unique_ptr<Optimizer> optimizer;
  std::vector<std::string> prefixes;
  ParamSet params;
  std::vector<ParamSet> state;
  std::vector<TensorRule> rules{2};
  Tensor a{{kRows, kInputs}}, b{{kRows, kOutputs}}, sums{{kOutputs}};
};

class EveryOptimizer : public testing::TestWithParam<std::tuple<const char*, Options>> {
 protected:
  const std::string name = std::get<0>(GetParam());
  const Options options = std::get<1>(GetParam());
  Net net{name, options};
};

void expect_near(std::span<const float> values, const std::vector<double>& expected,
                 const char* what) {
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(values[i], expected[i], 4e-6 * (1 + std::fabs(expected[i]))) << what << " " << i;
}

TEST_P(EveryOptimizer, FollowsItsFormula) {
  std::array<Oracle, 2> oracles;
  for (const int p : {kWeight, kBias}) {
    Oracle& oracle = oracles[p];
    oracle.rule = net.rules[p];
    oracle.w.assign(net.params.values(p).begin(), net.params.values(p).end());
    for (size_t s = 0; s < net.state.size(); ++s) {
      const std::span<const float> values = net.state[s].values(p);
      if (net.prefixes[s] != "root") oracle.v.assign(values.begin(), values.end());
      for (const float r : values)
        if (net.prefixes[s] == "root") oracle.a.push_back(double{r} * double{r});
    }
  }

  net.bind();
  for (int64_t number = 3; number < 7; ++number) {
    std::array<std::vector<double>, 2> g = {std::vector<double>(kInputs * kOutputs),
                                            std::vector<double>(kOutputs)};
    net.step(options.step, number, &g);
    double squares = 0;
    for (const auto& values : g)
      for (const double value : values) squares += value * value;
    const double clip = options.step.clip_norm;
    if (clip > 0) {
      ASSERT_GT(std::sqrt(squares), clip);
      for (auto& values : g)
        for (double& value : values) value *= clip / std::sqrt(squares);
    }
    Step step = options.step;
    step.number = number;
    for (const int p : {kWeight, kBias}) oracles[p].move(name, step, g[p]);
  }
  net.optimizer->unbind();

  for (const int p : {kWeight, kBias}) {
    expect_near(net.params.values(p), oracles[p].w, "w");
    for (size_t s = 0; s < net.state.size(); ++s) {
      if (net.prefixes[s] == "root")
        for (double& square : oracles[p].a) square = std::sqrt(square);
      expect_near(net.state[s].values(p), net.prefixes[s] == "root" ? oracles[p].a : oracles[p].v,
                  net.prefixes[s].c_str());
    }
  }
  // The padding between tensors is still zero.
  EXPECT_EQ(net.params.flat()[kInputs * kOutputs], 0.0F);
}

TEST_P(EveryOptimizer, LeavesFrozenTensorsAndTheirStateAlone) {
  for (const bool without_rule : {true, false}) {
    Net frozen(name, options);
    if (without_rule)
      frozen.rules = {{.param = kBias}};
    else
      frozen.rules[kWeight].rate = 0;
    const Net before(name, options);
    frozen.bind();
    frozen.step(options.step, 1);
    frozen.optimizer->unbind();
    EXPECT_TRUE(std::ranges::equal(frozen.params.values(kWeight), before.params.values(kWeight)));
    for (size_t s = 0; s < frozen.state.size(); ++s)
      EXPECT_TRUE(
          std::ranges::equal(frozen.state[s].values(kWeight), before.state[s].values(kWeight)));
    EXPECT_FALSE(std::ranges::equal(frozen.params.values(kBias), before.params.values(kBias)));
  }
}

TEST_P(EveryOptimizer, GivesTheSameBitsWhenAUnitRunsAgain) {
  Net other(name, options);
  net.bind();
  for (int64_t number = 1; number < 4; ++number) net.step(options.step, number);
  net.optimizer->unbind();
  // An optimizer that ran before, on other sets, is as good as a new one.
  std::swap(other.optimizer, net.optimizer);
  other.bind();
  for (int64_t number = 1; number < 4; ++number) other.step(options.step, number);
  other.optimizer->unbind();
  EXPECT_TRUE(std::ranges::equal(net.params.flat(), other.params.flat()));
  for (size_t s = 0; s < net.state.size(); ++s)
    EXPECT_TRUE(std::ranges::equal(net.state[s].flat(), other.state[s].flat()));
}

TEST_P(EveryOptimizer, GoesOnInTheNextUnitWhereTheLastOneEnded) {
  Net halves(name, options);
  net.bind();
  for (int64_t number = 1; number < 7; ++number) net.step(options.step, number);
  net.optimizer->unbind();
  for (const int64_t begin : {1, 4}) {
    halves.bind();
    for (int64_t number = begin; number < begin + 3; ++number) halves.step(options.step, number);
    halves.optimizer->unbind();
  }
  // A velocity travels whole. Roots are rounded on their way.
  const bool whole = name == "sgd" || name == "nesterov";
  for (size_t i = 0; i < net.params.flat().size(); ++i)
    EXPECT_NEAR(net.params.flat()[i], halves.params.flat()[i], whole ? 0 : 2e-6) << i;
}

TEST_P(EveryOptimizer, MovesATensorWithoutAGradientAsByAGradientOfZero) {
  Net zeros(name, options);
  const std::vector<float> zero_weight(kInputs * kOutputs), zero_bias(kOutputs);
  net.bind();
  zeros.bind();
  for (int64_t number = 1; number < 3; ++number) {
    Step step = options.step;
    step.number = number;
    net.optimizer->begin(step);
    net.optimizer->end();
    GradSink& sink = zeros.optimizer->begin(step);
    sink.add(kWeight, zero_weight);
    sink.add(kBias, zero_bias);
    zeros.optimizer->end();
  }
  net.optimizer->unbind();
  zeros.optimizer->unbind();
  EXPECT_TRUE(std::ranges::equal(net.params.flat(), zeros.params.flat()));
  for (size_t s = 0; s < net.state.size(); ++s)
    EXPECT_TRUE(std::ranges::equal(net.state[s].flat(), zeros.state[s].flat()));
}

INSTANTIATE_TEST_SUITE_P(Rules, EveryOptimizer,
                         testing::Combine(testing::ValuesIn(kOptimizers.begin(), kOptimizers.end()),
                                          testing::ValuesIn(all_options())),
                         [](const auto& each) {
                           return fmt::format("{}_{}", std::get<0>(each.param),
                                              std::get<1>(each.param).name);
                         });

}  // namespace
}  // namespace superstep::optim
