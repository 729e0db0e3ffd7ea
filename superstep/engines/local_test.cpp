#include "superstep/engines/local.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <numeric>
#include <set>

#include "superstep/base/team.h"
#include "superstep/cluster/testing.h"
#include "superstep/training/fit.h"
#include "superstep/training/network_program.h"
#include "superstep/training/testing.h"

namespace superstep::engines {
namespace {

TEST(RunLocal, RunsAProgramOnSoManyLanes) {
  const cluster::testing::Sums program;
  for (const int lanes : {1, 2, 7, 20}) {
    const EngineResult done = run_local(program, lanes, {});
    EXPECT_TRUE(done.run.finished);
    EXPECT_EQ(done.run.rounds, 6);
    EXPECT_EQ(done.run.units, 48);
    EXPECT_EQ(done.units_by_lane.size(), static_cast<size_t>(lanes));
    EXPECT_EQ(std::accumulate(done.units_by_lane.begin(), done.units_by_lane.end(), int64_t{0}),
              48);
    program.expect_end(done.run.state);
  }
}

// Two units a round, and what team computed each.
class TwoUnits : public cluster::testing::Sums {
 public:
  [[nodiscard]] int64_t most_units() const override { return 2; }
  [[nodiscard]] reduce::Outcome compute(const reduce::Task& task) const override {
    const Team* team = Team::current();
    if (team != nullptr) {
      const std::scoped_lock lock(mutex_);
      sizes_.insert(team->size());
    }
    return Sums::compute(task);
  }
  [[nodiscard]] std::set<int> sizes() const { return sizes_; }

 private:
  mutable std::mutex mutex_;
  mutable std::set<int> sizes_;
};

TEST(RunLocal, MakesTeamsOfTheThreadsThatAreMoreThanUnits) {
  const std::vector<std::pair<int, std::set<int>>> cases = {
      {1, {1}}, {2, {1}}, {4, {2}}, {5, {2, 3}}, {7, {3, 4}}};
  for (const auto& [threads, sizes] : cases) {
    const TwoUnits program;
    const EngineResult done = run_local(program, threads, {});
    EXPECT_EQ(done.units_by_lane.size(), threads == 1 ? 1U : 2U);
    program.expect_end(done.run.state);
    for (const int size : program.sizes()) EXPECT_TRUE(sizes.contains(size)) << size;
    EXPECT_FALSE(program.sizes().empty());
  }
}

TEST(RunLocal, TakesOneLaneACoreWhereNoneAreNamed) {
  const cluster::testing::Sums program;
  EXPECT_GE(default_lanes(), 1);
  EXPECT_EQ(run_local(program, 0, {}).units_by_lane.size(), static_cast<size_t>(default_lanes()));
}

TEST(RunLocal, LeavesTheCallersRoundingAsItWas) {
  volatile float least = 1.1754944e-38F;
  ASSERT_GT(least * 0.5F, 0.0F);  // denormals are not flushed
  (void)run_local(cluster::testing::Sums(), 2, {});
  EXPECT_GT(least * 0.5F, 0.0F);
}

struct Trial {
  Trial() {
    models::ModelConfig config;
    config.kind = "dbn";
    config.hidden = {12, 6};
    network = std::make_unique<models::Network>(models::make_network(config, 16, 2));
    const auto source =
        std::make_shared<data::MatrixSource>(training::testing::bars_and_stripes(230, 1));
    job = {.network = network.get(),
           .loss = &loss,
           .pretrain_machines = true,
           .train = source,
           .valid = source,
           .train_rows = std::vector<int64_t>(193),
           .valid_rows = std::vector<int64_t>(37),
           .pretrain = {},
           .finetune = {},
           .reduce = {},
           .seed = 5};
    std::iota(job.train_rows.begin(), job.train_rows.end(), int64_t{0});
    std::iota(job.valid_rows.begin(), job.valid_rows.end(), int64_t{193});
    job.pretrain.epochs = job.finetune.epochs = 2;
    job.pretrain.batch = job.finetune.batch = 7;
    job.pretrain.learning_rate = job.finetune.learning_rate = 0.1;
    job.reduce.replicas = 5;
    job.reduce.local_steps = 2;
    job.reduce.outer = "nesterov";
  }

  layers::SoftmaxCrossEntropy loss;
  std::unique_ptr<models::Network> network;
  training::NetworkJob job;
};

// All that a job ends in: shared and outer state and notes. Against the bare loop on one thread.
TEST(RunLocal, TrainsANetworkToTheSameBytesOnAnyLanes) {
  for (const std::string optimizer : {"sgd", "adagrad"}) {
    Trial trial;
    trial.job.pretrain.optimizer = trial.job.finetune.optimizer = optimizer;
    const training::NetworkProgram program(trial.job);
    const reduce::State wanted = training::testing::run_serially(program);
    const ParamSet start = program.initial().shared;
    EXPECT_FALSE(std::ranges::equal(wanted.shared.flat(), start.flat()));
    for (const int lanes : {1, 2, 7}) {
      for (const double audit : {0.0, 0.5}) {
        const EngineResult done = run_local(program, lanes, {.schedule = {.audit = audit}});
        EXPECT_TRUE(done.run.reproducible);
        EXPECT_EQ(
            digest(done.run.state.shared.flat().data(), done.run.state.shared.flat().size_bytes()),
            digest(wanted.shared.flat().data(), wanted.shared.flat().size_bytes()))
            << lanes << " lanes, audit " << audit;
        EXPECT_EQ(
            digest(done.run.state.outer.flat().data(), done.run.state.outer.flat().size_bytes()),
            digest(wanted.outer.flat().data(), wanted.outer.flat().size_bytes()));
        EXPECT_EQ(done.run.state.notes, wanted.notes);
      }
    }
  }
}

}  // namespace
}  // namespace superstep::engines
