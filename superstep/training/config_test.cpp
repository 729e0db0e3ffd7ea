#include "superstep/training/config.h"

#include <gtest/gtest.h>

#include "superstep/config/document.h"
#include "superstep/data/testing.h"
#include "superstep/training/testing.h"

namespace superstep::training {
namespace {

using testing::Done;
using testing::run_serially;
using testing::Trial;

// The sections [pretrain] and [finetune] of a job in TOML.
struct Job {
  explicit Job(const std::string& toml) {
    config::Document document;
    document.section("pretrain", "", [&](config::Section& s) { pretrain.declare(s); });
    document.section("finetune", "", [&](config::Section& s) { finetune.declare(s); });
    document.load_toml_text(toml, "job.toml");
  }
  PretrainConfig pretrain;
  FinetuneConfig finetune;
};

TEST(PretrainConfig, OfALayerIsThatOfAllWithWhatIsItsOwn) {
  const Job job(R"(
[pretrain.layer.1]
epochs = 7
batch = 25
learning_rate = 0.02
momentum = 0.3
l1 = 0.01
l2 = 0.02
max_norm = 3
cd_steps = 5
persistent = true
sparsity_target = 0.1
sparsity_cost = 0.6
[pretrain.layer.2]
cd_steps = 2
[pretrain]
epochs = 4
batch = 50
learning_rate = 0.5
momentum = 0.8
)");
  const PretrainConfig all = job.pretrain.for_layer(0), own = job.pretrain.for_layer(1),
                       few = job.pretrain.for_layer(2);
  EXPECT_EQ(all.epochs, 4);
  EXPECT_EQ(all.batch, 50);
  EXPECT_EQ(all.learning_rate, 0.5);
  EXPECT_EQ(all.momentum, 0.8);
  EXPECT_EQ(all.initial_momentum, 0.5);
  EXPECT_EQ(all.cd_steps, 1);
  EXPECT_FALSE(all.persistent);
  EXPECT_EQ(own.epochs, 7);
  EXPECT_EQ(own.batch, 25);
  EXPECT_EQ(own.learning_rate, 0.02);
  EXPECT_EQ(own.momentum, 0.3);
  EXPECT_EQ(own.initial_momentum, 0.3);  // one momentum throughout
  EXPECT_EQ(own.l1, 0.01);
  EXPECT_EQ(own.l2, 0.02);
  EXPECT_EQ(own.max_norm, 3);
  EXPECT_EQ(own.cd_steps, 5);
  EXPECT_TRUE(own.persistent);
  EXPECT_EQ(own.sparsity_target, 0.1);
  EXPECT_EQ(own.sparsity_cost, 0.6);
  EXPECT_EQ(few.cd_steps, 2);
  EXPECT_EQ(few.epochs, 4);
}

TEST(FinetuneConfig, HasDropoutBelowALayer) {
  const Job job(R"(
[finetune]
input_dropout = 0.2
dropout = 0.5
[finetune.layer.2]
dropout = 0.1
[finetune.layer.3]
rate = 0.5
)");
  EXPECT_EQ(job.finetune.dropout_below(0), 0.2);
  EXPECT_EQ(job.finetune.dropout_below(1), 0.5);
  EXPECT_EQ(job.finetune.dropout_below(2), 0.1);
  EXPECT_EQ(job.finetune.dropout_below(3), 0.5);
  EXPECT_EQ(job.finetune.layers.at(3).rate, 0.5);
}

TEST(PretrainConfig, RefusesLayersThatAreNotThere) {
  const models::ModelConfig two = Trial::config_of("dbn", {6, 4});
  Job pretrain("[pretrain.layer.2]\nepochs = 1\n"), finetune("[finetune.layer.3]\nrate = 1\n");
  EXPECT_ERROR(ConfigError, pretrain.pretrain.complete(two), "[pretrain.layer.2]", "2 layers");
  EXPECT_ERROR(ConfigError, finetune.finetune.complete(two), "[finetune.layer.3]", "3 layers");
  Job last("[pretrain.layer.1]\nepochs = 1\n[finetune.layer.2]\nrate = 1\n");
  EXPECT_NO_THROW(last.pretrain.complete(two));
  EXPECT_NO_THROW(last.finetune.complete(two));
  for (const std::string name : {"first", "-1", "1.5", "12345", "\"\""})
    EXPECT_THROW(Job("[pretrain.layer." + name + "]\nepochs = 1\n"), ConfigError) << name;
  EXPECT_THROW(Job("[pretrain.layer.0]\ndropout = 0.5\n"), ConfigError);  // of finetuning
  EXPECT_THROW(Job("[finetune.layer.0]\ndropout = 1.0\n"), ConfigError);
}

TEST(PretrainConfig, ReachesThePhases) {
  Trial trial("dbn", {6, 4}, 45);
  Job job("[pretrain.layer.1]\nepochs = 3\nbatch = 9\n[finetune.layer.0]\nrate = 0.0\n");
  trial.job.pretrain.layers = job.pretrain.layers;
  trial.job.finetune.layers = job.finetune.layers;
  const auto program = trial.program();
  EXPECT_EQ(program.epochs("pretrain.0"), 2);
  EXPECT_EQ(program.epochs("pretrain.1"), 3);
  std::map<std::string, int64_t> minibatches;
  std::vector<float> pretrained, finetuned;
  run_serially(program, [&](const Done& done, const reduce::State& state) {
    if (done.round.args == kTrain)
      for (const auto& unit : done.round.units)
        minibatches[done.round.phase] += unit.end - unit.begin;
    const auto w = state.shared.values("layer.0.weight");
    (done.round.phase == kFinetune ? finetuned : pretrained).assign(w.begin(), w.end());
  });
  EXPECT_EQ(minibatches["pretrain.0"], 2 * 9);
  EXPECT_EQ(minibatches["pretrain.1"], 3 * 5);  // 45 rows in batches of 9
  EXPECT_EQ(minibatches["finetune"], 2 * 9);
  EXPECT_EQ(pretrained, finetuned);
}

TEST(PretrainConfig, ChoosesTheStepLengthByTheUnits) {
  const auto rates = [](const std::string& kind, auto change) {
    models::ModelConfig model = Trial::config_of(kind, {6});
    Job job("");
    change(model, job);
    job.pretrain.complete(model);
    job.finetune.complete(model);
    return std::pair(*job.pretrain.learning_rate, *job.finetune.learning_rate);
  };
  const auto same = [](auto&, auto&) {};
  EXPECT_EQ(rates("dbn", same), std::pair(0.1, 0.3));
  EXPECT_EQ(rates("dbn", [](auto& m, auto&) { m.visible = "gaussian"; }), std::pair(0.001, 0.3));
  EXPECT_EQ(rates("dbn", [](auto& m, auto&) { m.hidden_units = "rectified"; }),
            std::pair(0.001, 0.02));
  EXPECT_EQ(rates("mlp", [](auto& m, auto&) { m.task = "regress"; }).second, 0.3);  // sigmoid
  EXPECT_EQ(rates("mlp",
                  [](auto& m, auto&) {
                    m.task = "regress";
                    m.activation = "relu";
                  })
                .second,
            0.01);
  EXPECT_EQ(rates("dbn", [](auto&, auto& j) { j.finetune.optimizer = "adam"; }).second, 0.001);
  EXPECT_EQ(rates("dbn",
                  [](auto& m, auto& j) {
                    m.generative = true;
                    j.finetune.method = "up_down";
                  })
                .second,
            0.001);
  EXPECT_EQ(rates("dbn", [](auto&, auto& j) { j.finetune.learning_rate = 0.7; }).second, 0.7);
  Job up_down("[finetune]\nmethod = \"up_down\"\n");
  EXPECT_ERROR(ConfigError, up_down.finetune.complete(Trial::config_of("dbn", {6})),
               "model.generative = true");
}

TEST(PretrainConfig, IsCentredInAnRbmAloneUnlessItIsSaid) {
  const auto centred = [](const std::string& kind, const std::string& toml) {
    Job job(toml);
    job.pretrain.complete(Trial::config_of(kind, {6}));
    return *job.pretrain.centering;
  };
  EXPECT_TRUE(centred("rbm", ""));
  EXPECT_FALSE(centred("dbn", ""));
  EXPECT_TRUE(centred("dbn", "[pretrain]\ncentering = true\n"));
  EXPECT_FALSE(centred("rbm", "[pretrain]\ncentering = false\n"));
}

// The gradient of a number has no bound of its own.
TEST(FinetuneConfig, ClipsTheGradientWhereANumberIsLearnedUnlessItIsSaid) {
  const auto clip = [](const std::string& task, const std::string& toml) {
    Job job(toml);
    models::ModelConfig model = Trial::config_of("mlp", {6});
    model.task = task;
    job.finetune.complete(model);
    return *job.finetune.clip_norm;
  };
  EXPECT_EQ(clip("regress", ""), 1);
  EXPECT_EQ(clip("classify", ""), 0);
  EXPECT_EQ(clip("regress", "[finetune]\nclip_norm = 0.0\n"), 0);
  EXPECT_EQ(clip("classify", "[finetune]\nclip_norm = 5.0\n"), 5);
}

TEST(LearningRate, FollowsItsScheduleOverAllStepsOfThePhase) {
  PhaseConfig phase;
  phase.learning_rate = 0.4;
  EXPECT_EQ(learning_rate_at(phase, 7, 10, 5), 0.4);
  phase.schedule = "linear";
  EXPECT_EQ(learning_rate_at(phase, 0, 10, 5), 0.4);
  EXPECT_DOUBLE_EQ(learning_rate_at(phase, 5, 10, 5), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate_at(phase, 9, 10, 5), 0.04);
  phase.final_rate = 0.5;
  EXPECT_DOUBLE_EQ(learning_rate_at(phase, 5, 10, 5), 0.3);
  phase.final_rate = std::nullopt;
  phase.schedule = "exponential";  // to a hundredth
  EXPECT_NEAR(learning_rate_at(phase, 5, 10, 5), 0.04, 1e-9);
  phase.schedule = "cosine";
  EXPECT_NEAR(learning_rate_at(phase, 5, 10, 5), 0.2, 1e-9);
  // Over one and a half epochs of 4 steps: step 6 is the first of full length.
  phase.schedule = "constant";
  phase.warmup_epochs = 1.5;
  EXPECT_NEAR(learning_rate_at(phase, 0, 20, 4), 0.4 / 7, 1e-9);
  EXPECT_NEAR(learning_rate_at(phase, 5, 20, 4), 0.4 * 6 / 7, 1e-9);
  EXPECT_DOUBLE_EQ(learning_rate_at(phase, 6, 20, 4), 0.4);
}

}  // namespace
}  // namespace superstep::training
