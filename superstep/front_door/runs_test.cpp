#include "superstep/front_door/runs.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "superstep/base/error.h"
#include "superstep/data/testing.h"
#include "superstep/superstep.h"

namespace superstep {
namespace {

namespace fs = std::filesystem;
using data::testing::TestFolder;

// Two classes that a line parts: 80 rows.
std::string table() {
  std::string csv = "a,b,kind\n";
  std::vector<float> u(2);
  for (int64_t r = 0; r < 80; ++r) {
    fill_uniform(RngKey(1), static_cast<uint64_t>(r), u);
    csv += fmt::format("{},{},{}\n", u[0], u[1], u[0] > u[1] ? "over" : "under");
  }
  return csv;
}

struct Trial {
  explicit Trial(const std::string& out) {
    job.use_data(folder.write("t.csv", table()), "kind");
    job.output.dir = folder.path(out);
    job.set("finetune.epochs=4");
    job.set("model.hidden=[5]");
    job.set("reduce.replicas=3");
    job.engine.workers = 2;
  }
  TestFolder folder;
  Job job;
};

class StopAfter : public TrainListener {
 public:
  explicit StopAfter(int64_t superstep) : superstep_(superstep) {}
  void on_round(const cluster::RoundDone& done) override {
    if (done.round.superstep == superstep_) stop.request_stop();
  }
  std::stop_source stop;

 private:
  int64_t superstep_;
};

TEST(FindModel, SaysWhatIsMissing) {
  const TestFolder folder;
  EXPECT_ERROR(FileError, find_model(folder.path("none")), "none: no such file or folder");
  fs::create_directory(folder.path("empty"));
  EXPECT_ERROR(ConfigError, find_model(folder.path("empty")), "holds no run", "job.toml");
  fs::create_directory(folder.path("begun"));
  folder.write("begun/job.toml", "");
  EXPECT_ERROR(ConfigError, find_model(folder.path("begun")), "has no model yet", "--resume");
}

TEST(FindModel, TakesAFileARunOrTheLatestOfRuns) {
  const TestFolder folder;
  fs::create_directories(folder.path("iris/1"));
  fs::create_directories(folder.path("iris/2"));
  for (const std::string run : {"1", "2"}) {
    folder.write("iris/" + run + "/job.toml", "");
    folder.write("iris/" + run + "/model.safetensors", "");
  }
  fs::create_directory_symlink("2", folder.path("iris/latest"));
  const std::string first = folder.path("iris/1/model.safetensors");
  EXPECT_EQ(find_model(first), first);
  EXPECT_EQ(find_model(folder.path("iris/1")), first);
  EXPECT_EQ(find_model(folder.path("iris")), folder.path("iris/2/model.safetensors"));
}

TEST(OpenRun, RefusesAFolderThatHoldsARunAndResumingNone) {
  const TestFolder folder;
  Job job;
  job.output.dir = folder.path("run");
  (void)front_door::open_run(job, false);
  EXPECT_ERROR(ConfigError, (void)front_door::open_run(job, false), "holds a run already");
  job.output.dir = folder.path("other");
  EXPECT_ERROR(ConfigError, (void)front_door::open_run(job, true), "no such run to resume");
  job.output.dir = folder.path("run");
  folder.write("run/model.safetensors", "");
  EXPECT_ERROR(ConfigError, (void)front_door::open_run(job, true), "this run is finished");
}

TEST(Train, StoppedAndGoneOnWithIsTheSameModel) {
  Trial straight("run"), stopped("run");
  const TrainResult wanted = train(straight.job);
  ASSERT_TRUE(wanted.finished);
  EXPECT_TRUE(wanted.reproducible);
  EXPECT_TRUE(wanted.metrics.error);

  StopAfter listener(2);
  const TrainResult begun =
      train(stopped.job, {.stop = listener.stop.get_token(), .listener = &listener});
  EXPECT_FALSE(begun.finished);
  EXPECT_EQ(begun.supersteps, 3);
  EXPECT_ERROR(ConfigError, find_model(begun.run), "has no model yet");
  Job again;
  again.load(begun.run + "/job.toml");
  again.output.dir = begun.run;
  again.engine.workers = 3;
  const TrainResult rest = train(again, {.resume = true});
  EXPECT_TRUE(rest.finished);
  EXPECT_EQ(rest.first_superstep, 3);
  EXPECT_EQ(rest.first_superstep + rest.supersteps, wanted.supersteps);
  EXPECT_EQ(rest.sha256, wanted.sha256);

  EXPECT_TRUE(verify(rest.run, 1).same);
}

// Nothing to train is nothing left to do: the model of fresh numbers.
TEST(Train, OfNoEpochsIsDoneAtOnce) {
  Trial trial("run");
  trial.job.set("finetune.epochs=0");
  const TrainResult done = train(trial.job);
  EXPECT_TRUE(done.finished);
  EXPECT_EQ(done.supersteps, 0);
  EXPECT_EQ(models::Model::load(done.model).network().describe(), "2-5-2");
}

}  // namespace
}  // namespace superstep
