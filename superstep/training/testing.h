// For tests of Programs: the loop of reduce/program.h as it stands there, on one thread, with the
// units of a round in any order; small sets of rows to learn, and a job that learns them.
#pragma once

#include <functional>
#include <map>
#include <numeric>
#include <vector>

#include "superstep/base/floating_point.h"
#include "superstep/base/rng.h"
#include "superstep/data/row_source.h"
#include "superstep/training/network_program.h"

namespace superstep::training::testing {

/// A round, what it came to, and what each of its units was given and gave.
struct Done {
  reduce::Round round;
  reduce::Report report;
  std::vector<Bytes> private_states;  ///< Of each unit, before it.
  std::vector<reduce::Outcome> outcomes;

  /// A measure of the report; -1 where it has none of the name.
  [[nodiscard]] double measure(const std::string& name) const {
    for (const auto& [key, value] : report.measures)
      if (key == name) return value;
    return -1;
  }
};

/// What a checkpoint holds. Without a last round: the beginning.
struct Stand {
  reduce::State state;
  std::map<int64_t, Bytes> private_states;
  std::optional<reduce::Round> last;
};

using Look = std::function<void(const Done&, const Stand&)>;

/// Runs a program from a stand to its end; private states go where a coordinator takes them. With
/// lanes > 1 the units of a round are computed in the other order, each by the next of so many
/// lanes. `look` sees every round.
inline Stand run_from(Stand stand, const reduce::Program& program, int lanes,
                      const Look& look = {}) {
  const FloatingPointScope floating_point;
  std::vector<std::unique_ptr<reduce::LaneScratch>> scratches;
  for (int lane = 0; lane < lanes; ++lane) scratches.push_back(program.make_scratch());
  reduce::Progress progress;
  size_t turn = 0;
  auto round = program.next(stand.last ? &*stand.last : nullptr, stand.state);
  while (round) {
    const auto spec = program.update_spec(*round);
    const size_t units = round->units.size();
    int64_t planned = 0;
    for (const auto& unit : round->units) planned += unit.weight;
    reduce::ExactSum sum(spec, planned, static_cast<int64_t>(units));
    Done done{.round = *round, .report = {}, .private_states = {}, .outcomes = {}};
    for (const auto& unit : round->units) {
      const auto found = stand.private_states.find(unit.id);
      done.private_states.push_back(found == stand.private_states.end() ? Bytes{} : found->second);
    }
    done.outcomes.resize(units);
    for (size_t i = 0; i < units; ++i) {
      const size_t u = lanes > 1 ? units - 1 - i : i;
      done.outcomes[u] = program.compute({.round = *round,
                                          .unit = round->units[u],
                                          .shared = stand.state.shared,
                                          .private_state = done.private_states[u],
                                          .scratch = *scratches[turn++ % scratches.size()],
                                          .progress = progress});
      reduce::check_update(spec, done.outcomes[u].update);
      sum.add(done.outcomes[u].update, done.outcomes[u].weight);
    }
    std::vector<Bytes> blobs;
    for (size_t u = 0; u < units; ++u) {
      blobs.push_back(done.outcomes[u].blob);
      stand.private_states[round->units[u].id] = done.outcomes[u].private_state;
    }
    done.report = program.apply(*round, stand.state, sum, blobs);
    stand.last = *round;
    if (look) look(done, stand);
    round = program.next(&*round, stand.state);
  }
  return stand;
}

/// From the beginning, on one lane.
inline reduce::State run_serially(
    const reduce::Program& program,
    const std::function<void(const Done&, const reduce::State&)>& look = {}) {
  return run_from({program.initial(), {}, {}}, program, 1,
                  [&](const Done& done, const Stand& stand) {
                    if (look) look(done, stand.state);
                  })
      .state;
}

/// Pictures of 4 x 4 with bars (class 0) or stripes (class 1): each row, or each column, is dark or
/// light throughout; one pixel in twenty is flipped. No single pixel says anything of the class.
inline data::MatrixSource bars_and_stripes(int64_t rows, uint64_t seed) {
  constexpr size_t kSide = 4;
  Tensor x({rows, kSide * kSide});
  std::vector<int32_t> labels;
  std::vector<float> flip(kSide * kSide);
  for (int64_t r = 0; r < rows; ++r) {
    const RngKey key = RngKey(seed).fold(static_cast<uint64_t>(r));
    const bool stripes = key.uniform(0) < 0.5;
    const auto lit = 1 + key.bits(1) % 14;  // neither all dark nor all light, which would be both
    fill_uniform(key, 2, flip);
    for (size_t i = 0; i < kSide * kSide; ++i) {
      const size_t line = stripes ? i % kSide : i / kSide;
      const bool on = (lit >> line & 1) != 0;
      x.matrix().row(r)[i] = on != (flip[i] < 0.05F) ? 1.0F : 0.0F;
    }
    labels.push_back(stripes ? 1 : 0);
  }
  return data::MatrixSource(std::move(x), std::move(labels));
}

/// begin, begin + 1, ..., end - 1.
inline std::vector<int64_t> numbers(int64_t begin, int64_t end) {
  std::vector<int64_t> rows(static_cast<size_t>(end - begin));
  std::iota(rows.begin(), rows.end(), begin);
  return rows;
}

/// A job on bars and stripes with all that it points to; rows to choose by follow those to learn.
struct Trial {
  Trial(const std::string& kind, std::vector<int64_t> hidden, int64_t train_rows,
        int64_t valid_rows = 0)
      : Trial(config_of(kind, std::move(hidden)), train_rows, valid_rows) {}
  Trial(const models::ModelConfig& config, int64_t train_rows, int64_t valid_rows = 0)
      : source(std::make_shared<data::MatrixSource>(bars_and_stripes(train_rows + valid_rows, 1))),
        network(std::make_unique<models::Network>(models::make_network(config, 16, 2))) {
    job = {.network = network.get(),
           .loss = config.has_output() ? &loss : nullptr,
           .pretrain_machines = config.pretrained(),
           .train = source,
           .valid = source,
           .train_rows = numbers(0, train_rows),
           .valid_rows = numbers(train_rows, train_rows + valid_rows),
           .pretrain = {},
           .finetune = {},
           .reduce = {},
           .seed = 3};
    job.pretrain.epochs = job.finetune.epochs = 2;
    job.pretrain.batch = job.finetune.batch = 5;
    job.pretrain.learning_rate = 0.1;
    job.finetune.learning_rate = 0.3;
    job.reduce.replicas = 2;
    job.reduce.local_steps = 2;
  }
  static models::ModelConfig config_of(const std::string& kind, std::vector<int64_t> hidden) {
    models::ModelConfig config;
    config.kind = kind;
    config.hidden = std::move(hidden);
    config.activation = "sigmoid";
    return config;
  }
  static models::ModelConfig generative(std::vector<int64_t> hidden) {
    models::ModelConfig config = config_of("dbn", std::move(hidden));
    config.generative = true;
    return config;
  }
  [[nodiscard]] NetworkProgram program() const { return NetworkProgram(job); }

  layers::SoftmaxCrossEntropy loss;
  std::shared_ptr<data::MatrixSource> source;
  std::unique_ptr<models::Network> network;
  NetworkJob job;
};

/// The tensors by name.
inline std::map<std::string, std::vector<float>> tensors(const ParamSet& params) {
  std::map<std::string, std::vector<float>> all;
  for (int t = 0; t < params.layout().size(); ++t) {
    const auto values = params.values(t);
    all[params.layout().spec(t).name].assign(values.begin(), values.end());
  }
  return all;
}

}  // namespace superstep::training::testing
