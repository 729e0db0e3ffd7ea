#include "superstep/tensor/sparse_matrix.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "superstep/tensor/batch.h"

namespace superstep {
namespace {

TEST(SparseMatrix, HoldsRowsAsTheyWereWritten) {
  SparseMatrix x;
  EXPECT_EQ(x.rows(), 0);
  EXPECT_EQ(x.count(), 0);
  x.start(3, 5);
  x.append(1, 0.5F);
  x.append(4, 2.0F);
  x.end_row();
  x.end_row();
  x.append(0, -1.0F);
  x.end_row();
  EXPECT_EQ(x.rows(), 3);
  EXPECT_EQ(x.cols(), 5);
  const SparseView v = x;
  EXPECT_EQ(v.count(), 3);
  EXPECT_EQ(std::vector<int64_t>(v.offsets, v.offsets + 4), (std::vector<int64_t>{0, 2, 2, 3}));
  EXPECT_EQ(std::vector<int32_t>(v.columns, v.columns + 3), (std::vector<int32_t>{1, 4, 0}));
  EXPECT_EQ(std::vector<float>(v.values, v.values + 3), (std::vector<float>{0.5F, 2, -1}));
  EXPECT_EQ(v.slice(1, 2).count(), 1);
  EXPECT_EQ(v.slice(2, 0).count(), 0);
}

TEST(SparseMatrix, KeepsItsMemory) {
  SparseMatrix x;
  for (int round = 0; round < 3; ++round) {
    const float* before = x.view().values;
    x.start(100, 100);
    for (int32_t r = 0; r < 100; ++r) {
      for (int32_t c = r % 3; c < 100; c += 3) x.append(c, static_cast<float>(c));
      x.end_row();
    }
    // 34 of the residues 0 and 33 of each other one: 34 * 34 + 66 * 33
    EXPECT_EQ(x.count(), 3334);
    if (round > 0) {
      EXPECT_EQ(x.view().values, before);
    }
  }
}

TEST(SparseMatrix, TakesElementsInBulk) {
  SparseMatrix x;
  x.start(2, 10);
  const SparseMatrix::Room room = x.room(8);
  room.columns[0] = 7;
  room.values[0] = 1.5F;
  x.end_row(1);  // what else was written is forgotten
  x.append(3, 2.5F);
  x.end_row();
  EXPECT_EQ(x.count(), 2);
  EXPECT_EQ(x.view().columns[1], 3);
  const SparseMatrix::Parts parts = x.assign(2, 4, 5);
  EXPECT_EQ(parts.offsets.size(), 3U);
  EXPECT_EQ(parts.values.size(), 5U);
  EXPECT_EQ(x.count(), 5);
}

TEST(SparseMatrixDeathTest, RefusesColumnsThatDoNotAscend) {
  SparseMatrix x;
  x.start(1, 4);
  x.append(2, 1);
  EXPECT_DEATH(x.append(2, 1), "column");
  EXPECT_DEATH(x.append(4, 1), "column");
}

TEST(GradSink, SaysThatItTakesNoSparseProductWhereItOffersNone) {
  struct Dense : GradSink {
    void add_product(int, ConstMatrix, ConstMatrix) override {}
    void add(int, std::span<const float>) override {}
  } sink;
  SparseMatrix a;
  a.start(0, 5);
  const Tensor b({0, 3});
  try {
    sink.add_sparse_product(2, a, b.matrix());
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "the gradient of tensor 2 came as a product of a sparse (0, 5) and a dense "
                 "(0, 3) matrix, which this GradSink does not take");
  }
}

}  // namespace
}  // namespace superstep
