#include "superstep/tensor/tensor.h"

#include <gtest/gtest.h>

namespace superstep {
namespace {

using Sizes = std::pair<int64_t, int64_t>;

TEST(Shape, CountsItsElementsAndSaysWhatItIs) {
  EXPECT_EQ(Shape({100, 784}).count(), 78'400);
  EXPECT_EQ(Shape({0, 5}).count(), 0);
  EXPECT_EQ(Shape().count(), 1);
  EXPECT_EQ(Shape({100, 784}).to_string(), "(100, 784)");
  EXPECT_EQ(Shape({3}).rank(), 1U);
  EXPECT_NE(Shape({2, 3}), Shape({3, 2}));
}

TEST(MatrixSizes, AreTheFirstAxisAgainstTheRest) {
  EXPECT_EQ(matrix_sizes({}), (Sizes{1, 1}));
  EXPECT_EQ(matrix_sizes({5}), (Sizes{1, 5}));
  EXPECT_EQ(matrix_sizes({2, 3}), (Sizes{2, 3}));
  EXPECT_EQ(matrix_sizes({2, 3, 4}), (Sizes{2, 12}));
  EXPECT_EQ(matrix_sizes({0, 3, 4}), (Sizes{0, 12}));
}

TEST(Tensor, IsZeroAlignedAndSeenAsAMatrix) {
  Tensor t({3, 5});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(t.values().data()) % 64, 0U);
  for (const float v : t.values()) EXPECT_EQ(v, 0.0F);
  t.matrix().row(2)[4] = 7.0F;
  EXPECT_EQ(t.values()[14], 7.0F);
  EXPECT_EQ(t.matrix().head(2).shape(), Shape({2, 5}));
}

TEST(Tensor, KeepsItsMemoryAndElementsWhenItShrinksAndGrowsBack) {
  Tensor t({4, 4});
  t.values()[3] = 1.0F;
  const float* memory = t.values().data();
  t.resize({1, 4});
  EXPECT_EQ(t.values().size(), 4U);
  t.resize({4, 4});
  EXPECT_EQ(t.values().data(), memory);
  EXPECT_EQ(t.values()[3], 1.0F);
}

TEST(Matrix, ViewsRowsThatLieApart) {
  std::vector<float> memory(12);
  for (size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i);
  const ConstMatrix m(memory.data(), 3, 2, 4);  // the first 2 of 4 columns
  EXPECT_EQ(m.row(2).size(), 2U);
  EXPECT_EQ(m.row(2)[1], 9.0F);
}

}  // namespace
}  // namespace superstep
