#include "superstep/tensor/sparse_matrix.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "superstep/base/team.h"
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

TEST(SparseMatrix, TakesWholeRows) {
  SparseMatrix a;
  a.start(3, 4);
  a.append_row(std::vector<float>{0, 2, -0.0F, 3});
  a.append_row(std::vector<float>{0, 0, 0, 0});
  a.append_row(std::vector<float>{1, 0, 0, 0});
  EXPECT_EQ(a.rows(), 3);
  EXPECT_EQ(a.count(), 3);
  SparseMatrix b;
  b.start(2, 4);
  b.append_row(a.view(), 2);
  b.append_row(a.view(), 0);
  const SparseView v = b;
  EXPECT_TRUE(std::ranges::equal(v.row_columns(0), std::vector<int32_t>{0}));
  EXPECT_TRUE(std::ranges::equal(v.row_columns(1), std::vector<int32_t>{1, 3}));
  EXPECT_TRUE(std::ranges::equal(v.row_values(1), std::vector<float>{2, 3}));
}

// Row n is (n, 0, n + 1).
struct Numbers : Source {
  [[nodiscard]] int64_t columns() const override { return 3; }
  void read(std::span<const int64_t> rows, Batch& batch) const override {
    batch.row_numbers.assign(rows.begin(), rows.end());
    batch.x.resize({static_cast<int64_t>(rows.size()), 3});
    for (size_t r = 0; r < rows.size(); ++r) {
      const auto n = static_cast<float>(rows[r]);
      std::ranges::copy(std::vector<float>{n, 0, n + 1},
                        batch.x.matrix().row(static_cast<int64_t>(r)).begin());
    }
  }
};

TEST(Source, ReadsRowsInEitherFormIntoOneBatch) {
  const Numbers source;
  Batch batch;
  const std::vector<int64_t> rows = {5, 0};
  for (int turn = 0; turn < 2; ++turn) {
    source.read_as(Form::kSparse, rows, batch);
    ASSERT_TRUE(batch.features().is_sparse());
    EXPECT_EQ(batch.features().shape(), (Shape{2, 3}));
    EXPECT_EQ(batch.sparse.count(), 3);  // 5, 6, 1
    EXPECT_TRUE(std::ranges::equal(batch.sparse.view().row_values(1), std::vector<float>{1}));
    source.read_as(Form::kDense, rows, batch);
    ASSERT_FALSE(batch.features().is_sparse());
    EXPECT_EQ(batch.features().dense().row(0)[2], 6);
  }
}

std::vector<std::vector<float>> written_out(const SparseView& a) {
  std::vector<std::vector<float>> rows;
  for (int64_t r = 0; r < a.rows; ++r) {
    auto& row = rows.emplace_back(static_cast<size_t>(a.cols), 0.0F);
    for (int64_t i = a.offsets[r]; i < a.offsets[r + 1]; ++i)
      row[static_cast<size_t>(a.columns[i])] = a.values[i];
  }
  return rows;
}

TEST(SparseMatrix, TakesRowsOfAnotherInAnyOrderOnAnyTeam) {
  constexpr int64_t kRows = 120, kCols = 400;
  SparseMatrix from;
  from.start(kRows, kCols);
  for (int32_t r = 0; r < kRows; ++r) {  // the first holds nothing
    for (int32_t c = 0; c < kCols * r / kRows; ++c)
      from.append(c, static_cast<float>(1000 * r + c));
    from.end_row();
  }
  const auto all = written_out(from);
  std::vector<int64_t> picked = {119, 0, 7, 119, 0, 63};
  std::vector<int64_t> many;
  for (int64_t i = 0; i < 300; ++i) many.push_back(i * 7 % kRows);
  for (const int threads : {1, 2, 3}) {
    Team team(threads);
    const Team::Scope scope(team);
    SparseMatrix to;
    for (const std::vector<int64_t>* numbers : {&many, &picked}) {
      to.assign_rows(from, *numbers);
      const auto rows = written_out(to);
      ASSERT_EQ(rows.size(), numbers->size());
      for (size_t i = 0; i < rows.size(); ++i)
        EXPECT_EQ(rows[i], all[static_cast<size_t>((*numbers)[i])]) << i;
    }
    to.append_rows(from.view().slice(60, 3));
    to.append_rows(from.view().slice(60, 0));
    ASSERT_EQ(to.rows(), 9);  // with the six above
    EXPECT_EQ(written_out(to)[5], all[63]);
    EXPECT_EQ(written_out(to)[6], all[60]);
    EXPECT_EQ(written_out(to)[8], all[62]);
    to.assign_rows(from, {});
    EXPECT_EQ(to.rows(), 0);
  }
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
