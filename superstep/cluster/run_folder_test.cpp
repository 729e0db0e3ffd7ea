#include "superstep/cluster/run_folder.h"

#include <gtest/gtest.h>

#include <thread>

#include "superstep/base/error.h"
#include "superstep/cluster/testing.h"

namespace superstep::cluster {
namespace {

using testing::RunPath;

TEST(RunFolder, IsMadeOnceAndRefusedTheSecondTime) {
  const RunPath path;
  const RunFolder folder = RunFolder::create(path.run());
  EXPECT_EQ(folder.path(), path.run());
  EXPECT_EQ(folder.file("job.toml"), path.run() + "/job.toml");
  EXPECT_EQ(folder.attempt(), 1);
  try {
    (void)RunFolder::create(path.run());
    FAIL() << "made twice";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("holds a run already"), std::string::npos);
  }
}

TEST(RunFolder, CanBeGoneOnWithOnlyWhereARunIs) {
  const RunPath path;
  EXPECT_THROW((void)RunFolder::open(path.run()), ConfigError);  // no folder
  std::filesystem::create_directory(path.run());
  EXPECT_THROW((void)RunFolder::open(path.run()), ConfigError);  // no run in it
}

TEST(RunFolder, BelongsToTheLatestAttempt) {
  const RunPath path;
  RunFolder first = RunFolder::create(path.run());
  first.check_claim();
  first.append_metrics("a");
  RunFolder second = RunFolder::open(path.run());
  EXPECT_EQ(second.attempt(), 2);
  RunFolder third = RunFolder::open(path.run());
  EXPECT_EQ(third.attempt(), 3);
  for (RunFolder* old : {&first, &second}) {
    EXPECT_THROW(old->check_claim(), Error);
    EXPECT_THROW(old->append_metrics("b"), Error);
  }
  third.check_claim();
  third.append_metrics("c");
  EXPECT_EQ(path.metrics(), (std::vector<std::string>{"a", "c"}));
}

TEST(RunFolder, GivesEachOfManyAtOnceAnAttemptOfItsOwn) {
  const RunPath path;
  (void)RunFolder::create(path.run());
  std::vector<int64_t> attempts(8);
  {
    std::vector<std::jthread> threads;
    for (int64_t& attempt : attempts)
      threads.emplace_back([&] { attempt = RunFolder::open(path.run()).attempt(); });
  }
  std::ranges::sort(attempts);
  EXPECT_EQ(attempts, (std::vector<int64_t>{2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(RunFolder, CutsItsMetricsBack) {
  const RunPath path;
  RunFolder folder = RunFolder::create(path.run());
  folder.append_metrics("one");
  const int64_t size = folder.metrics_size();
  EXPECT_EQ(size, 4);
  folder.append_metrics("two");
  folder.truncate_metrics(size);
  folder.append_metrics("three");
  EXPECT_EQ(path.metrics(), (std::vector<std::string>{"one", "three"}));
  EXPECT_THROW(folder.truncate_metrics(100), FileError);
}

}  // namespace
}  // namespace superstep::cluster
