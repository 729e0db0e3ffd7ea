#include "superstep/front_door/stages.h"

#include <gtest/gtest.h>

#include "superstep/data/testing.h"
#include "superstep/engines/local.h"
#include "superstep/front_door/train_on.h"

namespace superstep::front_door {
namespace {

using data::testing::TestFolder;

// The coordinator's Program, but for what a worker does: that, its own one.
class Shared : public reduce::Program {
 public:
  Shared(const reduce::Program& coordinators, const reduce::Program& workers)
      : coordinators_(coordinators), workers_(workers) {}
  [[nodiscard]] reduce::State initial() const override { return coordinators_.initial(); }
  [[nodiscard]] std::optional<reduce::Round> next(const reduce::Round* last,
                                                  const reduce::State& state) const override {
    return coordinators_.next(last, state);
  }
  [[nodiscard]] reduce::UpdateSpec update_spec(const reduce::Round& round) const override {
    return coordinators_.update_spec(round);
  }
  [[nodiscard]] std::unique_ptr<reduce::LaneScratch> make_scratch() const override {
    return workers_.make_scratch();
  }
  [[nodiscard]] reduce::Outcome compute(const reduce::Task& task) const override {
    return workers_.compute(task);
  }
  reduce::Report apply(const reduce::Round& round, reduce::State& state,
                       const reduce::ExactSum& sum,
                       const std::vector<Bytes>& blobs) const override {
    return coordinators_.apply(round, state, sum, blobs);
  }

 private:
  const reduce::Program &coordinators_, &workers_;
};

// A worker elsewhere: its Programs are made from their stages alone.
class FarEngine : public engines::Engine {
 public:
  explicit FarEngine(std::vector<std::string>& kinds) : kinds_(kinds) {}
  engines::EngineResult run(const reduce::Program& program, const cluster::Stage& stage,
                            cluster::RunOptions options) override {
    kinds_.push_back(stage.kind);
    const StageProgram made = stages_.make(stage);
    EXPECT_EQ(made.identity, options.job) << stage.kind;
    return engines::run_local(Shared(program, *made.program), 2, std::move(options));
  }
  [[nodiscard]] int threads() const override { return 2; }

 private:
  std::vector<std::string>& kinds_;
  Stages stages_;
};

// Rows of 12 columns that are mostly 0, in two classes.
std::string table(int64_t rows, uint64_t seed) {
  std::string csv = "kind";
  for (int c = 0; c < 12; ++c) csv += fmt::format(",c{}", c);
  csv += "\n";
  std::vector<float> u(12);
  for (int64_t r = 0; r < rows; ++r) {
    fill_uniform(RngKey(seed), static_cast<uint64_t>(r), u);
    std::string line = r % 3 == 0 ? "a" : "b";
    for (const float value : u) line += value < 0.9F ? ",0" : ",1";
    csv += line + "\n";
  }
  return csv;
}

struct Trial {
  Trial(const TestFolder& folder, const std::string& out) {
    job.use_data(folder.write("t.csv", table(120, 1)), "kind");
    job.data.unlabelled.rows = folder.write("u.csv", table(90, 2));
    job.data.valid.rows = folder.write("v.csv", table(50, 3));
    job.data.test.rows = folder.write("w.csv", table(40, 4));
    job.output.dir = folder.path(out);
    for (const char* setting :
         {"model.kind=dbn", "model.hidden=[8]", "pretrain.epochs=2", "finetune.epochs=2",
          "finetune.balance_classes=true", "reduce.replicas=2", "engine.workers=2"})
      job.set(setting);
  }
  Job job;
};

TEST(Stages, AWorkerMakesEveryProgramOfAJobFromItsStageAlone) {
  const TestFolder folder;
  std::vector<std::string> kinds;
  Trial far(folder, "far"), near(folder, "near");
  const TrainResult there = train_on([&](int64_t) { return std::make_unique<FarEngine>(kinds); },
                                     far.job, TrainOptions{});
  EXPECT_EQ(kinds, (std::vector<std::string>{"fit", "fit", "fit", "fit", "nonzeros", "train",
                                             "evaluate"}));
  const TrainResult here = train(near.job);
  ASSERT_TRUE(there.finished);
  EXPECT_EQ(there.sha256, here.sha256);
  EXPECT_EQ(there.metrics.to_json(), here.metrics.to_json());
  EXPECT_EQ(here.metrics.rows, 40);
}

TEST(Stages, RefuseWhatIsNoStage) {
  Stages stages;
  EXPECT_ERROR(ConfigError, stages.make({.kind = "dance", .args = {}}), "no stage 'dance'");
  EXPECT_ERROR(DataError, stages.make({.kind = "train", .args = "xyz"}), "a stage");
}

TEST(Stages, NoticeFilesThatChanged) {
  const TestFolder folder;
  Trial trial(folder, "out");
  Job& job = trial.job;
  const Prepared prepared = prepare(job);
  const cluster::Stage stage = train_stage(job, prepared);
  EXPECT_EQ(Stages().make(stage).identity, identity_of(job, prepared));
  folder.write("w.csv", table(41, 4));
  EXPECT_ERROR(DataError, Stages().make(stage), "not those that the job began with");
}

// Stopped while the rows are counted: the run can be gone on with all the same.
TEST(Stages, ARunThatIsStoppedBeforeItTrainsGoesOn) {
  const TestFolder folder;
  Trial first(folder, "out"), near(folder, "near");
  std::stop_source stop;
  stop.request_stop();
  const TrainResult stopped = train(first.job, {.stop = stop.get_token()});
  EXPECT_FALSE(stopped.finished);
  EXPECT_EQ(stopped.run, folder.path("out"));
  Job again;
  again.load(folder.path("out") + "/job.toml");
  const TrainResult done = train(again, {.resume = true});
  ASSERT_TRUE(done.finished);
  EXPECT_EQ(done.sha256, train(near.job).sha256);
}

}  // namespace
}  // namespace superstep::front_door
