#include "superstep/training/network_program.h"

#include <algorithm>
#include <utility>

#include "superstep/training/finetune_phase.h"
#include "superstep/training/pretrain_phase.h"

namespace superstep::training {

using reduce::Outcome;
using reduce::Report;
using reduce::Round;
using reduce::State;
using reduce::Task;

namespace {

void add_prefixed(std::vector<ParamSpec>& specs, std::string_view prefix,
                  const ParamLayout& layout) {
  for (const ParamSpec& spec : layout.specs())
    specs.push_back({fmt::format("{}.{}", prefix, spec.name), spec.shape});
}

// Tensors that only generation reads: backpropagation leaves them alone.
bool is_generative(const std::string& name) {
  return name.ends_with(".visible_bias") || name.ends_with(".generative_weight");
}

// Decay and limits are for what multiplies inputs, not for biases.
optim::TensorRule rule_of(const ParamSpec& spec, int param, double rate, double l1, double l2,
                          double max_norm) {
  optim::TensorRule rule{.param = param, .rate = rate};
  if (spec.shape.rank() < 2) return rule;
  rule.l1 = l1;
  rule.l2 = l2;
  rule.max_norm = max_norm;
  return rule;
}

}  // namespace

NetworkProgram::NetworkProgram(NetworkJob job) : job_(std::move(job)) {
  outer_ = reduce::make_outer_rule(job_.reduce.outer, job_.reduce.outer_momentum,
                                   job_.reduce.outer_rate);
  if (!job_.pretrain_source) {
    job_.pretrain_source = job_.train;
    job_.pretrain_rows = job_.train_rows;
  }
  if (job_.pretrain_machines) add_pretraining();
  if (job_.loss && job_.finetune_network) add_finetuning();
  lay_out();
}

NetworkProgram::~NetworkProgram() = default;

template <class Config>
Phase::Setup NetworkProgram::setup(std::string name, const Config& config,
                                   std::span<const int64_t> rows) {
  Phase::Setup setup;
  setup.name = std::move(name);
  setup.config = config;
  if (!setup.config.batch) setup.config.batch = default_batch(static_cast<int64_t>(rows.size()));
  job_.reduce.choose(static_cast<int64_t>(rows.size()), *setup.config.batch);
  setup.rows = rows;
  setup.form = job_.form;
  setup.replicas = job_.reduce.replicas;
  setup.local_steps = job_.reduce.local_steps;
  setup.seed = job_.seed;
  return setup;
}

bool NetworkProgram::is_started(int layer) const {
  if (!job_.start) return false;
  const ParamSpec& spec = job_.network->layout()->spec(job_.network->first(layer));
  const int found = job_.start->layout().find(spec.name);
  return found >= 0 && job_.start->layout().spec(found).shape == spec.shape;
}

void NetworkProgram::add_pretraining() {
  const models::Network& network = *job_.network;
  for (int k = 0; k < network.size(); ++k) {
    const layers::Layer& layer = network.layer(k);
    const bool with_label = dynamic_cast<const layers::LabelRbm*>(&layer) != nullptr;
    if (!with_label && !dynamic_cast<const layers::Rbm*>(&layer)) continue;  // the output layer
    const PretrainConfig config = job_.pretrain.for_layer(k);
    if (config.epochs == 0) continue;
    // The machine with the label learns from the rows that have one.
    auto setup = this->setup(pretrain_phase_name(k), config,
                             with_label ? job_.train_rows : job_.pretrain_rows);
    setup.source = with_label ? job_.train : job_.pretrain_source;
    for (const int t : network.tensors(k)) {
      const ParamSpec& spec = network.layout()->spec(t);
      if (spec.name.ends_with(".generative_weight")) continue;  // tied until up-down
      setup.used.push_back(t);
      setup.rules.push_back(rule_of(spec, t, 1, config.l1, config.l2, config.max_norm));
    }
    if (PretrainPhase::is_centred(config, layer))
      setup.hidden_offset = PretrainPhase::hidden_offset(k);
    phases_.push_back(
        std::make_unique<PretrainPhase>(PretrainPhase::Options{.setup = std::move(setup),
                                                               .config = config,
                                                               .network = job_.network,
                                                               .layer = k,
                                                               .started = is_started(k),
                                                               .columns = job_.columns,
                                                               .valid = job_.valid,
                                                               .valid_rows = job_.valid_rows,
                                                               .cache_bytes = job_.cache_bytes}));
  }
}

void NetworkProgram::add_finetuning() {
  const models::Network& network = *job_.network;
  const FinetuneConfig& config = job_.finetune;
  if (config.epochs == 0) return;
  auto setup = this->setup(kFinetune, config, job_.train_rows);
  setup.source = job_.train;
  for (int i = 0; i < network.size(); ++i) {
    const auto found = config.layers.find(i);
    const FinetuneLayer own = found == config.layers.end() ? FinetuneLayer{} : found->second;
    for (const int t : network.tensors(i)) {
      const ParamSpec& spec = network.layout()->spec(t);
      setup.used.push_back(t);
      if (own.rate == 0.0 || (config.method != "up_down" && is_generative(spec.name))) continue;
      setup.rules.push_back(rule_of(spec, t, own.rate.value_or(1), own.l1.value_or(config.l1),
                                    own.l2.value_or(config.l2),
                                    own.max_norm.value_or(config.max_norm)));
    }
  }
  phases_.push_back(
      std::make_unique<FinetunePhase>(FinetunePhase::Options{.setup = std::move(setup),
                                                             .config = config,
                                                             .network = job_.network,
                                                             .loss = job_.loss,
                                                             .class_weights = job_.class_weights,
                                                             .valid = job_.valid,
                                                             .valid_rows = job_.valid_rows}));
}

void NetworkProgram::lay_out() {
  const models::Network& network = *job_.network;
  tensors_.network = network.layout();
  std::vector<ParamSpec> shared = tensors_.network->specs();
  for (const auto& phase : phases_)
    for (const std::string& prefix : phase->prefixes())
      if (std::ranges::find(tensors_.prefixes, prefix) == tensors_.prefixes.end()) {
        tensors_.prefixes.push_back(prefix);
        add_prefixed(shared, prefix, *tensors_.network);
      }
  for (int k = 0; k < network.size(); ++k) {
    const bool pretrained = std::ranges::any_of(
        phases_, [&](const auto& phase) { return phase->name() == pretrain_phase_name(k); });
    if (!pretrained || !PretrainPhase::is_centred(job_.pretrain, network.layer(k))) continue;
    shared.push_back({PretrainPhase::visible_offset(k), {network.layer(k).inputs()}});
    shared.push_back({PretrainPhase::hidden_offset(k), {network.layer(k).outputs()}});
  }
  tensors_.all = std::make_shared<const ParamLayout>(std::move(shared));

  std::vector<ParamSpec> outer;
  if (outer_->has_momentum()) add_prefixed(outer, "momentum", *tensors_.network);
  const bool finetunes = !phases_.empty() && phases_.back()->name() == kFinetune;
  if (finetunes && job_.finetune.keep_best && !job_.valid_rows.empty())
    add_prefixed(outer, "best", *tensors_.network);
  outer_layout_ = std::make_shared<const ParamLayout>(std::move(outer));
  for (const auto& phase : phases_) phase->lay_out(tensors_, *outer_);
}

std::vector<std::string> NetworkProgram::phases() const {
  std::vector<std::string> names;
  for (const auto& phase : phases_) names.push_back(phase->name());
  return names;
}

size_t NetworkProgram::number_of(const std::string& name) const {
  for (size_t i = 0; i < phases_.size(); ++i)
    if (phases_[i]->name() == name) return i;
  throw DataError("a round of phase '{}', which this job does not have", name);
}

int64_t NetworkProgram::epochs(const std::string& name) const {
  return phase(name).config().epochs;
}

void NetworkProgram::resolve(PretrainConfig& pretrain, FinetuneConfig& finetune) const {
  // Of the machines that have no batch of their own. Where these differ, for the one with the label
  // learns from other rows, no number says it: it stays unset, and is worked out again.
  std::optional<int64_t> common;
  bool differ = false;
  for (int k = 0; k < job_.network->size(); ++k) {
    const auto own = job_.pretrain.layers.find(k);
    if (own != job_.pretrain.layers.end() && own->second.batch) continue;
    for (const auto& phase : phases_) {
      if (phase->name() != pretrain_phase_name(k)) continue;
      differ |= common && common != phase->config().batch;
      common = phase->config().batch;
    }
  }
  if (!pretrain.batch && !differ) pretrain.batch = common;
  if (!finetune.batch && !phases_.empty() && phases_.back()->name() == kFinetune)
    finetune.batch = phases_.back()->config().batch;
}

State NetworkProgram::initial() const {
  State state{.shared = ParamSet(tensors_.all), .outer = ParamSet(outer_layout_), .notes = {}};
  const ParamSet fresh = job_.network->initial(RngKey(job_.seed).fold("initial"));
  for (int t = 0; t < fresh.layout().size(); ++t) {
    const ParamSpec& spec = fresh.layout().spec(t);
    const int found = job_.start ? job_.start->layout().find(spec.name) : -1;
    const bool given = found >= 0 && job_.start->layout().spec(found).shape == spec.shape;
    std::ranges::copy(given ? job_.start->values(found) : fresh.values(t),
                      state.shared.values(t).begin());
  }
  // Where generation has weights of its own, they begin as those of recognition.
  constexpr std::string_view kOwn = ".generative_weight";
  for (int t = 0; t < fresh.layout().size(); ++t) {
    const std::string& name = fresh.layout().spec(t).name;
    if (!name.ends_with(kOwn) || (job_.start && job_.start->layout().find(name) >= 0)) continue;
    const std::string weight = name.substr(0, name.size() - kOwn.size()) + ".weight";
    std::ranges::copy(std::as_const(state.shared).values(weight), state.shared.values(t).begin());
  }
  state.notes = Notes{}.to_bytes();
  return state;
}

std::optional<Round> NetworkProgram::next(const Round* last, const State& state) const {
  if (!last) {
    if (phases_.empty()) return std::nullopt;
    return phases_.front()->first_round();
  }
  const size_t number = number_of(last->phase);
  std::optional<Round> round = phases_[number]->next(*last, Notes::from(state.notes));
  if (!round) {
    if (number + 1 == phases_.size()) return std::nullopt;
    round = phases_[number + 1]->first_round();
  }
  round->superstep = last->superstep + 1;
  return round;
}

reduce::UpdateSpec NetworkProgram::update_spec(const Round& round) const {
  return phase(round.phase).update_spec(round);
}

std::unique_ptr<reduce::LaneScratch> NetworkProgram::make_scratch() const {
  return std::make_unique<Scratch>(job_.network->layout());
}

Outcome NetworkProgram::compute(const Task& task) const {
  const size_t number = number_of(task.round.phase);
  const size_t before = computing_.exchange(number);
  if (before != number) phases_[before]->rest();
  return phases_[number]->compute(task, static_cast<Scratch&>(task.scratch));
}

Report NetworkProgram::apply(const Round& round, State& state, const reduce::ExactSum& sum,
                             const std::vector<Bytes>& blobs) const {
  return phase(round.phase).apply(round, state, sum, blobs);
}

ParamSet NetworkProgram::result(const State& state) const {
  ParamSet params(job_.network->layout());
  const bool best = best_epoch(state) > 0 && job_.finetune.keep_best;
  for (int t = 0; t < params.layout().size(); ++t) {
    const std::string& name = params.layout().spec(t).name;
    std::ranges::copy(best ? state.outer.values("best." + name) : state.shared.values(name),
                      params.values(t).begin());
  }
  return params;
}

int64_t NetworkProgram::best_epoch(const State& state) const {
  return Notes::from(state.notes).best_epoch;
}

int64_t NetworkProgram::epochs_done(const State& state) const {
  return Notes::from(state.notes).epochs;
}

}  // namespace superstep::training
