// The [job], [pretrain], [finetune] and [numerics] sections of a job.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "superstep/config/section.h"
#include "superstep/models/config.h"

namespace superstep::training {

/// How a phase moves the weights; what pretraining and finetuning have in common.
struct PhaseConfig {
  int64_t epochs = 0;
  std::optional<int64_t> batch;
  std::string optimizer = "sgd";
  std::string optimizer_state = "average";
  std::optional<double> learning_rate;
  std::string schedule = "constant";
  std::optional<double> final_rate;
  double warmup_epochs = 0;
  double momentum = 0.9;
  double l1 = 0, l2 = 0;
  std::optional<double> clip_norm;
  double max_norm = 0;

 protected:
  void declare_common(config::Section& section);
};

/// [pretrain.layer.N]: what differs for one machine. N counts from 0, as in the phase "pretrain.0"
/// and the tensor "layer.0.weight".
struct PretrainLayer {
  std::optional<int64_t> epochs, batch, cd_steps;
  std::optional<double> learning_rate, momentum, l1, l2, max_norm;
  std::optional<bool> persistent{}, sample_reconstruction{};
  std::optional<double> sparsity_target, sparsity_cost;

  void declare(config::Section& section);
};

/// Greedy pretraining of restricted Boltzmann machines by contrastive divergence.
struct PretrainConfig : PhaseConfig {
  PretrainConfig() {
    epochs = 20;
    l2 = 2e-4;
  }
  double initial_momentum = 0.5;
  int64_t initial_epochs = 5;
  int64_t cd_steps = 1;
  bool persistent = false, sample_reconstruction = false;
  std::optional<bool> centering;
  double sparsity_target = 0, sparsity_cost = 0.1;
  std::map<int64_t, PretrainLayer> layers;

  void declare(config::Section& section);
  /// Fills in learning rate and centring: what suits the units and what the model is for.
  /// ConfigError for a layer that is not there.
  void complete(const models::ModelConfig& model);
  /// With what [pretrain.layer.N] says of layer `layer`.
  [[nodiscard]] PretrainConfig for_layer(int64_t layer) const;
};

/// [finetune.layer.N]: what differs for one layer.
struct FinetuneLayer {
  std::optional<double> rate, l1, l2, max_norm, dropout;

  void declare(config::Section& section);
};

/// Training of the whole net, by backpropagation or up-down.
struct FinetuneConfig : PhaseConfig {
  FinetuneConfig() {
    epochs = 50;
    schedule = "linear";
  }
  std::string method = "backpropagation";
  double input_dropout = 0, dropout = 0;
  std::vector<double> class_weights;
  bool balance_classes = false;
  bool keep_best = true;
  int64_t patience = 0;
  int64_t up_down_steps = 3;
  std::map<int64_t, FinetuneLayer> layers;

  void declare(config::Section& section);
  /// Fills in the learning rate: what suits the hidden units and the task, which must be known.
  void complete(const models::ModelConfig& model);
  /// The share of inputs of a layer that are dropped: of the data for layer 0, of hidden units for
  /// the others.
  [[nodiscard]] double dropout_below(int64_t layer) const;
};

/// [numerics]: how numbers are computed, where that shows in a result.
struct NumericsConfig {
  std::string sparse = "auto";  ///< Or "on", "off".
  std::string isa = "auto";     ///< Or a name of kernels/isa.h.

  void declare(config::Section& section);
  /// Makes `isa` that of this process, before its first product. A ConfigError where the processor
  /// lacks it, or where an earlier job of this process computed with another.
  void use() const;
};

struct JobConfig {
  std::string name = "job";
  int64_t seed = 1;
  std::vector<std::string> phases = {"pretrain", "finetune"};

  void declare(config::Section& section);
  [[nodiscard]] bool has_phase(std::string_view phase) const;
};

/// Minibatch where none is set: from the rows to learn from alone, never from the machine.
int64_t default_batch(int64_t rows);

/// The step length of minibatch `step` of `steps` in the phase; an epoch has `steps_an_epoch`.
double learning_rate_at(const PhaseConfig& phase, int64_t step, int64_t steps,
                        int64_t steps_an_epoch);

}  // namespace superstep::training
