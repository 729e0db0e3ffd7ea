#include "superstep/reduce/program.h"

#include <gtest/gtest.h>

namespace superstep::reduce {
namespace {

TEST(Round, IsTheSameFromItsBytes) {
  const Round round{.phase = "finetune",
                    .epoch = 3,
                    .superstep = 12,
                    .args = "a step of 0.5",
                    .units = {{.id = 0, .begin = 0, .end = 50, .weight = 5000},
                              {.id = 1, .begin = 50, .end = 60, .weight = 1000}}};
  const Round again = round_from_bytes(to_bytes(round));
  EXPECT_EQ(again.phase, "finetune");
  EXPECT_EQ(again.epoch, 3);
  EXPECT_EQ(again.superstep, 12);
  EXPECT_EQ(again.args, "a step of 0.5");
  EXPECT_EQ(again.units, round.units);
  EXPECT_THROW((void)round_from_bytes(to_bytes(round).substr(0, 20)), DataError);
}

TEST(LaneScratch, GivesTheMemoryThatWasKeptToTheSameLayoutAlone) {
  const auto layout =
      std::make_shared<const ParamLayout>(std::vector<ParamSpec>{{"weight", {5, 7}}});
  const auto other = std::make_shared<const ParamLayout>(std::vector<ParamSpec>{{"bias", {7}}});
  LaneScratch scratch;
  ParamSet first = scratch.update(layout);
  EXPECT_EQ(first.values(0)[34], 0.0F);  // fresh
  const float* memory = first.flat().data();
  scratch.keep(std::move(first));
  EXPECT_NE(scratch.update(other).flat().data(), memory);
  scratch.keep(ParamSet());  // of a round that only measures
  ParamSet second = scratch.update(layout);
  EXPECT_EQ(second.flat().data(), memory);
  EXPECT_NE(scratch.update(layout).flat().data(), memory);  // given away already
}

}  // namespace
}  // namespace superstep::reduce
