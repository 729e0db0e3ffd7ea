#include "superstep/tensor/param_set.h"

#include <gtest/gtest.h>

#include <utility>

namespace superstep {
namespace {

// 6, 16 and 17 elements take 16, 16 and 32 floats of the flat buffer.
ParamSet three() { return ParamSet({{"a", {2, 3}}, {"b", {16}}, {"c", {17}}}); }

TEST(ParamSet, BeginsEveryTensorOnACacheLine) {
  const ParamSet p = three();
  EXPECT_EQ(p.layout().offset(0), 0U);
  EXPECT_EQ(p.layout().offset(1), 16U);
  EXPECT_EQ(p.layout().offset(2), 32U);
  EXPECT_EQ(p.flat().size(), 64U);
  EXPECT_EQ(p.layout().count(), 6 + 16 + 17);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p.values(i).data()) % 64, 0U) << i;
}

TEST(ParamSet, FillsTensorsAndLeavesThePaddingZero) {
  ParamSet p = three();
  for (const float v : p.flat()) EXPECT_EQ(v, 0.0F);
  p.fill(2.0F);
  float sum = 0;
  for (const float v : p.flat()) sum += v;
  EXPECT_EQ(sum, 2.0F * (6 + 16 + 17));
  EXPECT_EQ(p.flat()[6], 0.0F);
  EXPECT_EQ(p.flat()[63], 0.0F);
}

TEST(ParamSet, MayLieInMemoryOfOthersButItsCopiesDoNot) {
  const auto layout = three().shared_layout();
  const auto memory = std::make_shared<AlignedVector<float>>(layout->flat_size(), 2.0F);
  ParamSet there(layout, std::shared_ptr<float>(memory, memory->data()));
  EXPECT_FALSE(there.owns_memory());
  EXPECT_EQ(there.flat().data(), memory->data());
  ParamSet copy = there;
  EXPECT_TRUE(copy.owns_memory());
  there.flat()[0] = 3;
  EXPECT_EQ(memory->front(), 3);
  EXPECT_EQ(copy.flat()[0], 2);
  ParamSet moved = std::move(there);
  EXPECT_EQ(moved.flat().data(), memory->data());
  EXPECT_EQ(memory.use_count(), 2);
  moved = std::move(copy);
  EXPECT_TRUE(moved.owns_memory());
  EXPECT_EQ(moved.flat()[0], 2);
  EXPECT_EQ(memory.use_count(), 1);
}

TEST(ParamSet, FindsTensorsByName) {
  ParamSet p = three();
  EXPECT_EQ(p.layout().find("b"), 1);
  EXPECT_EQ(p.layout().find("d"), -1);
  EXPECT_EQ(p.layout().at("c"), 2);
  p.matrix("a").row(1)[2] = 5.0F;
  EXPECT_EQ(p.values("a")[5], 5.0F);
  EXPECT_EQ(std::as_const(p).matrix(0).row(1)[2], 5.0F);
  EXPECT_EQ(p.matrix("b").rows, 1);
  EXPECT_EQ(p.matrix("b").cols, 16);
}

TEST(ParamSet, CopiesTheNumbersAndSharesTheLayout) {
  ParamSet p = three();
  p.values(0)[0] = 1.0F;
  ParamSet copy = p;
  copy.values(0)[0] = 2.0F;
  EXPECT_EQ(p.values(0)[0], 1.0F);
  EXPECT_EQ(&p.layout(), &copy.layout());
  EXPECT_EQ(ParamSet().flat().size(), 0U);
}

TEST(ParamLayoutDeathTest, RefusesTwoTensorsOfOneNameAndOneThatIsNotThere) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(ParamSet({{"a", {1}}, {"a", {1}}}), "param_set.cpp");
  EXPECT_DEATH((void)three().layout().at("d"), "param_set.cpp");
}

}  // namespace
}  // namespace superstep
