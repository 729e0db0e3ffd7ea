#include "superstep/training/pretrain_phase.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "superstep/data/joined_source.h"
#include "superstep/data/testing.h"
#include "superstep/training/testing.h"

namespace superstep::training {
namespace {

using layers::Rbm;
using testing::Done;
using testing::numbers;
using testing::run_serially;
using testing::tensors;
using testing::Trial;

// F(v) = -b'v - the sum over hidden units of log(1 + exp(c + v W)), in double.
double free_energy(const ParamSet& params, int first, ConstMatrix v, int64_t row) {
  const auto w = params.matrix(first + Rbm::kWeight);
  double energy = 0;
  for (int64_t i = 0; i < w.rows; ++i)
    energy -= double{params.values(first + Rbm::kVisibleBias)[static_cast<size_t>(i)]} *
              double{v.row(row)[static_cast<size_t>(i)]};
  for (int64_t j = 0; j < w.cols; ++j) {
    double x = double{params.values(first + Rbm::kBias)[static_cast<size_t>(j)]};
    for (int64_t i = 0; i < w.rows; ++i)
      x += double{w.row(i)[static_cast<size_t>(j)]} * double{v.row(row)[static_cast<size_t>(i)]};
    energy -= std::log1p(std::exp(x));
  }
  return energy;
}

// 700 rows to choose by and 800 to learn from: 1,400 rows in two units, the first of which holds
// rows of both kinds. Those learned from are the first 700.
TEST(PretrainPhase, MeasuresTheGapOfFreeEnergies) {
  Trial trial("dbn", {6, 4}, 800, 700);
  trial.job.pretrain.batch = 50;
  trial.job.finetune.epochs = 0;
  const auto program = trial.program();
  int gaps = 0;
  run_serially(program, [&](const Done& done, const reduce::State& state) {
    if (done.round.args != kGap) return;
    ++gaps;
    ASSERT_EQ(done.round.units.size(), 2U);
    const int layer = done.round.phase == "pretrain.0" ? 0 : 1;
    kernels::Context context;
    models::Network::Workspace work;
    const auto mean_of = [&](int64_t begin) {
      Batch batch;
      trial.source->read(numbers(begin, begin + 700), batch);
      const layers::Pass pass{layers::Mode::kEvaluate, RngKey(0), batch.row_numbers, context};
      const auto v = trial.network->forward(state.shared, batch.x.matrix(), layer, work, pass);
      double sum = 0;
      for (int64_t r = 0; r < 700; ++r)
        sum += free_energy(state.shared, trial.network->first(layer), v, r);
      return sum / 700;
    };
    const double train = mean_of(0), valid = mean_of(800);
    EXPECT_NEAR(done.measure("free_energy"), train, 1e-5 * std::abs(train));
    EXPECT_NEAR(done.measure("valid_free_energy"), valid, 1e-5 * std::abs(valid));
    EXPECT_NEAR(done.measure("free_energy_gap"), valid - train, 2e-5 * std::abs(train));
    EXPECT_EQ(done.measure("rows"), 800);  // and the epoch's own measures
    EXPECT_GT(done.measure("loss"), 0);
  });
  EXPECT_EQ(gaps, 2 * 2);
}

TEST(PretrainPhase, HasNoGapWithoutRowsToChooseByOrAFreeEnergy) {
  models::ModelConfig rectified = Trial::config_of("rbm", {6});
  rectified.hidden_units = "rectified";
  for (const Trial& trial :
       {Trial("rbm", {6}, 45), Trial(rectified, 45, 20), Trial(Trial::generative({6}), 45, 20)}) {
    int epochs = 0;
    run_serially(trial.program(), [&](const Done& done, const auto&) {
      EXPECT_NE(done.round.args, kGap);
      if (done.round.phase != "pretrain.0" || done.report.event == "superstep") return;
      EXPECT_EQ(done.measure("free_energy_gap"), -1);
      EXPECT_EQ(done.measure("rows"), 45);
      ++epochs;
    });
    EXPECT_EQ(epochs, 2);
  }
}

// Offsets of visible units are their means; those of hidden ones start at a half and follow the
// mean activation: after a superstep of n minibatches a share of 1 - 0.99^n is new.
TEST(PretrainPhase, MovesTheHiddenOffsetTowardTheMeanActivation) {
  const Trial trial("rbm", {6}, 45);
  ParamSet before;
  int supersteps = 0;
  run_serially(trial.program(), [&](const Done& done, const reduce::State& state) {
    const auto hidden = state.shared.values(PretrainPhase::hidden_offset(0));
    if (done.round.args == kMeans) {
      Batch batch;
      trial.source->read(numbers(0, 45), batch);
      for (size_t i = 0; i < 16; ++i) {
        double mean = 0;
        for (int64_t r = 0; r < 45; ++r) mean += double{batch.x.matrix().row(r)[i]} / 45;
        EXPECT_NEAR(state.shared.values(PretrainPhase::visible_offset(0))[i], mean, 1e-6);
      }
      for (const float offset : hidden) EXPECT_EQ(offset, 0.5F);
    } else {
      ++supersteps;
      const auto& units = done.round.units;
      const double taken =
          1 - std::pow(0.99, static_cast<double>(units.front().end - units.front().begin));
      for (size_t j = 0; j < hidden.size(); ++j) {
        const double old = before.values(PretrainPhase::hidden_offset(0))[j];
        double change = 0, rows = 0;
        for (const auto& outcome : done.outcomes) {
          const auto weight = static_cast<double>(outcome.weight);
          change += weight * double{outcome.update.values(PretrainPhase::hidden_offset(0))[j]};
          rows += weight;
        }
        EXPECT_NEAR(hidden[j], old + taken * change / rows, 1e-7);
        EXPECT_NEAR(old + change / rows, 0.5, 0.5);  // the mean of activations: within 0 and 1
      }
    }
    before = state.shared;
  });
  EXPECT_EQ(supersteps, 6);
}

// The tensors of a machine whose data were 1 where they are 0:
//   v -> 1 - v,  W -> -W,  b -> -b,  c -> c + the sum of the rows of W.
ParamSet flipped(const ParamSet& params) {
  ParamSet other = params;
  const auto w = params.matrix("layer.0.weight");
  for (int64_t i = 0; i < w.rows; ++i)
    for (size_t j = 0; j < w.row(i).size(); ++j) {
      other.matrix("layer.0.weight").row(i)[j] *= -1;
      other.values("layer.0.bias")[j] += w.row(i)[j];
    }
  for (float& b : other.values("layer.0.visible_bias")) b *= -1;
  return other;
}

// Two machines that are each other's mirror image, on rows that are each other's negatives; weight
// decay would pull both toward other machines. The same keys draw the same hidden states.
double apart_after_training(bool centred, double* moved) {
  Trial plain("rbm", {6}, 60), negative("rbm", {6}, 60);
  Batch batch;
  plain.source->read(numbers(0, 60), batch);
  Tensor x({60, 16});
  for (size_t i = 0; i < x.values().size(); ++i)
    x.values()[i] = 1 - std::as_const(batch.x).values()[i];
  negative.job.train = std::make_shared<data::MatrixSource>(std::move(x));
  ParamSet start = plain.network->initial(RngKey(1));
  fill_normal(RngKey(2), 0, start.values("layer.0.visible_bias"));
  const ParamSet mirrored = flipped(start);
  plain.job.start = &start;
  negative.job.start = &mirrored;
  for (Trial* trial : {&plain, &negative}) {
    trial->job.pretrain.centering = centred;
    trial->job.pretrain.l2 = 0;
    trial->job.pretrain.epochs = 6;
  }
  const auto a = plain.program(), b = negative.program();
  const ParamSet wanted = flipped(a.result(run_serially(a))), got = b.result(run_serially(b));
  double apart = 0;
  *moved = 0;
  for (size_t i = 0; i < got.flat().size(); ++i) {
    apart = std::max(apart, std::abs(double{got.flat()[i]} - double{wanted.flat()[i]}));
    *moved = std::max(*moved, std::abs(double{got.flat()[i]} - double{mirrored.flat()[i]}));
  }
  return apart;
}

TEST(PretrainPhase, LearnsTheNegativeOfAPictureAsWellWhenCentred) {
  double moved = 0;
  EXPECT_LT(apart_after_training(true, &moved), 1e-4);
  EXPECT_GT(moved, 0.3);
  EXPECT_GT(apart_after_training(false, &moved), 0.03);
}

// Rows of 4 columns: around 100, around 0, ten times as wide as it may be, and fine.
std::shared_ptr<data::MatrixSource> columns_of_any_scale() {
  Tensor x({45, 4});
  fill_normal(RngKey(1), 0, x.values());
  for (int64_t r = 0; r < 45; ++r) {
    x.matrix().row(r)[0] *= 0.5F;
    x.matrix().row(r)[2] = 100 + x.matrix().row(r)[2];
  }
  return std::make_shared<data::MatrixSource>(std::move(x));
}

TEST(PretrainPhase, RefusesColumnsThatWereNotStandardised) {
  for (const std::string visible : {"gaussian", "linear"}) {
    models::ModelConfig config = Trial::config_of("rbm", {6});
    config.visible = visible;
    const models::Network network = models::make_network(config, 4, 0);
    Trial trial(config, 45);
    trial.job.network = &network;
    trial.job.train = columns_of_any_scale();
    EXPECT_ERROR(ConfigError, run_serially(trial.program()), "column 2 has mean 1", visible,
                 "data.scale = \"standardise\"");
    trial.job.columns = {"north", "east", "height", "depth"};
    EXPECT_ERROR(ConfigError, run_serially(trial.program()), "column 'height' has mean");
  }
}

// Eight words of two subjects, each with four of its own: rows count ten words, nine of them mostly
// of one subject.
std::shared_ptr<data::MatrixSource> counts_of_words() {
  Tensor x({300, 16});
  for (int64_t r = 0; r < 300; ++r) {
    const RngKey key = RngKey(4).fold(static_cast<uint64_t>(r));
    const uint64_t subject = key.bits(0) % 2;
    for (uint64_t word = 1; word <= 10; ++word)
      x.matrix().row(r)[(word == 10 ? 1 - subject : subject) * 8 + key.bits(word) % 8] += 1;
  }
  return std::make_shared<data::MatrixSource>(std::move(x));
}

// 4 kinds of visible units and 4 of hidden ones: bars and stripes of 0 and 1 for binary units, of
// -1 and 1 for Gaussian and linear ones, counts for softmax. Units without bounds want short steps.
TEST(PretrainPhase, LearnsWithEveryKindOfUnits) {
  const auto rate = [](const std::string& visible, const std::string& hidden) {
    const bool bounded = hidden == "binary" || hidden == "softmax";
    if (visible == "binary") return bounded ? 0.1 : 0.01;
    if (visible == "softmax") return bounded ? 0.01 : 0.001;
    return hidden == "softmax" ? 0.03 : bounded ? 0.01 : 0.003;
  };
  for (const std::string visible : {"binary", "gaussian", "linear", "softmax"})
    for (const std::string hidden : {"binary", "rectified", "gaussian", "softmax"})
      for (const bool persistent : {false, true}) {
        // Chains want bounds on one side, and noise on the other, or they go astray (rbm.h); those
        // of counts hardly leave a subject.
        const bool bounded = hidden == "binary" || hidden == "softmax";
        if (persistent && visible != "binary" && !(visible == "gaussian" && bounded)) continue;
        models::ModelConfig config = Trial::config_of("rbm", {12});
        config.visible = visible;
        config.hidden_units = hidden;
        Trial trial(config, 300);
        if (visible == "softmax") trial.job.train = counts_of_words();
        if (visible == "gaussian" || visible == "linear") {
          Batch batch;
          trial.source->read(numbers(0, 300), batch);
          for (float& v : batch.x.values()) v = 2 * v - 1;
          trial.job.train = std::make_shared<data::MatrixSource>(batch.x);
        }
        trial.job.pretrain.learning_rate = rate(visible, hidden);
        trial.job.pretrain.epochs = 30;
        trial.job.pretrain.persistent = persistent;
        std::vector<double> losses;
        run_serially(trial.program(), [&](const Done& done, const reduce::State& state) {
          if (done.report.event == "superstep") return;
          losses.push_back(done.measure("loss"));
          for (const float v : state.shared.flat()) ASSERT_TRUE(std::isfinite(v));
        });
        ASSERT_EQ(losses.size(), 30U);
        EXPECT_LT(losses.back() / losses.front(), 0.85)
            << visible << " -> " << hidden << ", persistent " << persistent;
      }
}

// Until up-down both directions are one: what a machine learned is what it generates by.
TEST(PretrainPhase, LeavesAGenerativeNetTied) {
  Trial trial(Trial::generative({6, 5, 4}), 45, 20);
  trial.job.finetune.epochs = 0;
  std::map<std::string, std::string> moved;
  auto before = tensors(trial.program().initial().shared);
  run_serially(trial.program(), [&](const Done& done, const reduce::State& state) {
    if (done.report.event != "phase") return;
    const auto now = tensors(state.shared);
    for (const auto& [name, values] : now)
      if (values != before.at(name) && !name.starts_with("offset"))
        moved[done.round.phase] += name + " ";
    before = now;
    if (done.round.phase == "pretrain.2") return;
    const std::string layer = done.round.phase == "pretrain.0" ? "layer.0." : "layer.1.";
    EXPECT_EQ(now.at(layer + "generative_weight"), now.at(layer + "weight"));
  });
  EXPECT_EQ(moved["pretrain.0"],
            "layer.0.bias layer.0.generative_weight layer.0.visible_bias layer.0.weight ");
  EXPECT_EQ(moved["pretrain.1"],
            "layer.1.bias layer.1.generative_weight layer.1.visible_bias layer.1.weight ");
  EXPECT_EQ(moved["pretrain.2"],
            "layer.2.bias layer.2.label_bias layer.2.label_weight layer.2.visible_bias "
            "layer.2.weight ");
}

// 45 rows with labels and 60 without. The machine with the label learns from the first alone.
TEST(PretrainPhase, LearnsFromUnlabelledRowsWhereThereIsNoLabel) {
  Trial trial(Trial::generative({6, 4}), 45);
  trial.job.finetune.epochs = 0;
  const auto more = std::make_shared<data::MatrixSource>(testing::bars_and_stripes(60, 9));
  trial.job.pretrain_source = std::make_shared<data::JoinedSource>(trial.source, 45, more);
  trial.job.pretrain_rows = numbers(0, 105);
  std::map<std::string, double> rows;
  run_serially(trial.program(), [&](const Done& done, const auto&) {
    if (done.report.event == "phase") rows[done.round.phase] = done.measure("rows");
  });
  EXPECT_EQ(rows, (std::map<std::string, double>{{"pretrain.0", 105}, {"pretrain.1", 45}}));
}

// Layer 0 comes from another model; layer 1 has another width there and begins anew, all but the
// tensors that have the same shape nonetheless.
TEST(PretrainPhase, GoesOnFromTheTensorsOfAnotherModel) {
  Trial first("dbn", {6, 5}, 45), second("dbn", {6, 4}, 45);
  const auto first_program = first.program();
  const ParamSet start = first_program.result(run_serially(first_program));
  second.job.start = &start;
  const auto program = second.program();
  const auto fresh = tensors(Trial("dbn", {6, 4}, 45).program().initial().shared);
  const auto begun = tensors(program.initial().shared);
  const auto given = tensors(start);
  const std::set<std::string> other_shape = {"layer.1.weight", "layer.1.bias", "layer.2.weight"};
  for (const auto& [name, values] : begun) {
    const bool is_given = name.starts_with("layer.") && !other_shape.contains(name);
    EXPECT_EQ(values, is_given ? given.at(name) : fresh.at(name)) << name;
  }
  int means = 0;
  run_serially(program, [&](const Done& done, const reduce::State& state) {
    if (done.round.args != kMeans) return;
    ++means;
    const auto now = tensors(state.shared);
    if (done.round.phase == "pretrain.0") {
      EXPECT_EQ(now.at("layer.0.visible_bias"), given.at("layer.0.visible_bias"));
    } else {
      EXPECT_NE(now.at("layer.1.visible_bias"), given.at("layer.1.visible_bias"));
    }
  });
  EXPECT_EQ(means, 2);
}

}  // namespace
}  // namespace superstep::training
