#include "superstep/data/target.h"

#include "superstep/base/error.h"
#include "superstep/data/testing.h"

namespace superstep::data {
namespace {

// An index of rows with these labels.
RowIndex index_of(const std::vector<std::pair<std::string, int64_t>>& labels) {
  SplitIndex split;
  for (const auto& [label, count] : labels) {
    split.labels.add(label, count);
    split.rows += count;
  }
  return RowIndex::merge(std::vector{split});
}

Schema labelled() {
  Schema schema;
  schema.columns = 1;
  schema.label = "kind";
  return schema;
}

TEST(InferTarget, ClassifiesTextAndFewIntegersAndRegressesOnTheRest) {
  EXPECT_EQ(infer_target(index_of({{"b", 1}, {"a", 1}}), labelled()).task, Task::kClassify);
  EXPECT_EQ(infer_target(index_of({{"0", 5}, {"1", 5}}), labelled()).task, Task::kClassify);
  EXPECT_EQ(infer_target(index_of({{"0", 2}, {"1", 1}}), labelled()).task, Task::kRegress);
  EXPECT_EQ(infer_target(index_of({{"0.5", 5}, {"1", 5}}), labelled()).task, Task::kRegress);
  std::vector<std::pair<std::string, int64_t>> many;
  for (int i = 0; i < 101; ++i) many.emplace_back(std::to_string(i), 10);
  EXPECT_EQ(infer_target(index_of(many), labelled()).task, Task::kRegress);
  many.pop_back();
  EXPECT_EQ(infer_target(index_of(many), labelled()).task, Task::kClassify);
  EXPECT_EQ(infer_target(RowIndex{}, Schema{}).task, Task::kNone);
}

TEST(InferTarget, RefusesWhatCannotBe) {
  EXPECT_ERROR(DataError, infer_target(index_of({{"a", 3}, {"1", 3}}), labelled(), "regress"),
               "'kind'", "'a'", "wanted numbers");
  EXPECT_ERROR(DataError, infer_target(index_of({{"a", 3}}), labelled()), "one value 'a'");
  EXPECT_ERROR(ConfigError, infer_target(index_of({{"a", 3}}), Schema{}, "classify"), "no label");
  EXPECT_ERROR(ConfigError, infer_target(index_of({{"a", 3}}), labelled(), "sort"), "'sort'");
}

TEST(ClassList, SortsNumbersAsNumbersAndTextByItsBytes) {
  EXPECT_EQ(ClassList({"10", "9", "-1"}).names(), (std::vector<std::string>{"-1", "9", "10"}));
  EXPECT_EQ(ClassList({"10", "9", "x"}).names(), (std::vector<std::string>{"10", "9", "x"}));
  EXPECT_EQ(ClassList({"b", "a"}).index("b"), 1);
  EXPECT_EQ(ClassList({"b", "a"}).index("c"), -1);
}

TEST(LabelCounts, AreTheSameInAnyOrderAndGrouping) {
  const auto part = [](int begin, int end) {
    LabelCounts counts;
    for (int i = begin; i < end; ++i) counts.add(std::to_string(i), 1);
    return counts;
  };
  LabelCounts forward = part(0, 6000), backward = part(4000, 10'000);
  forward.add(part(4000, 10'000));
  backward.add(part(0, 6000));
  EXPECT_EQ(forward, backward);
  EXPECT_EQ(forward.counts.at("5000"), 2);
  EXPECT_FALSE(forward.many);
  forward.add(part(10'000, 10'001));
  EXPECT_TRUE(forward.many);
  EXPECT_EQ(forward.total, 12'001);
  EXPECT_TRUE(forward.counts.empty());
}

TEST(RowIndex, NumbersRowsAcrossSplitsAndEmptyOnes) {
  std::vector<SplitIndex> splits(4);
  splits[0].rows = 2;
  splits[2].rows = 3;
  splits[2].bad = 1;
  const RowIndex index = RowIndex::merge(splits);
  EXPECT_EQ(index.rows, 5);
  EXPECT_EQ(index.bad, 1);
  EXPECT_EQ(index.find(1).split, 0);
  EXPECT_EQ(index.find(2).split, 2);
  EXPECT_EQ(index.find(4).row, 2);
  splits[0].rows = splits[2].rows = 0;
  EXPECT_ERROR(DataError, RowIndex::merge(splits), "no row", "1 bad records");
}

TEST(TargetAndIndex, ComeBackFromBytes) {
  const RowIndex index = index_of({{"b", 4}, {"a", 5}});
  EXPECT_EQ(RowIndex::from_bytes(index.to_bytes()), index);
  Target target = infer_target(index, labelled());
  target.mean = 0.5;
  EXPECT_EQ(Target::from_bytes(target.to_bytes()), target);
  SplitIndex split;
  split.rows = 3;
  split.labels.add("x", 3);
  EXPECT_EQ(SplitIndex::from_bytes(split.to_bytes()), split);
  for (size_t size = 0; size < index.to_bytes().size(); ++size)
    EXPECT_THROW(RowIndex::from_bytes(index.to_bytes().substr(0, size)), DataError);
}

}  // namespace
}  // namespace superstep::data
