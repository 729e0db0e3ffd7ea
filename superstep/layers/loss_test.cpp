#include "superstep/layers/loss.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "superstep/base/rng.h"
#include "superstep/layers/check_layer.h"

namespace superstep::layers {
namespace {

Batch batch_of(int64_t rows, int64_t outputs, std::vector<int32_t> labels,
               std::vector<float> targets) {
  Batch batch;
  for (int64_t r = 0; r < rows; ++r) batch.row_numbers.push_back(r);
  batch.labels = std::move(labels);
  if (!targets.empty()) {
    batch.targets = Tensor({rows, outputs});
    std::ranges::copy(targets, batch.targets.values().begin());
  }
  return batch;
}

Tensor scores(std::vector<float> values, int64_t rows, int64_t cols) {
  Tensor z({rows, cols});
  std::ranges::copy(values, z.values().begin());
  return z;
}

TEST(SoftmaxCrossEntropy, ComputesAWorkedExample) {
  const auto loss = make_loss("softmax_cross_entropy");
  Tensor z = scores({0, 0, 0, 0, std::log(3.0F), 0}, 2, 3), dz({2, 3});
  const Batch batch = batch_of(2, 3, {2, 1}, {});
  Matrix gradient = dz.matrix();
  // log 3, and -log(3 / 5)
  EXPECT_NEAR(loss->evaluate(z.matrix(), batch, &gradient), 1.0986123 + 0.5108256, 1e-6);
  // (1/3, 1/3, 1/3 - 1) / 2 and (1/5, 3/5 - 1, 1/5) / 2
  const std::vector<float> wanted = {0.1666667F, 0.1666667F, -0.3333333F, 0.1F, -0.2F, 0.1F};
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(dz.values()[i], wanted[i], 1e-6) << i;
  loss->predict(z.matrix());
  EXPECT_NEAR(z.values()[4], 0.6, 1e-6);
}

TEST(SoftmaxCrossEntropy, MultipliesARowByTheWeightOfItsClass) {
  const SoftmaxCrossEntropy loss({4, 0.5F, 0});
  Tensor z = scores({0, 0, 0, 0, std::log(3.0F), 0, 9, 0, 0}, 3, 3), dz({3, 3});
  const Batch batch = batch_of(3, 3, {0, 1, 2}, {});
  Matrix gradient = dz.matrix();
  // 4 log 3, -log(3 / 5) / 2 and nothing
  EXPECT_NEAR(loss.evaluate(z.matrix(), batch, &gradient), 4.3944492 + 0.2554128, 1e-6);
  // 4 (1/3 - 1, 1/3, 1/3) / 3, (1/5, 3/5 - 1, 1/5) / 6 and nothing: the mean is over 3 rows
  const std::vector<float> wanted = {-0.8888889F, 0.4444444F, 0.4444444F, 0.0333333F, -0.0666667F,
                                     0.0333333F,  0,          0,          0};
  for (size_t i = 0; i < 9; ++i) EXPECT_NEAR(dz.values()[i], wanted[i], 1e-6) << i;
  const GradientReport report = check_loss(loss, z.matrix(), batch);
  EXPECT_LT(report.largest_error, 1e-3) << report.where;
}

TEST(SoftmaxCrossEntropy, HasTheSameBitsWithWeightsOfOne) {
  Tensor z({4, 3}), plain({4, 3}), weighted({4, 3});
  fill_normal(RngKey(9), 0, z.values());
  const Batch batch = batch_of(4, 3, {0, 1, 2, 1}, {});
  Matrix dz = plain.matrix(), dz_weighted = weighted.matrix();
  EXPECT_EQ(SoftmaxCrossEntropy().evaluate(z.matrix(), batch, &dz),
            SoftmaxCrossEntropy({1, 1, 1}).evaluate(z.matrix(), batch, &dz_weighted));
  EXPECT_TRUE(std::ranges::equal(plain.values(), weighted.values()));
}

TEST(SoftmaxCrossEntropy, RefusesWeightsThatDoNotFit) {
  EXPECT_THROW(SoftmaxCrossEntropy({1, -1}), ConfigError);
  EXPECT_THROW(SoftmaxCrossEntropy({1, std::nanf("")}), ConfigError);
  const Tensor z({1, 3});
  try {
    SoftmaxCrossEntropy({1, 1}).evaluate(z.matrix(), batch_of(1, 3, {0}, {}), nullptr);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[softmax_cross_entropy] there must be 3 class weights, got 2");
  }
}

TEST(SquaredError, IsHalfTheSumOverTheOutputs) {
  const auto loss = make_loss("squared_error");
  Tensor z = scores({1, 2, 3, 4}, 2, 2), dz({2, 2});
  const Batch batch = batch_of(2, 2, {}, {0, 0, 3, 2});
  Matrix gradient = dz.matrix();
  // (1 + 4) / 2 + (0 + 4) / 2
  EXPECT_DOUBLE_EQ(loss->evaluate(z.matrix(), batch, &gradient), 4.5);
  EXPECT_EQ(std::vector<float>(dz.values().begin(), dz.values().end()),
            (std::vector<float>{0.5F, 1, 0, 1}));
  loss->predict(z.matrix());
  EXPECT_EQ(z.values()[3], 4.0F);
}

TEST(SigmoidCrossEntropy, ComputesAWorkedExample) {
  const auto loss = make_loss("sigmoid_cross_entropy");
  Tensor z = scores({0, std::log(3.0F)}, 1, 2), dz({1, 2});
  const Batch batch = batch_of(1, 2, {}, {1, 0.5F});
  Matrix gradient = dz.matrix();
  // log 2, and -(log 0.75 + log 0.25) / 2
  EXPECT_NEAR(loss->evaluate(z.matrix(), batch, &gradient), 0.6931472 + 0.8369882, 1e-6);
  EXPECT_NEAR(dz.values()[0], -0.5, 1e-6);
  EXPECT_NEAR(dz.values()[1], 0.25, 1e-6);
  loss->predict(z.matrix());
  EXPECT_NEAR(z.values()[1], 0.75, 1e-6);
}

class EveryLoss : public testing::TestWithParam<const char*> {};

TEST_P(EveryLoss, HasTheGradientOfCentralDifferences) {
  const auto loss = make_loss(GetParam());
  EXPECT_EQ(loss->name(), GetParam());
  for (const int64_t outputs : {1, 2, 5}) {
    Tensor z({4, outputs});
    fill_normal(RngKey(9), 0, z.values());
    const auto last = static_cast<int32_t>(outputs - 1);
    std::vector<float> targets(z.values().size());
    fill_uniform(RngKey(8), 0, targets);
    const Batch batch = batch_of(4, outputs, {0, last, last / 2, 0}, targets);
    const GradientReport report = check_loss(*loss, z.matrix(), batch);
    EXPECT_LT(report.largest_error, 1e-3) << outputs << " outputs: " << report.where;
    EXPECT_EQ(report.compared, 4 * outputs);
  }
}

TEST_P(EveryLoss, WritesTheSameGradientOverTheScores) {
  const auto loss = make_loss(GetParam());
  Tensor z({4, 3}), dz({4, 3});
  fill_normal(RngKey(9), 0, z.values());
  std::vector<float> targets(12, 0.25F);
  const Batch batch = batch_of(4, 3, {0, 1, 2, 1}, targets);
  Matrix apart = dz.matrix(), in_place = z.matrix();
  const double value = loss->evaluate(z.matrix(), batch, &apart);
  EXPECT_EQ(loss->evaluate(z.matrix(), batch, nullptr), value);
  EXPECT_EQ(loss->evaluate(z.matrix(), batch, &in_place), value);
  EXPECT_TRUE(std::ranges::equal(z.values(), dz.values()));
}

TEST_P(EveryLoss, IsFiniteForLargeScores) {
  const auto loss = make_loss(GetParam());
  Tensor z = scores({1e4F, -1e4F}, 1, 2), dz({1, 2});
  const Batch batch = batch_of(1, 2, {1}, {0, 1});
  Matrix gradient = dz.matrix();
  const double value = loss->evaluate(z.matrix(), batch, &gradient);
  EXPECT_TRUE(std::isfinite(value));
  EXPECT_GE(value, 1e4);
  for (const float d : dz.values()) EXPECT_TRUE(std::isfinite(d));
}

TEST_P(EveryLoss, SaysWhatTheBatchLacks) {
  const auto loss = make_loss(GetParam());
  const Tensor z({2, 3});
  EXPECT_THROW(loss->evaluate(z.matrix(), batch_of(2, 3, {}, {}), nullptr), Error);
  EXPECT_THROW(loss->evaluate(z.matrix(), batch_of(1, 3, {0}, {0, 0, 0}), nullptr), Error);
}

INSTANTIATE_TEST_SUITE_P(Losses, EveryLoss,
                         testing::Values("softmax_cross_entropy", "squared_error",
                                         "sigmoid_cross_entropy"));

TEST(MakeLoss, ListsTheNamesWhenOneIsUnknown) {
  try {
    make_loss("hinge");
    FAIL() << "no error";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(),
                 "no loss 'hinge': softmax_cross_entropy, squared_error or sigmoid_cross_entropy");
  }
}

}  // namespace
}  // namespace superstep::layers
