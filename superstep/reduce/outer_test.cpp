#include "superstep/reduce/outer.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "superstep/base/error.h"
#include "superstep/base/rng.h"

namespace superstep::reduce {
namespace {

TEST(OuterRule, AverageAddsTheMeanChange) {
  std::array<float, 3> w = {1.0F, -2.0F, 0.5F};
  const std::array<double, 3> mean = {0.25, 0.5, -0.5};
  const auto rule = make_outer_rule("average", 0.9, 0.1);
  EXPECT_FALSE(rule->has_momentum());
  rule->move(w, {}, mean);
  EXPECT_EQ(w, (std::array<float, 3>{1.25F, -1.5F, 0.0F}));
}

TEST(OuterRule, AverageRoundsOnce) {
  // 1 + 2^-24 lies half way between 1 and the next float: to even, 1. A little more goes up.
  // Rounding the mean to float first would lose the little.
  std::array<float, 2> w = {1.0F, 1.0F};
  const std::array<double, 2> mean = {0x1p-24, 0x1p-24 + 0x1p-50};
  make_outer_rule("average", 0, 1)->move(w, {}, mean);
  EXPECT_EQ(w[0], 1.0F);
  EXPECT_EQ(w[1], 1.0F + 0x1p-23F);
}

TEST(OuterRule, NesterovAddsMomentumThatLooksAhead) {
  // mu 0.5, rate 0.5, d = 1 twice:
  //   v = 1,    w = 0 + 0.5 (1 + 0.5 * 1)      = 0.75
  //   v = 1.5,  w = 0.75 + 0.5 (1 + 0.5 * 1.5) = 1.625
  std::array<float, 1> w = {0.0F}, v = {0.0F};
  const std::array<double, 1> mean = {1.0};
  const auto rule = make_outer_rule("nesterov", 0.5, 0.5);
  EXPECT_TRUE(rule->has_momentum());
  rule->move(w, v, mean);
  EXPECT_EQ(v[0], 1.0F);
  EXPECT_EQ(w[0], 0.75F);
  rule->move(w, v, mean);
  EXPECT_EQ(v[0], 1.5F);
  EXPECT_EQ(w[0], 1.625F);
}

TEST(OuterRule, NesterovWithoutMomentumAtRateOneIsAverage) {
  std::vector<float> a = {0.1F, -3.7F, 1e-8F}, b = a, v(3);
  const std::vector<double> mean = {1.0 / 3, 2.0 / 7, -1e-9};
  make_outer_rule("average", 0, 1)->move(a, {}, mean);
  make_outer_rule("nesterov", 0, 1)->move(b, v, mean);
  EXPECT_EQ(a, b);
}

TEST(OuterRule, MovesByTheMeanOfASumPieceByPiece) {
  // 5000 elements are more than two pieces of 2048; one tensor lies before them.
  const auto layout = std::make_shared<const ParamLayout>(
      std::vector<ParamSpec>{{"bias", {3}}, {"weight", {50, 100}}});
  ParamSet a(layout), b(layout);
  fill_normal(RngKey(1), 0, a.values(1));
  fill_normal(RngKey(1), 1, b.values(1));
  const UpdateSpec spec = UpdateSpec::means(layout);
  for (const bool taken : {false, true})
    for (const std::string name : {"average", "nesterov"}) {
      ExactSum sum(spec, 10, 2);
      ParamSet update = a;
      if (taken) {
        ASSERT_TRUE(sum.try_take(update, 7));
      } else {
        sum.add(a, 7);
        sum.add(b, 3);
      }
      std::vector<double> mean(5000);
      sum.values(1, mean);
      const auto rule = make_outer_rule(name, 0.5, 0.7);
      const size_t momenta = rule->has_momentum() ? 5000 : 0;
      std::vector<float> w(5000, 0.3F), v(momenta, 0.2F), wanted_w = w, wanted_v = v;
      rule->move(wanted_w, wanted_v, mean);
      move_by_mean(*rule, sum, 1, w, v);
      EXPECT_EQ(w, wanted_w) << name;
      EXPECT_EQ(v, wanted_v) << name;
      EXPECT_NE(w, std::vector<float>(5000, 0.3F));
    }
}

TEST(OuterRule, AnUnknownNameListsTheValidOnes) {
  try {
    (void)make_outer_rule("median", 0, 1);
    FAIL() << "no error";
  } catch (const ConfigError& error) {
    for (const std::string_view name : outer_rule_names())
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
  }
}

TEST(OuterRule, RefusesMomentumAndRateOutOfRange) {
  EXPECT_THROW((void)make_outer_rule("nesterov", 1.0, 0.7), ConfigError);
  EXPECT_THROW((void)make_outer_rule("nesterov", -0.1, 0.7), ConfigError);
  EXPECT_THROW((void)make_outer_rule("nesterov", 0.5, 0.0), ConfigError);
}

}  // namespace
}  // namespace superstep::reduce
