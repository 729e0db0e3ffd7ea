// The [job], [pretrain] and [finetune] sections of a job.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "superstep/config/section.h"
#include "superstep/models/config.h"

namespace superstep::training {

/// How a phase moves the weights; what pretraining and finetuning have in common.
struct PhaseConfig {
  int64_t epochs = 0;
  std::optional<int64_t> batch;
  std::string optimizer = "sgd";
  std::optional<double> learning_rate;
  double momentum = 0.9;
  double l2 = 0;
  std::string schedule = "constant";

 protected:
  void declare_common(config::Section& section);
};

/// Greedy pretraining of restricted Boltzmann machines by contrastive divergence.
struct PretrainConfig : PhaseConfig {
  PretrainConfig() {
    epochs = 20;
    l2 = 2e-4;
  }
  double initial_momentum = 0.5;
  int64_t initial_epochs = 5;

  void declare(config::Section& section);
  /// Fills in the learning rate: what suits the visible units.
  void complete(const models::ModelConfig& model);
};

/// Training of the whole net by backpropagation.
struct FinetuneConfig : PhaseConfig {
  FinetuneConfig() {
    epochs = 50;
    schedule = "linear";
  }
  bool keep_best = true;

  void declare(config::Section& section);
  /// Fills in the learning rate: what suits the hidden units and the task, which must be known.
  void complete(const models::ModelConfig& model);
};

struct JobConfig {
  std::string name = "job";
  int64_t seed = 1;

  void declare(config::Section& section);
};

/// Minibatch where none is set: from the rows to learn from alone, never from the machine.
int64_t default_batch(int64_t rows);

/// The step length of a minibatch: `step` of `steps` in the phase.
double learning_rate_at(const PhaseConfig& phase, int64_t step, int64_t steps);

}  // namespace superstep::training
