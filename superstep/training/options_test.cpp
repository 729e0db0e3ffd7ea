// Every option of training under the rule that a unit is a pure function: the same bytes whoever
// computes it, in any order, with anything kept or not, straight through or from a checkpoint at
// any kind of round.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "superstep/data/joined_source.h"
#include "superstep/training/testing.h"

namespace superstep::training {
namespace {

using testing::Done;
using testing::numbers;
using testing::run_from;
using testing::Stand;
using testing::Trial;

// All bytes that a job ends with.
Bytes bytes_of(const Stand& stand) {
  ByteWriter out;
  out.put_array(stand.state.shared.flat());
  out.put_array(stand.state.outer.flat());
  Bytes bytes = std::move(out).take() + stand.state.notes;
  for (const auto& [id, state] : stand.private_states)
    if (!state.empty()) bytes += fmt::format("{}:", id) + state;
  return bytes;
}

struct Option {
  std::string name;
  std::function<void(Trial&)> set;
  bool generative = false;
};

void optimize(Trial& trial, const std::string& optimizer, const std::string& state) {
  for (PhaseConfig* phase : {static_cast<PhaseConfig*>(&trial.job.pretrain),
                             static_cast<PhaseConfig*>(&trial.job.finetune)}) {
    phase->optimizer = optimizer;
    phase->optimizer_state = state;
    phase->learning_rate = 0.01;
  }
}

std::vector<Option> options() {
  std::vector<Option> all = {
      {"plain", [](Trial&) {}},
      {"persistent", [](Trial& t) { t.job.pretrain.persistent = true; }},
      {"steps", [](Trial& t) { t.job.pretrain.cd_steps = 3; }},
      {"persistent_steps",
       [](Trial& t) {
         t.job.pretrain.persistent = true;
         t.job.pretrain.cd_steps = 2;
       }},
      {"sparsity", [](Trial& t) { t.job.pretrain.sparsity_target = 0.1; }},
      {"not_centred", [](Trial& t) { t.job.pretrain.centering = false; }},
      {"dropout", [](Trial& t) { t.job.finetune.dropout = 0.5; }},
      {"input_dropout", [](Trial& t) { t.job.finetune.input_dropout = 0.2; }},
      {"max_norm", [](Trial& t) { t.job.pretrain.max_norm = t.job.finetune.max_norm = 0.05; }},
      {"clip_norm", [](Trial& t) { t.job.pretrain.clip_norm = t.job.finetune.clip_norm = 0.01; }},
      {"l1", [](Trial& t) { t.job.pretrain.l1 = t.job.finetune.l1 = 0.01; }},
      {"l2", [](Trial& t) { t.job.pretrain.l2 = t.job.finetune.l2 = 0.01; }},
      {"warmup", [](Trial& t) { t.job.pretrain.warmup_epochs = t.job.finetune.warmup_epochs = 1; }},
      {"class_weights",
       [](Trial& t) {
         t.job.class_weights = {0.5F, 1.5F};
       }},
      {"patience",
       [](Trial& t) {
         t.job.finetune.epochs = 12;
         t.job.finetune.learning_rate = 4;
         t.job.finetune.patience = 2;
       }},
      {"not_best", [](Trial& t) { t.job.finetune.keep_best = false; }},
      {"sample_reconstruction", [](Trial& t) { t.job.pretrain.sample_reconstruction = true; }},
      {"outer", [](Trial& t) { t.job.reduce.outer = "nesterov"; }},
      {"layers",
       [](Trial& t) {
         t.job.pretrain.layers[1] = {.epochs = 3,
                                     .batch = 4,
                                     .cd_steps = 2,
                                     .learning_rate = 0.05,
                                     .momentum = 0.1,
                                     .l1 = 0.001,
                                     .l2 = 0.001,
                                     .max_norm = 1,
                                     .persistent = true,
                                     .sample_reconstruction = false,
                                     .sparsity_target = 0.2,
                                     .sparsity_cost = 0.3};
         t.job.finetune.layers[0] = {.rate = 0, .l1 = {}, .l2 = {}, .max_norm = {}, .dropout = 0.1};
         t.job.finetune.layers[2] = {
             .rate = 0.5, .l1 = 0.001, .l2 = 0.01, .max_norm = 0.5, .dropout = 0.3};
       }},
      {"unlabelled",
       [](Trial& t) {
         t.job.pretrain_source = std::make_shared<data::JoinedSource>(
             t.source, 65, std::make_shared<data::MatrixSource>(testing::bars_and_stripes(60, 9)));
         t.job.pretrain_rows = numbers(0, 45);
         for (const int64_t row : numbers(65, 125)) t.job.pretrain_rows.push_back(row);
       }},
      {"pretrain_only", [](Trial& t) { t.job.finetune_network = false; }},
      {"finetune_only", [](Trial& t) { t.job.pretrain_machines = false; }},
      {"generative_up_down",
       [](Trial& t) {
         t.job.finetune.method = "up_down";
         t.job.finetune.learning_rate = 0.01;
       },
       true},
      {"generative_backpropagation", [](Trial&) {}, true},
      {"all", [](Trial& t) {
         optimize(t, "adam", "average");
         auto& pretrain = t.job.pretrain;
         pretrain.persistent = true;
         pretrain.cd_steps = 2;
         pretrain.sparsity_target = 0.1;
         pretrain.max_norm = 2;
         pretrain.clip_norm = 2;
         pretrain.schedule = "cosine";
         pretrain.warmup_epochs = 0.5;
         auto& finetune = t.job.finetune;
         finetune.dropout = 0.5;
         finetune.input_dropout = 0.2;
         finetune.max_norm = 2;
         finetune.clip_norm = 2;
         finetune.schedule = "exponential";
         finetune.patience = 2;
         t.job.class_weights = {0.5F, 1.5F};
         t.job.reduce.outer = "nesterov";
       }}};
  for (const std::string optimizer : {"sgd", "nesterov", "adagrad", "rmsprop", "adam"})
    for (const std::string state : {"average", "reset"})
      all.push_back({optimizer + "_" + state, [=](Trial& t) { optimize(t, optimizer, state); }});
  for (const std::string schedule : {"linear", "cosine", "exponential"})
    all.push_back({schedule, [=](Trial& t) {
                     t.job.pretrain.schedule = t.job.finetune.schedule = schedule;
                   }});
  return all;
}

// 45 rows for three replicas in batches of 5 and 20 to choose by.
Trial trial_of(const Option& option) {
  Trial trial(option.generative ? Trial::generative({6, 5, 4}) : Trial::config_of("dbn", {6, 4}),
              45, 20);
  trial.job.reduce.replicas = 3;
  trial.job.finetune.schedule = "constant";
  option.set(trial);
  return trial;
}

class EveryOption : public ::testing::TestWithParam<Option> {};

TEST_P(EveryOption, GivesTheSameBytesOnThreeLanesInTheOtherOrder) {
  Trial trial = trial_of(GetParam());
  const auto program = trial.program();
  const Bytes wanted = bytes_of(run_from({program.initial(), {}, {}}, program, 1));
  trial.job.cache_bytes = 20 * 6 * 4;  // some rows are kept, others computed again
  const auto again = trial.program();
  EXPECT_TRUE(bytes_of(run_from({again.initial(), {}, {}}, again, 3)) == wanted);
}

// From after the first round of every kind in every phase, and from after the last of it.
TEST_P(EveryOption, GoesOnFromACheckpointToTheSameBytes) {
  const Trial trial = trial_of(GetParam());
  const auto program = trial.program();
  std::map<std::string, Stand> stands;
  const Stand end =
      run_from({program.initial(), {}, {}}, program, 1, [&](const Done& done, const Stand& stand) {
        const std::string kind = done.round.phase + " " + done.round.args;
        stands.try_emplace(kind + " first", stand);
        stands.insert_or_assign(kind + " last", stand);
      });
  std::set<std::string> kinds;
  for (const auto& [kind, stand] : stands) {
    kinds.insert(stand.last->args);
    // As a checkpoint has it: the round is written and read.
    Stand from = stand;
    from.last = reduce::round_from_bytes(reduce::to_bytes(*stand.last));
    const auto other = trial.program();
    EXPECT_TRUE(bytes_of(run_from(from, other, 2)) == bytes_of(end)) << "from " << kind;
  }
  std::set<std::string> wanted = {"means", "train", "gap", "valid"};
  if (!trial.job.pretrain_machines) wanted = {"train", "valid"};
  if (!trial.job.finetune_network) wanted.erase("valid");
  EXPECT_EQ(kinds, wanted);
}

// Every option once more with rows whose zeros are left out.
std::vector<Option> sparse_options() {
  std::vector<Option> all;
  for (const Option& option : options()) {
    Option sparse = option;
    sparse.set = [set = option.set](Trial& trial) {
      set(trial);
      trial.job.form = Form::kSparse;
    };
    all.push_back(std::move(sparse));
  }
  return all;
}

class EveryOptionOnSparseRows : public ::testing::TestWithParam<Option> {};

TEST_P(EveryOptionOnSparseRows, EndsNearWhereItEndsOnDenseOnes) {
  Trial trial = trial_of(GetParam());
  ASSERT_EQ(trial.job.form, Form::kSparse);
  const auto sparse = trial.program();
  const Stand got = run_from({sparse.initial(), {}, {}}, sparse, 1);
  trial.job.form = Form::kDense;
  const auto dense = trial.program();
  const Stand wanted = run_from({dense.initial(), {}, {}}, dense, 1);
  const auto a = got.state.shared.flat(), b = wanted.state.shared.flat();
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a[i], b[i], 1e-4 * (1 + std::abs(b[i]))) << "number " << i;
}

INSTANTIATE_TEST_SUITE_P(Training, EveryOptionOnSparseRows, ::testing::ValuesIn(sparse_options()),
                         [](const auto& option) { return option.param.name; });
INSTANTIATE_TEST_SUITE_P(Sparse, EveryOption, ::testing::ValuesIn(sparse_options()),
                         [](const auto& option) { return option.param.name; });
INSTANTIATE_TEST_SUITE_P(Training, EveryOption, ::testing::ValuesIn(options()),
                         [](const auto& option) { return option.param.name; });

// No option is without effect, and none is another's.
TEST(Options, ChangeTheResultEach) {
  std::map<Bytes, std::string> seen;
  for (const Option& option : options()) {
    if (option.name == "sgd_average") continue;  // plain, with another rate
    const Trial trial = trial_of(option);
    const auto program = trial.program();
    const Stand end = run_from({program.initial(), {}, {}}, program, 1);
    const ParamSet result = program.result(end.state);
    ByteWriter out;
    out.put_array(std::span<const float>(result.flat()));
    const auto [at, fresh] = seen.try_emplace(std::move(out).take(), option.name);
    EXPECT_TRUE(fresh) << option.name << " is as " << at->second;
  }
}

}  // namespace
}  // namespace superstep::training
