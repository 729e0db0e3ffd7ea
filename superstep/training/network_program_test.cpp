#include "superstep/training/network_program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "superstep/training/testing.h"

namespace superstep::training {
namespace {

using testing::Done;
using testing::numbers;
using testing::run_serially;
using testing::tensors;
using testing::Trial;

// 45 rows in blocks of 5 are 9 blocks: 5 for replica 0, 4 for replica 1. With 2 local steps an
// epoch has 3 supersteps, and in the last only replica 0 has a minibatch left. 30 rows to choose by
// are one unit; the free energies are of these and of 30 rows learned from.
TEST(NetworkProgram, GoesThroughItsRoundsInOrder) {
  const Trial trial("dbn", {6, 4}, 45, 30);
  const auto program = trial.program();
  std::vector<std::string> rounds, events;
  int64_t superstep = 0;
  run_serially(program, [&](const Done& done, const auto&) {
    const auto& round = done.round;
    EXPECT_EQ(round.superstep, superstep++);
    std::string text = fmt::format("{} {} {}", round.phase, round.epoch, round.args);
    for (const auto& unit : round.units)
      text += fmt::format(" {}:{}-{}/{}", unit.id, unit.begin, unit.end, unit.weight);
    rounds.push_back(text);
    events.push_back(done.report.event);
    for (size_t u = 0; u < round.units.size(); ++u)
      EXPECT_EQ(done.outcomes[u].weight, round.units[u].weight) << text;
  });
  std::vector<std::string> wanted, wanted_events;
  for (const std::string phase : {"pretrain.0", "pretrain.1", "finetune"}) {
    const bool finetune = phase == "finetune";
    if (!finetune) {
      wanted.push_back(phase + " 0 means 0:0-5/25 1:0-4/20");
      wanted_events.emplace_back("superstep");
    }
    for (const std::string epoch : {" 0 ", " 1 "}) {
      const std::string closes = epoch == " 0 " ? "epoch" : "phase";
      wanted.push_back(phase + epoch + "train 0:0-2/10 1:0-2/10");
      wanted.push_back(phase + epoch + "train 0:2-4/10 1:2-4/10");
      wanted.push_back(phase + epoch + "train 0:4-5/5");
      wanted.push_back(phase + epoch + (finetune ? "valid 0:0-30/30" : "gap 0:0-60/60"));
      wanted_events.insert(wanted_events.end(), {"superstep", "superstep", "superstep", closes});
    }
  }
  EXPECT_EQ(rounds, wanted);
  EXPECT_EQ(events, wanted_events);
}

TEST(NetworkProgram, LeavesOutPhasesWithoutEpochsAndOutputsWithoutALoss) {
  const auto phases = [](const Trial& trial) {
    std::string text, last;
    run_serially(trial.program(), [&](const Done& done, const auto&) {
      if (done.round.phase != last) text += done.round.phase + " ";
      last = done.round.phase;
    });
    return text;
  };
  EXPECT_EQ(phases(Trial("rbm", {6}, 45)), "pretrain.0 ");
  EXPECT_EQ(phases(Trial("mlp", {6}, 45)), "finetune ");
  Trial trial("dbn", {6, 4}, 45);
  EXPECT_EQ(phases(trial), "pretrain.0 pretrain.1 finetune ");
  trial.job.pretrain.epochs = 0;
  EXPECT_EQ(phases(trial), "finetune ");
  trial.job.finetune.epochs = 0;
  EXPECT_EQ(phases(trial), "");
}

// The mean of each pixel over the 45 rows, as log(m / (1 - m)).
TEST(NetworkProgram, StartsAVisibleBiasFromTheMeanOfTheRows) {
  const Trial trial("rbm", {6}, 45);
  Batch batch;
  trial.source->read(trial.job.train_rows, batch);
  std::vector<double> mean(16);
  for (int64_t r = 0; r < 45; ++r)
    for (size_t i = 0; i < 16; ++i) mean[i] += double{batch.x.matrix().row(r)[i]} / 45;
  bool seen = false;
  run_serially(trial.program(), [&](const Done& done, const reduce::State& state) {
    if (done.round.args != "means") return;
    seen = true;
    EXPECT_EQ(done.measure("rows"), 45);
    for (size_t i = 0; i < 16; ++i)
      EXPECT_NEAR(state.shared.values("layer.0.visible_bias")[i], std::log(mean[i] / (1 - mean[i])),
                  1e-5);
  });
  EXPECT_TRUE(seen);
}

TEST(NetworkProgram, TrainsInAPhaseTheTensorsOfThatPhaseAlone) {
  const Trial trial("dbn", {6, 4}, 45);
  auto before = tensors(trial.program().initial().shared);
  std::map<std::string, std::string> moved;  // phase: tensors
  run_serially(trial.program(), [&](const Done& done, const reduce::State& state) {
    const auto now = tensors(state.shared);
    if (done.report.event != "phase") return;
    for (const auto& [name, values] : now)
      if (values != before.at(name)) moved[done.round.phase] += name + " ";
    before = now;
  });
  EXPECT_EQ(moved["pretrain.0"],
            "layer.0.bias layer.0.visible_bias layer.0.weight "
            "offset.layer.0.hidden offset.layer.0.visible ");
  EXPECT_EQ(moved["pretrain.1"],
            "layer.1.bias layer.1.visible_bias layer.1.weight "
            "offset.layer.1.hidden offset.layer.1.visible ");
  EXPECT_EQ(moved["finetune"],
            "layer.0.bias layer.0.weight layer.1.bias layer.1.weight layer.2.bias "
            "layer.2.weight ");
}

double size_of(const ParamSet& params, const std::string& prefix) {
  double size = 0;
  for (const auto& [name, values] : tensors(params))
    if (name.starts_with(prefix))
      for (const float v : values) size += std::abs(double{v});
  return size;
}

TEST(NetworkProgram, BeginsEveryPhaseWithoutMomentum) {
  Trial trial("dbn", {6, 4}, 45, 30);
  trial.job.reduce.outer = "nesterov";
  int phases = 0;
  run_serially(trial.program(), [&](const Done& done, const reduce::State& state) {
    if (done.round.args == "means") return;
    const bool closes = done.report.event == "phase";
    EXPECT_EQ(size_of(state.shared, "velocity.") == 0, closes) << done.round.superstep;
    EXPECT_EQ(size_of(state.outer, "momentum.") == 0, closes) << done.round.superstep;
    phases += closes ? 1 : 0;
  });
  EXPECT_EQ(phases, 3);
}

// 25 and 20 rows: in the third superstep of 45 rows only replica 0 counts, so look at the first,
// where batches are 10 and 10 rows, with replicas that have gone different ways.
TEST(NetworkProgram, AveragesTheVelocityOverRowsAsItDoesTheWeights) {
  const Trial trial("mlp", {6}, 45);
  const auto program = trial.program();
  ParamSet before = program.initial().shared;
  int rounds = 0;
  run_serially(program, [&](const Done& done, const reduce::State& state) {
    ++rounds;
    if (done.report.event == "phase") return;  // then it has been reset
    for (const std::string name : {"layer.0.weight", "velocity.layer.0.weight"}) {
      for (size_t i = 0; i < 16 * 6; ++i) {
        double mean = 0;
        double rows = 0;
        for (const auto& outcome : done.outcomes) {
          const auto weight = static_cast<double>(outcome.weight);
          mean += weight * double{outcome.update.values(name)[i]};
          rows += weight;
        }
        const double wanted = double{before.values(name)[i]} + mean / rows;
        ASSERT_NEAR(state.shared.values(name)[i], wanted, 1e-7 * std::abs(wanted) + 1e-12)
            << name << "[" << i << "], superstep " << done.round.superstep;
      }
    }
    before = state.shared;
  });
  EXPECT_EQ(rounds, 6);
}

// R replicas of batch B against one of batch R B, one local step between two averagings. There are
// R B rows, so that a superstep is all of them whoever has which; keys know rows, not replicas, so
// that the same hidden states are drawn. With momentum 0 a mean of steps is the step of the mean.
void expect_same_as_one(Trial four, Trial one, int64_t supersteps) {
  four.job.reduce.replicas = 4;
  one.job.reduce.replicas = 1;
  for (Trial* trial : {&four, &one}) {
    const int64_t batch = trial == &four ? 8 : 32;
    trial->job.reduce.local_steps = 1;
    trial->job.pretrain.batch = trial->job.finetune.batch = batch;
    trial->job.pretrain.momentum = trial->job.finetune.momentum = 0;
    trial->job.pretrain.initial_momentum = 0;
    trial->job.pretrain.l2 = trial->job.finetune.l2 = 1e-3;
    trial->job.pretrain.epochs = trial->job.finetune.epochs = 60;
    trial->job.pretrain.learning_rate = 0.5;
    trial->job.finetune.learning_rate = 2;
  }
  int64_t rounds = 0;
  const auto count = [&](const Done& done, const auto&) {
    ++rounds;
    EXPECT_EQ(done.round.units.size(), 4U);
  };
  const auto program_of_four = four.program(), program_of_one = one.program();
  const ParamSet a = program_of_four.result(run_serially(program_of_four, count));
  const ParamSet b = program_of_one.result(run_serially(program_of_one));
  EXPECT_EQ(rounds, supersteps);
  const ParamSet start = program_of_one.result(program_of_one.initial());
  // Relative to the largest number of the network: where a bias cancels to little, its rounding
  // errors are still those of the terms that it is the sum of.
  double largest = 0;
  for (const float v : b.flat()) largest = std::max(largest, std::abs(double{v}));
  for (int t = 0; t < a.layout().size(); ++t) {
    double moved = 0;
    for (size_t i = 0; i < a.values(t).size(); ++i) {
      moved = std::max(moved, std::abs(double{b.values(t)[i]} - double{start.values(t)[i]}));
      EXPECT_NEAR(a.values(t)[i], b.values(t)[i], 1e-5 * largest)
          << a.layout().spec(t).name << "[" << i << "]";
    }
    EXPECT_GT(moved, 0.03) << a.layout().spec(t).name;
  }
}

TEST(NetworkProgram, OfFourReplicasIsOneOfFourTimesTheBatchInBackpropagation) {
  expect_same_as_one(Trial("mlp", {6}, 32), Trial("mlp", {6}, 32), 60);
}

// The first round finds the means.
TEST(NetworkProgram, OfFourReplicasIsOneOfFourTimesTheBatchInContrastiveDivergence) {
  expect_same_as_one(Trial("rbm", {6}, 32), Trial("rbm", {6}, 32), 61);
}

// A long step makes the error go up and down, so that the best epoch is not the last.
TEST(NetworkProgram, KeepsTheEpochThatDidBestOnTheRowsToChooseBy) {
  for (const bool keep : {true, false}) {
    Trial trial("mlp", {6}, 100, 60);
    trial.job.finetune.epochs = 12;
    trial.job.finetune.learning_rate = 4;
    trial.job.finetune.schedule = "constant";
    trial.job.finetune.keep_best = keep;
    const auto program = trial.program();
    double best_error = 2, best_loss = 0;
    int64_t best_epoch = 0;
    std::map<std::string, std::vector<float>> best, last;
    const auto state = run_serially(program, [&](const Done& done, const reduce::State& now) {
      if (done.round.args != "valid") return;
      EXPECT_EQ(done.measure("rows"), 100);
      EXPECT_EQ(done.measure("valid_rows"), 60);
      last = tensors(now.shared);
      const double error = done.measure("valid_error"), loss = done.measure("valid_loss");
      if (error < best_error || (error == best_error && loss < best_loss)) {
        best_error = error;
        best_loss = loss;
        best_epoch = done.round.epoch + 1;
        best = last;
      }
      if (keep) {
        EXPECT_EQ(done.measure("best_epoch"), static_cast<double>(best_epoch));
      }
    });
    EXPECT_LT(best_epoch, 12);
    EXPECT_EQ(program.best_epoch(state), best_epoch);
    const auto& wanted = keep ? best : last;
    for (const auto& [name, values] : tensors(program.result(state)))
      EXPECT_EQ(values, wanted.at(name)) << name;
  }
}

// Per epoch, as the sum over its supersteps: all 45 rows, and the mean of the losses they had.
TEST(NetworkProgram, ReportsAnEpochAsTheSumOfItsSupersteps) {
  const Trial trial("mlp", {6}, 45);
  double rows = 0, loss = 0;
  int closed = 0;
  run_serially(trial.program(), [&](const Done& done, const auto&) {
    double round_rows = 0, round_loss = 0;
    for (const auto& outcome : done.outcomes) {
      const auto tally = ByteReader(outcome.blob, "a tally").get<Tally>();
      round_rows += static_cast<double>(tally.rows);
      round_loss += tally.loss;
    }
    rows += round_rows;
    loss += round_loss;
    const bool closes = done.report.event != "superstep";
    EXPECT_EQ(done.measure("rows"), closes ? 45 : round_rows);
    EXPECT_NEAR(done.measure("loss"), closes ? loss / rows : round_loss / round_rows, 1e-12);
    if (!closes) return;
    ++closed;
    rows = loss = 0;
  });
  EXPECT_EQ(closed, 2);
}

TEST(NetworkProgram, WorksOutBatchAndReplicasFromTheRowsAlone) {
  Trial trial("dbn", {6, 4}, 400);
  trial.job.pretrain.batch = trial.job.finetune.batch = std::nullopt;
  trial.job.reduce = {};
  const auto program = trial.program();
  PretrainConfig pretrain;
  FinetuneConfig finetune;
  program.resolve(pretrain, finetune);
  EXPECT_EQ(pretrain.batch, 10);  // 400 / 100 is less than the least
  EXPECT_EQ(finetune.batch, 10);
  EXPECT_EQ(program.reduce_config().replicas, 2);  // 40 minibatches
  EXPECT_EQ(program.reduce_config().local_steps, 20);
  EXPECT_EQ(program.epochs("pretrain.1"), 2);
  EXPECT_THROW((void)program.epochs("pretrain.2"), DataError);
}

// What is written into the job must give the same job again: a batch that is one machine's own is
// not that of the others, and where the machine with the label has fewer rows there is none to
// write.
TEST(NetworkProgram, WritesNoBatchThatIsNotForAllMachines) {
  Trial own("dbn", {6, 4}, 4000);
  own.job.pretrain.batch = own.job.finetune.batch = std::nullopt;
  own.job.pretrain.layers[0].batch = 7;
  PretrainConfig pretrain;
  FinetuneConfig finetune;
  own.program().resolve(pretrain, finetune);
  EXPECT_EQ(pretrain.batch, 40);
  EXPECT_EQ(finetune.batch, 40);

  Trial labelled(Trial::generative({6, 4}), 400);
  labelled.job.pretrain.batch = std::nullopt;
  labelled.job.pretrain_source =
      std::make_shared<data::MatrixSource>(testing::bars_and_stripes(4000, 1));
  labelled.job.pretrain_rows = numbers(0, 4000);
  pretrain.batch = std::nullopt;
  labelled.program().resolve(pretrain, finetune);
  EXPECT_EQ(pretrain.batch, std::nullopt);  // 40 of 4,000 rows and 10 of 400
}

TEST(NetworkProgram, GivesTheSameBytesWhateverTheScratchHasSeen) {
  const Trial trial("dbn", {6, 4}, 45);
  const auto program = trial.program();
  reduce::Progress progress;
  const auto used = program.make_scratch();
  int units = 0;
  reduce::State before = program.initial();
  run_serially(program, [&](const Done& done, const reduce::State& state) {
    for (size_t u = done.round.units.size(); u-- > 0;) {  // in the other order
      const auto fresh = program.make_scratch();
      for (const auto& scratch : {used.get(), fresh.get()}) {
        const FloatingPointScope floating_point;
        auto again = program.compute({.round = done.round,
                                      .unit = done.round.units[u],
                                      .shared = before.shared,
                                      .private_state = {},
                                      .scratch = *scratch,
                                      .progress = progress});
        EXPECT_TRUE(std::ranges::equal(again.update.flat(), done.outcomes[u].update.flat()));
        EXPECT_EQ(again.blob, done.outcomes[u].blob);
        ++units;
        // The next update may lie where this one was: every number of it is written.
        for (int t = 0; t < again.update.layout().size(); ++t)
          std::ranges::fill(again.update.values(t), 7.0F);
        scratch->keep(std::move(again.update));
      }
    }
    before = state;
  });
  EXPECT_EQ(units, 2 * (2 * (2 + 2 * 5) + 2 * 5));
}

double error_on(const Trial& trial, const ParamSet& params, const std::vector<int64_t>& rows) {
  LearnerScratch scratch;
  Batch batch;
  trial.source->read(rows, batch);
  const Tally tally = evaluate(*trial.network, trial.loss, params, batch, scratch);
  return static_cast<double>(tally.errors) / static_cast<double>(tally.rows);
}

// Bars against stripes, with one pixel in twenty flipped. No linear model can tell them apart.
TEST(NetworkProgram, OfABeliefNetworkLearnsBarsAndStripes) {
  Trial trial("dbn", {32, 16}, 1000, 400);
  trial.job.pretrain.epochs = 20;
  trial.job.finetune.epochs = 60;
  trial.job.pretrain.batch = trial.job.finetune.batch = 10;
  trial.job.reduce.local_steps = 10;
  const auto program = trial.program();
  double first = 0, last = 0;
  const auto state = run_serially(program, [&](const Done& done, const auto&) {
    if (done.round.phase != "pretrain.0" || done.report.event == "superstep") return;
    if (done.round.epoch == 0) first = done.measure("loss");
    last = done.measure("loss");
  });
  EXPECT_LT(last, 0.6 * first);
  EXPECT_LT(error_on(trial, program.result(state), trial.job.valid_rows), 0.04);
  EXPECT_GT(error_on(trial, program.result(program.initial()), trial.job.valid_rows), 0.4);

  Trial linear("logistic", {}, 1000, 400);
  linear.job.finetune.epochs = 20;
  const auto linear_program = linear.program();
  EXPECT_GT(
      error_on(linear, linear_program.result(run_serially(linear_program)), linear.job.valid_rows),
      0.3);
}

}  // namespace
}  // namespace superstep::training
