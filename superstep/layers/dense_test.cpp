#include "superstep/layers/dense.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "superstep/layers/check_layer.h"

namespace superstep::layers {
namespace {

TEST(Dense, ComputesAWorkedExample) {
  const Dense layer({.inputs = 2, .outputs = 2, .activation = Activation::kRelu});
  ParamSet params({{"weight", {2, 2}}, {"bias", {2}}});
  std::ranges::copy(std::vector<float>{1, -1, 2, -2}, params.values(0).begin());
  std::ranges::copy(std::vector<float>{0.5F, 1}, params.values(1).begin());
  Tensor x({1, 2}), y({1, 2});
  std::ranges::copy(std::vector<float>{3, 4}, x.values().begin());
  kernels::Context context;
  const std::vector<int64_t> rows = {0};
  layer.forward(params, 0, x.matrix(), y.matrix(), {Mode::kEvaluate, RngKey(1), rows, context});
  // 3 + 8 + 0.5; relu(-3 - 8 + 1)
  EXPECT_EQ(y.values()[0], 11.5F);
  EXPECT_EQ(y.values()[1], 0.0F);
}

TEST(Dense, HasTheGradientOfCentralDifferences) {
  for (const Activation activation :
       {Activation::kLinear, Activation::kSigmoid, Activation::kTanh, Activation::kRelu}) {
    for (const auto& [inputs, outputs, rows] :
         {std::array<int64_t, 3>{1, 1, 1}, {5, 1, 4}, {1, 4, 2}, {7, 5, 3}}) {
      const Dense layer({.inputs = inputs, .outputs = outputs, .activation = activation});
      const GradientReport report = check_layer(layer, {.rows = rows});
      EXPECT_LT(report.largest_error, 1e-3) << layer.describe() << ": " << report.where;
      const int64_t all = rows * inputs + inputs * outputs + outputs;
      EXPECT_EQ(report.compared + report.kinks, all) << layer.describe();
      if (activation != Activation::kRelu) {
        EXPECT_EQ(report.kinks, 0) << layer.describe();
      }
      EXPECT_LE(report.kinks, all / 10) << layer.describe();
    }
  }
}

// What check_layer is for: it must see each of these.
class Broken : public Dense {
 public:
  enum class Fault { kSign, kNoInput, kNoBias, kHalfOfDx };
  Broken(Fault fault)
      : Dense({.inputs = 4, .outputs = 3, .activation = Activation::kTanh}), fault_(fault) {}
  void backward(const ParamSet& params, int first, const Features& x, ConstMatrix y, Matrix dy,
                Matrix dx, const Pass& pass, GradSink& sink) const override {
    struct Filter : GradSink {
      Filter(Fault f, GradSink& s) : fault(f), sink(s) {}
      void add_product(int param, ConstMatrix a, ConstMatrix b) override {
        sink.add_product(param, a, b);
      }
      void add(int param, std::span<const float> values) override {
        std::vector<float> copy(values.begin(), values.end());
        for (float& value : copy) value = fault == Fault::kSign ? -value : value;
        if (fault != Fault::kNoBias) sink.add(param, copy);
      }
      Fault fault;
      GradSink& sink;
    } filter(fault_, sink);
    if (fault_ == Fault::kNoInput) dx = {};
    if (fault_ == Fault::kHalfOfDx) {
      const Matrix part = dx.head(dx.rows - 1);
      Matrix dy_part = dy.head(dx.rows - 1);
      return Dense::backward(params, first, x.dense().head(part.rows), y.head(part.rows), dy_part,
                             part, pass, filter);
    }
    Dense::backward(params, first, x, y, dy, dx, pass, filter);
  }

