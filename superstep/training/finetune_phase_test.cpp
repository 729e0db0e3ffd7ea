#include "superstep/training/finetune_phase.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "superstep/training/testing.h"

namespace superstep::training {
namespace {

using testing::Done;
using testing::numbers;
using testing::run_serially;
using testing::tensors;
using testing::Trial;

// A long step makes the errors go up and down. Stops in the first epoch that lies `patience` epochs
// after the best one, and says so as a phase that has had all its epochs does.
TEST(FinetunePhase, StopsWhenPatienceIsAtAnEnd) {
  for (const bool keep : {true, false}) {
    Trial trial("mlp", {6}, 100, 60);
    trial.job.finetune.epochs = 60;
    trial.job.finetune.learning_rate = 4;
    trial.job.finetune.schedule = "constant";
    trial.job.finetune.patience = 3;
    trial.job.finetune.keep_best = keep;
    const auto program = trial.program();
    double best_error = 2, best_loss = 0;
    int64_t best = 0, epochs = 0;
    std::string event;
    const auto state = run_serially(program, [&](const Done& done, const auto&) {
      if (done.round.args != kValid) return;
      EXPECT_TRUE(event.empty() || event == "epoch");
      event = done.report.event;
      ++epochs;
      const double error = done.measure("valid_error"), loss = done.measure("valid_loss");
      if (error < best_error || (error == best_error && loss < best_loss)) {
        best_error = error;
        best_loss = loss;
        best = epochs;
      }
      EXPECT_EQ(event, epochs - best == 3 ? "phase" : "epoch");
    });
    EXPECT_EQ(event, "phase");
    EXPECT_EQ(epochs, best + 3);
    EXPECT_LT(epochs, 60);
    EXPECT_EQ(program.epochs_done(state), epochs);
    EXPECT_EQ(program.best_epoch(state), best);
    for (const float v : state.shared.values("velocity.layer.0.weight")) EXPECT_EQ(v, 0.0F);
  }
}

// Whatever it is that makes a loss no number; the errors of such an epoch would be the fewest.
TEST(FinetunePhase, NeverTakesALossThatIsNoNumberForTheBest) {
  Trial trial("mlp", {6}, 45, 20);
  const auto program = trial.program();
  reduce::State state = program.initial();
  const reduce::Round round{.phase = kFinetune,
                            .epoch = 0,
                            .superstep = 1,
                            .args = Bytes(kValid),
                            .units = {{.id = 0, .begin = 0, .end = 20, .weight = 20}}};
  const auto spec = program.update_spec(round);
  const auto best_after = [&](double loss, int64_t errors) {
    const Bytes blob = to_bytes(Tally{.rows = 20, .loss = loss, .errors = errors});
    program.apply(round, state, reduce::ExactSum(spec, 20, 1), {blob});
    return program.best_epoch(state);
  };
  EXPECT_EQ(best_after(std::nan(""), 0), 0);
  EXPECT_EQ(best_after(std::numeric_limits<double>::infinity(), 0), 0);
  EXPECT_EQ(best_after(14.0, 9), 1);
}

TEST(FinetunePhase, ChoosesByTheWholeNetWithoutDropoutAndWeights) {
  Trial trial("dbn", {6, 4}, 45, 30);
  trial.job.finetune.dropout = 0.5;
  trial.job.finetune.input_dropout = 0.2;
  trial.job.class_weights = {0.5F, 3.0F};
  Batch batch;
  trial.source->read(trial.job.valid_rows, batch);
  int epochs = 0;
  run_serially(trial.program(), [&](const Done& done, const reduce::State& state) {
    if (done.round.args != kValid) return;
    ++epochs;
    LearnerScratch scratch;
    const Tally tally = evaluate(*trial.network, trial.loss, state.shared, batch, scratch);
    EXPECT_EQ(done.measure("valid_loss"), tally.loss / 30);
    EXPECT_EQ(done.measure("valid_error"), static_cast<double>(tally.errors) / 30);
  });
  EXPECT_EQ(epochs, 2);
}

// The output layer begins at zero, so the first minibatches have log 2 for every row, times the
// weight of its class: of ten rows from 2 to 3 times log 2.
TEST(FinetunePhase, WeighsTheRowsOfAClass) {
  Trial trial("mlp", {6}, 45);
  trial.job.reduce.local_steps = 1;
  trial.job.class_weights = {2.0F, 3.0F};
  int first = 0;
  run_serially(trial.program(), [&](const Done& done, const auto&) {
    if (done.round.superstep > 0) return;
    ++first;
    const double stripes = (done.measure("loss") / std::log(2.0) - 2) * 10;  // how many of them
    EXPECT_NEAR(stripes, std::round(stripes), 1e-5);
    EXPECT_GT(stripes, 0.5);
    EXPECT_LT(stripes, 9.5);
  });
  EXPECT_EQ(first, 1);
}

using Tensors = std::map<std::string, std::vector<float>>;

// One superstep of one replica and one minibatch without momentum: by how much tensors change is
// the step length, 1/4, times their gradient. And what they were.
std::pair<Tensors, Tensors> one_step(const std::function<void(FinetuneConfig&)>& set) {
  Trial trial("mlp", {6, 5}, 40);
  ParamSet start = trial.network->initial(RngKey(1));
  fill_normal(RngKey(2), 0, start.values("layer.2.weight"));  // zero would pass nothing down
  trial.job.start = &start;
  trial.job.reduce.replicas = 1;
  trial.job.finetune.batch = 40;
  trial.job.finetune.epochs = 1;
  trial.job.finetune.momentum = 0;
  trial.job.finetune.learning_rate = 0.25;
  trial.job.finetune.schedule = "constant";
  set(trial.job.finetune);
  const auto program = trial.program();
  ParamSet moved = program.result(run_serially(program));
  for (size_t i = 0; i < moved.flat().size(); ++i) moved.flat()[i] -= start.flat()[i];
  return {tensors(moved), tensors(start)};
}

// A layer of rate 1/2 makes half the step, and one of rate 0 none.
TEST(FinetunePhase, HasARateForALayer) {
  const auto [whole, start] = one_step([](FinetuneConfig&) {});
  const auto [less, same_start] = one_step([](FinetuneConfig& config) {
    config.layers[0].rate = 0.5;
    config.layers[1].rate = 0;
  });
  for (const auto& [name, values] : whole) {
    const double share = name.starts_with("layer.0.") ? 0.5 : name.starts_with("layer.1.") ? 0 : 1;
    double largest = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(less.at(name)[i], share * double{values[i]}, 1e-6) << name;
      largest = std::max(largest, std::abs(double{values[i]}));
    }
    EXPECT_GT(largest, 1e-4) << name;
  }
}

// The gradient of a weight gets l2 w + l1 sign(w), with what its layer says; that of a bias
// nothing.
TEST(FinetunePhase, HasADecayForALayer) {
  const auto [plain, start] = one_step([](FinetuneConfig&) {});
  const auto [decayed, same_start] = one_step([](FinetuneConfig& config) {
    config.l1 = 0.01;
    config.l2 = 0.02;
    config.layers[0].l1 = 0.03;
    config.layers[1].l2 = 0;
  });
  for (const auto& [name, values] : plain) {
    const bool weight = name.ends_with(".weight");
    const double l1 = !weight ? 0 : name.starts_with("layer.0.") ? 0.03 : 0.01;
    const double l2 = !weight ? 0 : name.starts_with("layer.1.") ? 0 : 0.02;
    for (size_t i = 0; i < values.size(); ++i) {
      const double w = start.at(name)[i];
      const double decay = l2 * w + (w > 0 ? l1 : w < 0 ? -l1 : 0);
      EXPECT_NEAR(decayed.at(name)[i], double{values[i]} - 0.25 * decay, 3e-7) << name;
    }
  }
}

double widest_column(const ParamSet& params, const std::string& name) {
  const auto w = params.matrix(name);
  double widest = 0;
  for (size_t j = 0; j < static_cast<size_t>(w.cols); ++j) {
    double square = 0;
    for (int64_t i = 0; i < w.rows; ++i) square += double{w.row(i)[j]} * double{w.row(i)[j]};
    widest = std::max(widest, std::sqrt(square));
  }
  return widest;
}

// The mean of replicas that are each within a norm is within it.
TEST(FinetunePhase, KeepsWeightsWithinTheNormOfTheirLayer) {
  Trial trial("mlp", {6, 5}, 100);
  trial.job.finetune.learning_rate = 2;
  trial.job.finetune.epochs = 10;
  const auto free_program = trial.program();
  const ParamSet free = free_program.result(run_serially(free_program));
  trial.job.finetune.max_norm = 1.5;
  trial.job.finetune.layers[1].max_norm = 0.75;
  const auto program = trial.program();
  const ParamSet held = program.result(run_serially(program));
  for (const auto& [name, limit] : {std::pair<std::string, double>{"layer.0.weight", 1.5},
                                    {"layer.1.weight", 0.75},
                                    {"layer.2.weight", 1.5}}) {
    EXPECT_GT(widest_column(free, name), limit) << name;
    EXPECT_LE(widest_column(held, name), limit + 1e-5) << name;
  }
}

// State that is kept travels as tensors beside the network's own; state that is not has none.
TEST(FinetunePhase, HasTensorsForTheStateThatIsAveragedAlone) {
  const auto prefixes = [](const std::string& optimizer, const std::string& state) {
    Trial trial("dbn", {6, 4}, 45);
    for (PhaseConfig* phase : {static_cast<PhaseConfig*>(&trial.job.pretrain),
                               static_cast<PhaseConfig*>(&trial.job.finetune)}) {
      phase->optimizer = optimizer;
      phase->optimizer_state = state;
    }
    trial.job.pretrain.optimizer_state = "reset";
    std::string text;
    const ParamSet initial = trial.program().initial().shared;
    for (const ParamSpec& spec : initial.layout().specs())
      if (spec.name.ends_with("layer.0.bias")) text += spec.name + " ";
    return text;
  };
  EXPECT_EQ(prefixes("sgd", "reset"), "layer.0.bias ");
  EXPECT_EQ(prefixes("sgd", "average"), "layer.0.bias velocity.layer.0.bias ");
  EXPECT_EQ(prefixes("adam", "reset"), "layer.0.bias ");
  const std::string adam = prefixes("adam", "average");
  EXPECT_EQ(std::ranges::count(adam, ' '), 3) << adam;
}

// Adam that begins anew at every superstep is at its first step: whatever the gradient, a number
// moves by the step length (Kingma and Ba 2015, section 2.1). Kept, it is not.
TEST(FinetunePhase, CountsTheStepsOfAnOptimizerFromWhereItsStateBegan) {
  for (const std::string kept : {"reset", "average"}) {
    Trial trial("mlp", {6}, 45);
    trial.job.reduce.replicas = 1;
    trial.job.reduce.local_steps = 1;
    trial.job.finetune.optimizer = "adam";
    trial.job.finetune.optimizer_state = kept;
    trial.job.finetune.learning_rate = 0.125;
    trial.job.finetune.schedule = "constant";
    int firsts = 0, others = 0;
    run_serially(trial.program(), [&](const Done& done, const auto&) {
      for (const float change : done.outcomes[0].update.values("layer.1.bias"))
        (std::abs(std::abs(change) - 0.125F) < 1e-4F ? firsts : others) += 1;
    });
    EXPECT_EQ(firsts + others, 2 * 2 * 9);  // epochs, classes, minibatches
    if (kept == "reset")
      EXPECT_EQ(others, 0);
    else
      EXPECT_GT(others, 20);
  }
}

// One replica is averaged with nobody: weights, state and steps go on as if it had not been, but
// for the rounding of changes. Chains go on too; offsets are left out, for they move when averaged.
TEST(FinetunePhase, OfOneReplicaDoesNotDependOnHowOftenItIsAveraged) {
  for (const std::string optimizer : {"sgd", "nesterov", "adagrad", "rmsprop", "adam"}) {
    const auto trained = [&](int64_t local_steps) {
      Trial trial("dbn", {6, 4}, 45);
      trial.job.reduce.replicas = 1;
      trial.job.reduce.local_steps = local_steps;
      trial.job.pretrain.centering = false;
      trial.job.pretrain.persistent = true;
      for (PhaseConfig* phase : {static_cast<PhaseConfig*>(&trial.job.pretrain),
                                 static_cast<PhaseConfig*>(&trial.job.finetune)}) {
        phase->optimizer = optimizer;
        phase->learning_rate = 0.02;
        phase->schedule = "cosine";
        phase->warmup_epochs = 0.5;
      }
      const auto program = trial.program();
      return program.result(run_serially(program));
    };
    const ParamSet often = trained(1), seldom = trained(9);
    double largest = 0;
    for (size_t i = 0; i < often.flat().size(); ++i) {
      EXPECT_NEAR(often.flat()[i], seldom.flat()[i], 2e-4) << optimizer << ", " << i;
      largest = std::max(largest, std::abs(double{often.flat()[i]}));
    }
    EXPECT_GT(largest, 0.1);
  }
}

// Phases may have other optimizers: the state of each is beside the other's, and zero in the end.
TEST(FinetunePhase, MayHaveAnotherOptimizerThanPretraining) {
  Trial trial("dbn", {6, 4}, 45, 20);
  trial.job.pretrain.optimizer = "adagrad";
  trial.job.finetune.optimizer = "nesterov";
  std::map<std::string, std::set<std::string>> used;  // phase: prefixes that were not zero
  run_serially(trial.program(), [&](const Done& done, const reduce::State& state) {
    for (const auto& [name, values] : tensors(state.shared)) {
      const std::string prefix = name.substr(0, name.find('.'));
      if (prefix == "layer" || prefix == "offset") continue;
      if (std::ranges::any_of(values, [](float v) { return v != 0; })) {
        used[done.round.phase].insert(prefix);
        EXPECT_NE(done.report.event, "phase") << name;
      }
    }
  });
  ASSERT_EQ(used.size(), 3U);
  EXPECT_EQ(used["pretrain.0"].size(), 1U);
  EXPECT_EQ(used["pretrain.0"], used["pretrain.1"]);
  EXPECT_EQ(used["finetune"].size(), 1U);
  EXPECT_NE(used["finetune"], used["pretrain.0"]);
}

}  // namespace
}  // namespace superstep::training
