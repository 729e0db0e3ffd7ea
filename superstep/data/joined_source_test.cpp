#include "superstep/data/joined_source.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "superstep/base/error.h"
#include "superstep/data/row_source.h"

namespace superstep::data {
namespace {

std::shared_ptr<const Source> numbered(int64_t rows, int64_t columns, float start) {
  Tensor x({rows, columns});
  for (size_t i = 0; i < x.values().size(); ++i) x.values()[i] = start + static_cast<float>(i);
  return std::make_shared<MatrixSource>(std::move(x));
}

TEST(JoinedSource, NumbersTheRowsOfTheSecondOn) {
  // Rows 0 and 1: (0, 1), (2, 3); rows 2, 3 and 4: (100, 101), (102, 103), (104, 105).
  const JoinedSource both(numbered(2, 2, 0), 2, numbered(3, 2, 100));
  EXPECT_EQ(both.columns(), 2);
  Batch batch;
  batch.labels = {7};  // of a batch before
  both.read(std::vector<int64_t>{4, 1, 2}, batch);
  EXPECT_EQ(batch.row_numbers, (std::vector<int64_t>{4, 1, 2}));
  EXPECT_TRUE(batch.labels.empty());
  const std::vector<float> expected = {104, 105, 2, 3, 100, 101};
  EXPECT_EQ(std::vector<float>(batch.x.values().begin(), batch.x.values().end()), expected);
}

TEST(JoinedSource, ReadsRowsOfOnePartAlone) {
  const JoinedSource both(numbered(2, 1, 0), 2, numbered(1, 1, 50));
  Batch batch;
  both.read(std::vector<int64_t>{2}, batch);
  EXPECT_EQ(batch.x.values()[0], 50);
  both.read(std::vector<int64_t>{1}, batch);
  EXPECT_EQ(batch.x.values()[0], 1);
}

TEST(JoinedSource, ReadsBothPartsWithoutTheirZeros) {
  const JoinedSource both(numbered(2, 2, 0), 2, numbered(3, 2, 100));
  Batch batch;
  both.read_sparse(std::vector<int64_t>{4, 0, 2}, batch);
  ASSERT_TRUE(batch.features().is_sparse());
  const SparseView rows = batch.sparse;
  EXPECT_TRUE(std::ranges::equal(rows.row_values(0), std::vector<float>{104, 105}));
  EXPECT_TRUE(std::ranges::equal(rows.row_values(1), std::vector<float>{1}));  // (0, 1)
  EXPECT_TRUE(std::ranges::equal(rows.row_columns(1), std::vector<int32_t>{1}));
  EXPECT_TRUE(std::ranges::equal(rows.row_values(2), std::vector<float>{100, 101}));
}

TEST(JoinedSource, RefusesOtherColumns) {
  EXPECT_THROW(JoinedSource(numbered(2, 2, 0), 2, numbered(2, 3, 0)), ConfigError);
}

}  // namespace
}  // namespace superstep::data