 private:
  Fault fault_;
};

TEST(CheckLayer, FindsAWrongSignAForgottenTensorAndAnUnwrittenEntry) {
  const GradientReport sign = check_layer(Broken(Broken::Fault::kSign));
  EXPECT_GT(sign.largest_error, 1.0);
  EXPECT_EQ(sign.where.substr(0, 5), "bias[");
  const GradientReport no_bias = check_layer(Broken(Broken::Fault::kNoBias));
  EXPECT_GT(no_bias.largest_error, 0.5);
  EXPECT_EQ(no_bias.where.substr(0, 5), "bias[");
  for (const auto fault : {Broken::Fault::kNoInput, Broken::Fault::kHalfOfDx}) {
    const GradientReport unwritten = check_layer(Broken(fault));
    EXPECT_TRUE(std::isinf(unwritten.largest_error));
    EXPECT_EQ(unwritten.where.substr(0, 2), "x[");
  }
}

TEST(Dense, LeavesOutTheGradientOfItsInputWhenNotWanted) {
  struct Counter : GradSink {
    void add_product(int, ConstMatrix, ConstMatrix) override { ++products; }
    void add(int, std::span<const float>) override { ++sums; }
    int products = 0, sums = 0;
  } counter;
  const Dense layer({.inputs = 2, .outputs = 2});
  const ParamSet params({{"weight", {2, 2}}, {"bias", {2}}});
  Tensor x({1, 2}), y({1, 2}), dy({1, 2});
  kernels::Context context;
  const std::vector<int64_t> rows = {0};
  layer.backward(params, 0, x.matrix(), y.matrix(), dy.matrix(), {},
                 {Mode::kTrain, RngKey(1), rows, context}, counter);
  EXPECT_EQ(counter.products, 1);
  EXPECT_EQ(counter.sums, 1);
}

TEST(Dense, StartsWithTheSpreadOfItsActivation) {
  // sqrt(6 / (30 + 20)) = 0.34641; four times that for the sigmoid; sqrt(2 / 30) = 0.258199.
  const auto weight = [](Activation activation, bool zero = false) {
    return Dense({.inputs = 30, .outputs = 20, .activation = activation, .zero_init = zero})
        .tensors()[Dense::kWeight];
  };
  EXPECT_NEAR(weight(Activation::kLinear).scale, 0.34641, 1e-5);
  EXPECT_NEAR(weight(Activation::kTanh).scale, 0.34641, 1e-5);
  EXPECT_NEAR(weight(Activation::kSigmoid).scale, 1.38564, 1e-5);
  EXPECT_NEAR(weight(Activation::kRelu).scale, 0.258199, 1e-5);
  EXPECT_EQ(weight(Activation::kRelu).fill, Fill::kNormal);
  EXPECT_EQ(weight(Activation::kLinear, true).fill, Fill::kZero);

  std::vector<float> values(600);
  initialize(weight(Activation::kTanh), RngKey(1), values);
  EXPECT_LT(*std::ranges::max_element(values), 0.34642F);
  EXPECT_GT(*std::ranges::max_element(values), 0.33F);
  EXPECT_LT(*std::ranges::min_element(values), -0.33F);
  double squares = 0;
  initialize(weight(Activation::kRelu), RngKey(1), values);
  for (const float value : values) squares += double{value} * value;
  EXPECT_NEAR(std::sqrt(squares / 600), 0.258199, 0.03);  // four standard deviations of 600 draws
  initialize(weight(Activation::kLinear, true), RngKey(1), values);
  EXPECT_EQ(values, std::vector<float>(600));
}

TEST(Dense, SaysWhatItIsAndWhatDoesNotFit) {
  const Dense layer({.inputs = 784, .outputs = 500, .activation = Activation::kSigmoid});
  EXPECT_EQ(layer.describe(), "dense 784 -> 500, sigmoid");
  EXPECT_EQ(parse_activation("tanh"), Activation::kTanh);
  EXPECT_THROW(parse_activation("swish"), ConfigError);
  EXPECT_THROW(Dense({.inputs = 0, .outputs = 5}), ConfigError);
  const ParamSet params({{"weight", {784, 500}}, {"bias", {500}}});
  Tensor x({64, 780}), y({64, 500});
  kernels::Context context;
  try {
    layer.forward(params, 0, x.matrix(), y.matrix(), {Mode::kTrain, RngKey(1), {}, context});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[dense 784 -> 500, sigmoid] x must be (rows, 784), got (64, 780)");
  }
}

}  // namespace
}  // namespace superstep::layers
