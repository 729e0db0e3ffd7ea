#include "superstep/training/config.h"

#include <algorithm>

#include "superstep/optim/optimizer.h"

namespace superstep::training {

void PhaseConfig::declare_common(config::Section& section) {
  section.integer("epochs", epochs, "Passes over the rows (in pretraining, for each layer).",
                  {.min = 0, .max = 1e6});
  section.integer("batch", batch,
                  "Rows of a minibatch of one replica. Worked out from the number of rows when not "
                  "set.",
                  {.min = 1, .max = 1e6});
  section.choice("optimizer", optimizer, "How a gradient moves the weights.", {"sgd", "adagrad"});
  section.number("learning_rate", learning_rate,
                 "Step length at the start. What suits the kind of units when not set.",
                 {.min = 0, .min_exclusive = true, .max = 1e6});
  section.number("momentum", momentum, "Share of the last step that goes on (sgd).",
                 {.min = 0, .max = 1, .max_exclusive = true});
  section.number("l2", l2, "Weight decay: this share of a weight is added to its gradient.",
                 {.min = 0, .max = 1e3});
  section.choice("schedule", schedule,
                 "Step length over the phase: constant, or linear down to zero.",
                 {"constant", "linear"});
}

void PretrainConfig::declare(config::Section& section) {
  declare_common(section);
  section.number("initial_momentum", initial_momentum,
                 "Momentum of the first epochs, while the weights still move far.",
                 {.min = 0, .max = 1, .max_exclusive = true});
  section.integer("initial_epochs", initial_epochs, "How many epochs the initial momentum lasts.",
                  {.min = 0, .max = 1e6});
}

void FinetuneConfig::declare(config::Section& section) {
  declare_common(section);
  section.flag(
      "keep_best", keep_best,
      "Keep the epoch that did best on the rows to choose by, not the last. Not when there are "
      "fewer than 30 of them, unless it is set.");
}

void JobConfig::declare(config::Section& section) {
  section.text("name", name, "Name of the job; its runs go to runs/<name>/.",
               {.effect = config::kRun});
  section.integer("seed", seed, "All that is random follows from it.", {.min = 0});
}

void PretrainConfig::complete(const models::ModelConfig& model) {
  // Gaussian units can run away: their reconstruction has no bounds (Hinton 2010, section 13.2).
  if (!learning_rate) learning_rate = model.visible == "gaussian" ? 0.001 : 0.1;
}

void FinetuneConfig::complete(const models::ModelConfig& model) {
  if (learning_rate) return;
  // Sigmoid units pass small gradients down and want long steps.
  const bool sigmoid =
      model.kind == "dbn" || (model.kind == "mlp" && model.activation == "sigmoid");
  // The error of a number has no bound: one outlying row (abalone) drove nets off at ten times
  // this.
  const bool unbounded = model.kind == "mlp" && model.task == "regress";
  if (optimizer == "adagrad")
    learning_rate = 0.03;
  else if (unbounded)
    learning_rate = sigmoid ? 0.01 : 0.002;
  else
    learning_rate = sigmoid ? 0.3 : 0.02;
}

int64_t default_batch(int64_t rows) {
  // At least a hundred steps an epoch where rows are few, and never so few rows that a step is
  // mostly noise.
  return std::clamp<int64_t>(rows / 100, 10, 100);
}

double learning_rate_at(const PhaseConfig& phase, int64_t step, int64_t steps) {
  if (phase.schedule == "constant") return *phase.learning_rate;
  return *phase.learning_rate * (1.0 - static_cast<double>(step) / static_cast<double>(steps));
}

}  // namespace superstep::training
