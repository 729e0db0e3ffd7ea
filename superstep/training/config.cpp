#include "superstep/training/config.h"

#include <algorithm>

#include "superstep/kernels/isa.h"
#include "superstep/optim/optimizer.h"
#include "superstep/optim/schedule.h"

namespace superstep::training {
namespace {

constexpr config::Options kRate = {.min = 0, .min_exclusive = true, .max = 1e6};
constexpr config::Options kMomentum = {.min = 0, .max = 1, .max_exclusive = true};
constexpr config::Options kDecay = {.min = 0, .max = 1e3};
constexpr config::Options kNorm = {.min = 0, .max = 1e6};
constexpr config::Options kShare = {.min = 0, .max = 1, .max_exclusive = true};
constexpr config::Options kEpochs = {.min = 0, .max = 1e6};
constexpr config::Options kBatch = {.min = 1, .max = 1e6};
constexpr config::Options kSteps = {.min = 1, .max = 1e4};

int64_t layer_number(const std::string& key) {
  const bool digits = !key.empty() && key.size() <= 4 &&
                      std::ranges::all_of(key, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) throw ConfigError("'{}' is no number of a layer, counted from 0", key);
  return std::stoll(key);
}

template <class T>
void take(const std::optional<T>& from, T& to) {
  if (from) to = *from;
}

template <class Layers>
void refuse_beyond(const char* section, const Layers& layers, int64_t count) {
  if (!layers.empty() && layers.rbegin()->first >= count)
    throw ConfigError("[{}.layer.{}]: there are {} layers, counted from 0", section,
                      layers.rbegin()->first, count);
}

}  // namespace

void PhaseConfig::declare_common(config::Section& section) {
  section.integer("epochs", epochs, "Passes over the rows (in pretraining, for each layer).",
                  kEpochs);
  section.integer("batch", batch,
                  "Rows of a minibatch of one replica. Worked out from the number of rows when not "
                  "set.",
                  kBatch);
  section.choice("optimizer", optimizer,
                 "How a gradient moves the weights: docs/optimizers.md has the rules.",
                 {optim::kOptimizers.begin(), optim::kOptimizers.end()});
  section.choice(
      "optimizer_state", optimizer_state,
      "The optimizer's state (velocity, mean squares) of the replicas: averaged with the "
      "weights, or reset to zero at every superstep.",
      {"average", "reset"});
  section.number("learning_rate", learning_rate,
                 "Step length at the start. What suits the kind of units when not set.", kRate);
  section.choice("schedule", schedule,
                 "Step length over the phase: constant; linear, half a cosine or exponential down "
                 "to final_rate.",
                 {optim::kSchedules.begin(), optim::kSchedules.end()});
  section.number(
      "final_rate", final_rate,
      "Share of the step length that is left at the end. 0 when not set, for exponential "
      "0.01.",
      {.min = 0, .max = 1});
  section.number("warmup_epochs", warmup_epochs,
                 "Epochs over which the step length grows from zero.", kEpochs);
  section.number("momentum", momentum, "Share of the last step that goes on (sgd, nesterov).",
                 kMomentum);
  section.number("l1", l1,
                 "Decay of weights: this, with the weight's sign, is added to a gradient.", kDecay);
  section.number("l2", l2, "Weight decay: this share of a weight is added to its gradient.",
                 kDecay);
  section.number(
      "clip_norm", clip_norm,
      "A gradient of a larger norm is scaled down to it; 0: none is. When not set: 1 where a "
      "number is learned, else 0.",
      kNorm);
  section.number("max_norm", max_norm,
                 "The weights into a unit are scaled down to this norm after a step. 0: never.",
                 kNorm);
}

void PretrainLayer::declare(config::Section& section) {
  section.integer("epochs", epochs, "Passes over the rows.", kEpochs);
  section.integer("batch", batch, "Rows of a minibatch of one replica.", kBatch);
  section.number("learning_rate", learning_rate, "Step length at the start.", kRate);
  section.number("momentum", momentum, "Share of the last step that goes on.", kMomentum);
  section.number("l1", l1, "Decay of weights by their sign.", kDecay);
  section.number("l2", l2, "Weight decay.", kDecay);
  section.number("max_norm", max_norm, "The most that the weights into a unit may weigh.", kNorm);
  section.integer("cd_steps", cd_steps, "Steps of Gibbs sampling.", kSteps);
  section.flag("persistent", persistent, "Whether chains go on from minibatch to minibatch.");
  section.flag("sample_reconstruction", sample_reconstruction,
               "Whether to learn from states of the visible units.");
  section.number("sparsity_target", sparsity_target, "Share of rows a unit is to be active in.",
                 kShare);
  section.number("sparsity_cost", sparsity_cost, "Weight of the pull toward the target.", kDecay);
}

void PretrainConfig::declare(config::Section& section) {
  declare_common(section);
  section.number("initial_momentum", initial_momentum,
                 "Momentum of the first epochs, while the weights still move far.", kMomentum);
  section.integer("initial_epochs", initial_epochs, "How many epochs the initial momentum lasts.",
                  kEpochs);
  section.integer("cd_steps", cd_steps,
                  "Steps of Gibbs sampling from the data to the reconstruction (CD-k).", kSteps);
  section.flag(
      "persistent", persistent,
      "Chains go on from minibatch to minibatch (PCD) and do not start from the data. They "
      "are as many as a minibatch has rows.");
  section.flag(
      "sample_reconstruction", sample_reconstruction,
      "Learn from a state of the visible units given the hidden ones, in place of their "
      "means: noisier, and where zeros of the data are left out (numerics.sparse) quicker, "
      "for states of binary and softmax units are mostly zeros. Chains always do. Not of "
      "the machine with labels on top of a generative net.");
  section.flag("centering", centering,
               "Take the units' means out of the statistics: learning then does not depend on "
               "whether a pixel or its negative is 1. When not set: in an rbm, whose likelihood it "
               "raises; not in a dbn, which classifies better without.");
  section.number("sparsity_target", sparsity_target,
                 "Share of rows in which a hidden unit is to be active. 0: none is sought.",
                 kShare);
  section.number("sparsity_cost", sparsity_cost, "Weight of the pull toward the target.", kDecay);
  section.table("layer", "What differs for one machine, counted from 0.",
                [this](const std::string& key, config::Section& child) {
                  layers[layer_number(key)].declare(child);
                });
}

PretrainConfig PretrainConfig::for_layer(int64_t layer) const {
  PretrainConfig config = *this;
  const auto found = layers.find(layer);
  if (found == layers.end()) return config;
  const PretrainLayer& own = found->second;
  take(own.epochs, config.epochs);
  if (own.batch) config.batch = own.batch;
  if (own.learning_rate) config.learning_rate = own.learning_rate;
  if (own.momentum) config.momentum = config.initial_momentum = *own.momentum;
  take(own.l1, config.l1);
  take(own.l2, config.l2);
  take(own.max_norm, config.max_norm);
  take(own.cd_steps, config.cd_steps);
  take(own.persistent, config.persistent);
  take(own.sample_reconstruction, config.sample_reconstruction);
  take(own.sparsity_target, config.sparsity_target);
  take(own.sparsity_cost, config.sparsity_cost);
  return config;
}

void FinetuneLayer::declare(config::Section& section) {
  section.number("rate", rate, "Times the step length; 0 leaves the layer as it is.",
                 {.min = 0, .max = 1e6});
  section.number("l1", l1, "Decay of weights by their sign.", kDecay);
  section.number("l2", l2, "Weight decay.", kDecay);
  section.number("max_norm", max_norm, "The most that the weights into a unit may weigh.", kNorm);
  section.number("dropout", dropout, "Share of this layer's inputs that a minibatch leaves out.",
                 kShare);
}

void FinetuneConfig::declare(config::Section& section) {
  declare_common(section);
  section.choice("method", method,
                 "backpropagation; or up_down, contrastive wake-sleep, of a net with "
                 "model.generative.",
                 {"backpropagation", "up_down"});
  section.number("input_dropout", input_dropout,
                 "Share of the features that a minibatch leaves out.", kShare);
  section.number("dropout", dropout, "Share of the hidden units that a minibatch leaves out.",
                 kShare);
  section.numbers("class_weights", class_weights,
                  "What a row of each class counts, in the order of the classes. All 1 when empty.",
                  {.min = 0, .max = 1e6});
  section.flag("balance_classes", balance_classes,
               "Let every class count alike: a row counts rows / (classes x rows of its class).");
  section.flag(
      "keep_best", keep_best,
      "Keep the epoch that did best on the rows to choose by, not the last. Not when there are "
      "fewer than 30 of them, unless it is set.");
  section.integer("patience", patience,
                  "Stop after so many epochs without a better one on the rows to choose by. 0: "
                  "never.",
                  kEpochs);
  section.integer("up_down_steps", up_down_steps,
                  "Steps of Gibbs sampling in the top machine, by up_down.", kSteps);
  section.table("layer", "What differs for one layer, counted from 0.",
                [this](const std::string& key, config::Section& child) {
                  layers[layer_number(key)].declare(child);
                });
}

double FinetuneConfig::dropout_below(int64_t layer) const {
  const auto found = layers.find(layer);
  if (found != layers.end() && found->second.dropout) return *found->second.dropout;
  return layer == 0 ? input_dropout : dropout;
}

void JobConfig::declare(config::Section& section) {
  section.text("name", name, "Name of the job; its runs go to runs/<name>/.",
               {.effect = config::kRun});
  section.integer("seed", seed, "All that is random follows from it.", {.min = 0});
  section.texts("phases", phases,
                "Which phases to run: pretrain, finetune. With model.start one pretraining serves "
                "many finetunings.");
}

void NumericsConfig::declare(config::Section& section) {
  section.choice(
      "isa", isa,
      "Vector instructions. The sums of a product depend on them, and so do the last bits "
      "of a model: auto takes the widest that the processor has; a name makes every "
      "machine that has these compute the same bits (tried on AMD alone).",
      {"auto", "portable", "avx2", "avx512"});
  section.choice(
      "sparse", sparse,
      "Whether the first layer leaves out the zeros of its rows, which is quicker where "
      "these are many: auto does so where less than a quarter of the values learned from "
      "are not zero once scaled (8% below a layer of fewer than 64 units). Results differ "
      "in rounding alone.",
      {"auto", "on", "off"});
}

void NumericsConfig::use() const {
  try {
    if (isa == "auto" && kernels::isa() != kernels::widest_isa())
      throw ConfigError("\"auto\" is {} here, and this process has computed with {} already",
                        kernels::isa_name(kernels::widest_isa()),
                        kernels::isa_name(kernels::isa()));
    for (const kernels::Isa named : kernels::kIsas)
      if (isa == kernels::isa_name(named)) kernels::pin_isa(named);
  } catch (const ConfigError& error) {
    throw ConfigError("numerics.isa: {}", error.what());
  }
}

bool JobConfig::has_phase(std::string_view phase) const {
  return std::ranges::find(phases, phase) != phases.end();
}

void PretrainConfig::complete(const models::ModelConfig& model) {
  refuse_beyond("pretrain", layers, static_cast<int64_t>(model.hidden.size()));
  // Units without bounds can run away (Hinton 2010, section 13.2).
  const bool bounded = (model.visible == "binary" || model.visible == "softmax") &&
                       (model.hidden_units == "binary" || model.hidden_units == "softmax");
  if (!learning_rate) learning_rate = bounded ? 0.1 : 0.001;
  // Measured: docs/design/0003-centring.md.
  if (!centering) centering = model.kind == "rbm";
}

void FinetuneConfig::complete(const models::ModelConfig& model) {
  refuse_beyond("finetune", layers, static_cast<int64_t>(model.hidden.size()) + 1);
  if (method == "up_down" && !model.generative)
    throw ConfigError("finetune.method = \"up_down\" is for a net with model.generative = true");
  // The error of a number has no bound, and its gradient none: one outlying row (abalone), or
  // one-hot columns that standardising made large (adult), drove nets off without a limit.
  const bool numbers = model.task == "regress";
  if (!clip_norm) clip_norm = numbers ? 1 : 0;
  if (learning_rate) return;
  // Sigmoid units pass small gradients down and want long steps.
  const bool sigmoid = (model.kind == "dbn" && model.hidden_units == "binary") ||
                       (model.kind == "mlp" && model.activation == "sigmoid");
  if (method == "up_down")
    learning_rate = 0.001;
  else if (optimizer == "adagrad")
    learning_rate = 0.03;
  else if (optimizer == "adam" || optimizer == "rmsprop")
    learning_rate = 0.001;
  else if (numbers)
    learning_rate = sigmoid ? 0.3 : 0.01;
  else
    learning_rate = sigmoid ? 0.3 : 0.02;
}

int64_t default_batch(int64_t rows) {
  // At least a hundred steps an epoch where rows are few, and never so few rows that a step is
  // mostly noise.
  return std::clamp<int64_t>(rows / 100, 10, 100);
}

double learning_rate_at(const PhaseConfig& phase, int64_t step, int64_t steps,
                        int64_t steps_an_epoch) {
  const double final_share = phase.final_rate.value_or(phase.schedule == "exponential" ? 0.01 : 0);
  const auto warmup =
      static_cast<int64_t>(phase.warmup_epochs * static_cast<double>(steps_an_epoch));
  return optim::schedule_rate(optim::parse_schedule(phase.schedule), *phase.learning_rate,
                              final_share, warmup, step, steps);
}

}  // namespace superstep::training
