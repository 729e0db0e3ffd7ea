#include "superstep/data/row_source.h"

#include <thread>

#include "superstep/base/error.h"
#include "superstep/data/testing.h"

namespace superstep::data {
namespace {

using testing::TestFolder;

// Features as they are.
RowSource source_of(const std::string& path, const std::string& label, Target target) {
  DataConfig config;
  config.label = label;
  const auto data = DataSet::open({path, ""}, config);
  return {data, RowIndex::of(*data), Scaling::fit("none", data->schema(), {}), std::move(target)};
}

Target classes(std::vector<std::string> names) {
  Target target;
  target.task = Task::kClassify;
  target.classes = ClassList(std::move(names));
  return target;
}

TEST(RowSource, GathersRowsInTheOrderAsked) {
  const TestFolder folder;
  const RowSource source =
      source_of(folder.write("x.csv", "1,2,b\n3,4,a\n5,6,b\n"), "2", classes({"a", "b"}));
  EXPECT_EQ(source.columns(), 2);
  EXPECT_EQ(source.rows(), 3);
  Batch batch;
  source.read(std::vector<int64_t>{2, 0, 2}, batch);
  EXPECT_EQ(batch.row_numbers, (std::vector<int64_t>{2, 0, 2}));
  EXPECT_EQ(batch.labels, (std::vector<int32_t>{1, 1, 1}));
  const std::vector<float> x(batch.x.values().begin(), batch.x.values().end());
  EXPECT_EQ(x, (std::vector<float>{5, 6, 1, 2, 5, 6}));
  EXPECT_TRUE(batch.targets.values().empty());
  source.read(std::vector<int64_t>{1}, batch);
  EXPECT_EQ(batch.x.shape(), (Shape{1, 2}));
  EXPECT_EQ(batch.labels, (std::vector<int32_t>{0}));
}

TEST(RowSource, GivesNumbersToRegressOn) {
  const TestFolder folder;
  Target target;
  target.task = Task::kRegress;
  target.mean = 10;
  target.deviation = 4;
  const RowSource source = source_of(folder.write("x.csv", "1,12\n3,8.0\n"), "1", target);
  Batch batch;
  source.read(std::vector<int64_t>{0, 1}, batch);
  EXPECT_EQ(batch.targets.shape(), (Shape{2, 1}));
  EXPECT_EQ(batch.targets.values()[0], 0.5F);
  EXPECT_EQ(batch.targets.values()[1], -0.5F);
  EXPECT_TRUE(batch.labels.empty());
}

TEST(RowSource, NeedsNoLabelWhereThereIsNone) {
  const TestFolder folder;
  const RowSource source = source_of(folder.write("x.csv", "1,2\n"), "", classes({"a", "b"}));
  Batch batch;
  source.read(std::vector<int64_t>{0}, batch);
  EXPECT_TRUE(batch.labels.empty());
}

TEST(RowSource, NamesTheLineOfALabelItDoesNotKnow) {
  const TestFolder folder;
  const std::string path = folder.write("x.csv", "w,kind\n1,a\n2,c\n3,b\n");
  const RowSource source = source_of(path, "kind", classes({"a", "b"}));
  Batch batch;
  source.read(std::vector<int64_t>{0, 2}, batch);
  EXPECT_ERROR(DataError, source.read(std::vector<int64_t>{0, 1}, batch), "x.csv:3",
               "label 'kind' holds 'c'", "'a', 'b'");
  Target regress;
  regress.task = Task::kRegress;
  EXPECT_ERROR(DataError, source_of(path, "kind", regress).read(std::vector<int64_t>{0}, batch),
               "x.csv:2", "'a'", "wanted a number");
}

TEST(RowSource, NamesTheLineOfAFeatureBeyondFloat32) {
  const TestFolder folder;
  const RowSource source = source_of(folder.write("x.csv", "1,2\n3,1e40\n"), "", {});
  Batch batch;
  EXPECT_ERROR(DataError, source.read(std::vector<int64_t>{1}, batch), "x.csv:2", "column 1",
               "1e+40");
}

TEST(RowSource, ReadsOnManyThreadsAtOnce) {
  const TestFolder folder;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += fmt::format("{},{}\n", i, i % 2);
  const RowSource source = source_of(folder.write("x.csv", text), "1", classes({"0", "1"}));
  std::vector<float> sums(4);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < sums.size(); ++t)
    threads.emplace_back([&, t] {
      Batch batch;
      for (int64_t row = 0; row < 1000; ++row) {
        source.read(std::vector<int64_t>{row}, batch);
        sums[t] += batch.x.values()[0] * static_cast<float>(batch.labels[0]);
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const float sum : sums) EXPECT_EQ(sum, 250'000.0F);  // 1 + 3 + ... + 999
}

TEST(MatrixSource, GathersRowsLabelsAndTargets) {
  Tensor x({3, 2});
  for (size_t i = 0; i < 6; ++i) x.values()[i] = static_cast<float>(i);
  Batch batch;
  const MatrixSource labelled(x, {7, 8, 9});
  labelled.read(std::vector<int64_t>{2, 1}, batch);
  EXPECT_EQ(batch.labels, (std::vector<int32_t>{9, 8}));
  EXPECT_EQ(batch.x.values()[0], 4.0F);
  const MatrixSource regressed(x, {}, x);
  regressed.read(std::vector<int64_t>{1}, batch);
  EXPECT_EQ(batch.targets.values()[1], 3.0F);
  EXPECT_TRUE(batch.labels.empty());
  EXPECT_ERROR(ConfigError, MatrixSource(x, {1}), "3 rows and 1 labels");
}

TEST(MatrixSource, GivesRowsOfEitherFormInEitherForm) {
  Tensor x({3, 2});
  std::ranges::copy(std::vector<float>{0, 1, 2, 0, 0, 0}, x.values().begin());
  SparseMatrix sparse;
  sparse.start(3, 2);
  for (int64_t r = 0; r < 3; ++r) sparse.append_row(std::as_const(x).matrix().row(r));
  const std::vector<int64_t> rows = {1, 2, 0, 1};
  Batch batch;
  for (const MatrixSource& source : {MatrixSource(x, {7, 8, 9}), MatrixSource(sparse, {7, 8, 9})}) {
    EXPECT_EQ(source.rows(), 3);
    EXPECT_EQ(source.columns(), 2);
    source.read_sparse(rows, batch);
    ASSERT_TRUE(batch.features().is_sparse());
    EXPECT_EQ(batch.sparse.count(), 3);
    EXPECT_EQ(batch.sparse.view().row_columns(2)[0], 1);
    EXPECT_EQ(batch.sparse.view().row_values(3)[0], 2.0F);
    source.read(rows, batch);
    ASSERT_FALSE(batch.features().is_sparse());
    const auto values = std::as_const(batch.x).values();
    EXPECT_EQ(std::vector<float>(values.begin(), values.end()),
              (std::vector<float>{2, 0, 0, 0, 0, 1, 2, 0}));
    EXPECT_EQ(batch.labels, (std::vector<int32_t>{8, 9, 7, 8}));
  }
}

}  // namespace
}  // namespace superstep::data
