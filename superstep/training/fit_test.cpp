#include "superstep/training/fit.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "superstep/data/testing.h"
#include "superstep/training/testing.h"

namespace superstep::training {
namespace {

using data::testing::TestFolder;

// 90 rows: two features, a class, a number.
std::vector<std::string> lines() {
  std::vector<std::string> lines;
  std::vector<float> u(2);
  for (int64_t r = 0; r < 90; ++r) {
    fill_uniform(RngKey(7), static_cast<uint64_t>(r), u);
    lines.push_back(fmt::format("{},{},{},{}\n", 100 * u[0], u[1] - 3, r % 3 == 0 ? "oak" : "elm",
                                0.1 * static_cast<double>(r)));
  }
  return lines;
}

constexpr const char* kHeader = "a,b,kind,height\n";

// The same rows cut into so many files, fitted for this label without the other.
Fitted fit(size_t files, const std::string& label, FitOptions options) {
  const TestFolder folder;
  std::filesystem::create_directory(folder.path("rows"));
  const auto all = lines();
  for (size_t f = 0; f < files; ++f) {
    std::string csv = kHeader;
    // Files of different sizes: 90 rows are 10 + 20 + 60.
    const std::array<size_t, 4> cuts{0, 10, 30, 90};
    const size_t begin = files == 1 ? 0 : cuts.at(f), end = files == 1 ? 90 : cuts.at(f + 1);
    for (size_t r = begin; r < end; ++r) csv += all[r];
    folder.write(fmt::format("rows/{}.csv", f), csv);
  }
  data::DataConfig config;
  config.label = label;
  config.drop = {label == "kind" ? "height" : "kind"};
  const FitProgram program(data::DataSet::open({folder.path("rows"), ""}, config),
                           std::move(options));
  return program.result(testing::run_serially(program));
}

bool two_of_three(int64_t row) { return row % 3 != 1; }

TEST(FitProgram, FindsTheSameInOneFileAndInThree) {
  for (const std::string label : {"kind", "height"}) {
    const Fitted one = fit(1, label, {.training = two_of_three});
    const Fitted three = fit(3, label, {.training = two_of_three});
    EXPECT_EQ(one.target, three.target);
    EXPECT_EQ(one.scaling.to_bytes(), three.scaling.to_bytes());
    EXPECT_EQ(one.index.rows, 90);
    EXPECT_EQ(three.index.rows, 90);
    EXPECT_EQ(one.index.labels, three.index.labels);
    EXPECT_EQ(three.index.first_row, (std::vector<int64_t>{0, 10, 30}));
  }
}

TEST(FitProgram, TellsClassesFromNumbers) {
  const Fitted classes = fit(1, "kind", {.training = two_of_three});
  EXPECT_EQ(classes.target.task, data::Task::kClassify);
  EXPECT_EQ(classes.target.classes.names(), (std::vector<std::string>{"elm", "oak"}));
  const Fitted numbers = fit(1, "height", {.training = two_of_three});
  EXPECT_EQ(numbers.target.task, data::Task::kRegress);
}

// Rows 0, 2, 3, 5, ..., 89 - all but each third from 1 on - have heights of mean
// (sum 0 .. 89 - sum of 1, 4, .., 88) / 60 * 0.1 = (4005 - 1335) / 600 = 4.45.
TEST(FitProgram, LooksAtTrainingRowsAlone) {
  const Fitted some = fit(1, "height", {.training = two_of_three});
  EXPECT_NEAR(some.target.mean, 4.45, 1e-12);
  const Fitted other = fit(1, "height", {.training = [](int64_t row) { return row % 3 == 1; }});
  EXPECT_NEAR(other.target.mean, 4.45, 1e-12);  // 1335 / 30 * 0.1: the same mean by its symmetry
  EXPECT_NE(some.scaling.to_bytes(), other.scaling.to_bytes());
  EXPECT_NE(some.target.deviation, other.target.deviation);
}

TEST(FitProgram, LeavesStatisticsOutWhereNothingNeedsThem) {
  const TestFolder folder;
  data::DataConfig config;
  config.label = "1";
  const auto rows = data::DataSet::open({folder.write("x.csv", "1,a\n2,b\n3,a\n"), ""}, config);
  const auto phases = [&](const std::string& scale) {
    const FitProgram program(rows, {.scale = scale, .training = [](int64_t) { return true; }});
    std::string text;
    testing::run_serially(program, [&](const testing::Done& done, const auto&) {
      text += done.round.phase + " ";
      EXPECT_EQ(done.measure("rows"), 3);
    });
    return text;
  };
  EXPECT_EQ(phases("none"), "index ");
  EXPECT_EQ(phases("standardise"), "index statistics ");
}

// A label that never varies has no deviation to divide by.
TEST(FitProgram, DividesAConstantLabelByOne) {
  const TestFolder folder;
  data::DataConfig config;
  config.label = "1";
  const FitProgram program(
      data::DataSet::open({folder.write("x.csv", "1,2.5\n2,2.5\n"), ""}, config),
      {.task = "regress", .training = [](int64_t) { return true; }});
  const Fitted fitted = program.result(testing::run_serially(program));
  EXPECT_EQ(fitted.target.mean, 2.5);
  EXPECT_EQ(fitted.target.deviation, 1);
}

// Rows whose splits lie on hosts.
class OnHosts : public data::DataSet {
 public:
  explicit OnHosts(std::shared_ptr<const data::DataSet> rows) : rows_(std::move(rows)) {}
  const data::Schema& schema() const override { return rows_->schema(); }
  int splits() const override { return rows_->splits(); }
  const data::Records& records(int split) const override { return rows_->records(split); }
  const std::string& file(int split) const override { return rows_->file(split); }
  int64_t file_bytes() const override { return rows_->file_bytes(); }
  std::vector<std::string> hosts(int split) const override {
    return {fmt::format("node-{}", split)};
  }

 private:
  std::shared_ptr<const data::DataSet> rows_;
};

TEST(FitProgram, NamesTheHostsOfEachUnitAndHasNoUnitOfTwoFiles) {
  const TestFolder folder;
  std::filesystem::create_directory(folder.path("rows"));
  folder.write("rows/a.csv", "1,a\n2,b\n");
  folder.write("rows/b.csv", "3,a\n");
  folder.write("rows/c.csv", "4,a\n5,b\n6,b\n");
  data::DataConfig config;
  config.label = "1";
  const FitProgram program(
      std::make_shared<OnHosts>(data::DataSet::open({folder.path("rows"), ""}, config)),
      {.scale = "standardise", .training = [](int64_t) { return true; }});
  const std::vector<std::vector<std::string>> hosts{{"node-0"}, {"node-1"}, {"node-2"}};
  std::vector<std::pair<int64_t, int64_t>> ranges;
  testing::run_serially(program, [&](const testing::Done& done, const auto&) {
    EXPECT_EQ(program.hosts(done.round), hosts) << done.round.phase;
    if (done.round.phase == "statistics")
      for (const auto& unit : done.round.units) ranges.emplace_back(unit.begin, unit.end);
  });
  EXPECT_EQ(ranges, (std::vector<std::pair<int64_t, int64_t>>{{0, 2}, {2, 3}, {3, 6}}));
}

}  // namespace
}  // namespace superstep::training
