#include "superstep/training/network_program.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "superstep/layers/rbm.h"
#include "superstep/optim/optimizer.h"

namespace superstep::training {

using reduce::Outcome;
using reduce::Report;
using reduce::Round;
using reduce::State;
using reduce::Task;
using reduce::WorkUnit;

namespace {

constexpr std::string_view kTrain = "train", kMeans = "means", kValid = "valid";
constexpr std::string_view kFinetune = "finetune";
// Rows of one unit of evaluation; part of a result, since a loss is summed unit by unit.
constexpr int64_t kEvaluationRows = 1024;
// Inputs that were not scaled may be large: a mean of them may reach 2^30.
constexpr int kLog2LimitOfMeans = 30;

Bytes to_bytes(const Tally& tally) {
  ByteWriter out;
  out.put(tally);
  return std::move(out).take();
}

Tally sum_of(const std::vector<Bytes>& blobs) {
  Tally sum;
  for (const Bytes& blob : blobs) sum += ByteReader(blob, "a tally").get<Tally>();
  return sum;
}

// "velocity" + "layer.0.weight", for every tensor of a network.
void add_prefixed(std::vector<ParamSpec>& specs, std::string_view prefix,
                  const ParamLayout& layout) {
  for (const ParamSpec& spec : layout.specs())
    specs.push_back({fmt::format("{}.{}", prefix, spec.name), spec.shape});
}

void copy_values(std::span<const float> from, std::span<float> to) {
  std::ranges::copy(from, to.begin());
}

double per_row(double sum, int64_t rows) {
  return rows == 0 ? 0.0 : sum / static_cast<double>(rows);
}

}  // namespace

// What goes on from superstep to superstep beside the tensors.
struct NetworkProgram::Notes {
  Tally epoch;  // of the training rows, in the epoch under way
  int64_t best_epoch = 0, best_errors = std::numeric_limits<int64_t>::max();
  double best_loss = std::numeric_limits<double>::infinity();

  static Notes from(const Bytes& bytes) { return ByteReader(bytes, "the notes").get<Notes>(); }
  [[nodiscard]] Bytes to_bytes() const {
    ByteWriter out;
    out.put(*this);
    return std::move(out).take();
  }
};

// A phase: which tensors move, by which learner and rule, over which order of rows.
struct NetworkProgram::Phase {
  std::string name;
  size_t number = 0;
  int pretrained_layer = -1;  // or -1: the whole net
  PhaseConfig config;
  std::unique_ptr<Learner> learner;
  std::vector<int> trained;               // indices in the network's layout
  std::vector<std::string> prefixes;      // of its optimizer's state
  reduce::UpdateSpec updates, means;
  data::Dealing dealing;
  RngKey key;

  [[nodiscard]] int64_t batch() const { return *config.batch; }
  [[nodiscard]] int64_t batches(int64_t replica) const {
    return (dealing.rows(static_cast<int>(replica)) + batch() - 1) / batch();
  }
  [[nodiscard]] int64_t most_batches(int64_t replicas) const {
    int64_t most = 0;
    for (int64_t r = 0; r < replicas; ++r) most = std::max(most, batches(r));
    return most;
  }
};

struct NetworkProgram::Scratch : reduce::LaneScratch {
  LearnerScratch learner;
  ParamSet params;
  Batch batch;
  struct Rule {
    std::unique_ptr<optim::Optimizer> optimizer;
    std::vector<ParamSet> state;  // one a prefix
  };
  std::map<std::string, Rule> rules;
  // The order of rows of the last unit: the next one of the same epoch needs it again.
  std::string order_phase;
  int64_t order_replica = -1, order_epoch = -1;
  std::vector<int64_t> order;

  explicit Scratch(std::shared_ptr<const ParamLayout> layout) : params(std::move(layout)) {}

  Rule& rule(const std::string& name) {
    Rule& rule = rules[name];
    if (!rule.optimizer) {
      rule.optimizer = optim::make_optimizer(name);
      rule.state.assign(rule.optimizer->state_prefixes().size(),
                        ParamSet(params.shared_layout()));
    }
    return rule;
  }

  std::span<const int64_t> order_of(const Phase& phase, int64_t replica, int64_t epoch) {
    if (order_phase != phase.name || order_replica != replica || order_epoch != epoch) {
      order = phase.dealing.order(static_cast<int>(replica), epoch, phase.key.fold("order"));
      order_phase = phase.name;
      order_replica = replica;
      order_epoch = epoch;
    }
    return order;
  }
};

NetworkProgram::NetworkProgram(NetworkJob job) : job_(std::move(job)) {
  const models::Network& network = *job_.network;
  const ParamLayout& layout = *network.layout();
  const RngKey seed(job_.seed);
  const auto rows = static_cast<int64_t>(job_.train_rows.size());
  outer_ = reduce::make_outer_rule(job_.reduce.outer, job_.reduce.outer_momentum,
                                   job_.reduce.outer_rate);

  const auto add_phase = [&](std::string name, int layer, PhaseConfig config,
                             std::unique_ptr<Learner> learner, std::vector<int> trained) {
    if (config.epochs == 0) return;
    if (!config.batch) config.batch = default_batch(rows);
    job_.reduce.choose(rows, *config.batch);
    auto prefixes = optim::make_optimizer(config.optimizer)->state_prefixes();
    const RngKey key = seed.fold(name);
    phases_.push_back(std::make_unique<Phase>(
        Phase{.name = std::move(name),
              .number = phases_.size(),
              .pretrained_layer = layer,
              .config = config,
              .learner = std::move(learner),
              .trained = std::move(trained),
              .prefixes = std::move(prefixes),
              .updates = {},
              .means = {},
              .dealing = data::Dealing(job_.train_rows, job_.reduce.replicas, *config.batch,
                                       job_.seed),
              .key = key}));
  };

  if (job_.pretrained) {
    const int machines = network.size() - (job_.loss ? 1 : 0);
    for (int k = 0; k < machines; ++k)
      add_phase(fmt::format("pretrain.{}", k), k, job_.pretrain,
                std::make_unique<ContrastiveDivergence>(network, k), network.tensors(k));
  }
  if (job_.loss) {
    std::vector<int> trained;
    for (int t = 0; t < layout.size(); ++t)
      if (!layout.spec(t).name.ends_with(".visible_bias")) trained.push_back(t);
    add_phase(std::string(kFinetune), -1, job_.finetune,
              std::make_unique<Backpropagation>(network, *job_.loss), std::move(trained));
  }

  std::vector<ParamSpec> shared = layout.specs();
  for (const auto& phase : phases_)
    for (const std::string& prefix : phase->prefixes)
      if (std::ranges::find(prefixes_, prefix) == prefixes_.end()) {
        prefixes_.push_back(prefix);
        add_prefixed(shared, prefix, layout);
      }
  shared_layout_ = std::make_shared<const ParamLayout>(std::move(shared));

  std::vector<ParamSpec> outer;
  if (outer_->has_momentum()) add_prefixed(outer, "momentum", layout);
  if (job_.finetune.keep_best && !job_.valid_rows.empty()) add_prefixed(outer, "best", layout);
  outer_layout_ = std::make_shared<const ParamLayout>(std::move(outer));

  for (const auto& phase : phases_) {
    std::vector<ParamSpec> specs;
    for (const int t : phase->trained) specs.push_back(layout.spec(t));
    for (const std::string& prefix : phase->prefixes)
      for (const int t : phase->trained)
        specs.push_back({fmt::format("{}.{}", prefix, layout.spec(t).name), layout.spec(t).shape});
    phase->updates =
        reduce::UpdateSpec::means(std::make_shared<const ParamLayout>(std::move(specs)));
    if (phase->pretrained_layer >= 0) {
      const int bias = network.first(phase->pretrained_layer) + layers::Rbm::kVisibleBias;
      phase->means = {std::make_shared<const ParamLayout>(
                          std::vector<ParamSpec>{{"means", layout.spec(bias).shape}}),
                      {{reduce::Combine::kMean, kLog2LimitOfMeans}}};
    }
  }
}

NetworkProgram::~NetworkProgram() = default;

const NetworkProgram::Phase& NetworkProgram::phase(const std::string& name) const {
  for (const auto& phase : phases_)
    if (phase->name == name) return *phase;
  throw DataError("a round of phase '{}', which this job does not have", name);
}

int64_t NetworkProgram::epochs(const std::string& name) const {
  return phase(name).config.epochs;
}

void NetworkProgram::resolve(PretrainConfig& pretrain, FinetuneConfig& finetune) const {
  for (const auto& phase : phases_)
    (phase->pretrained_layer >= 0 ? pretrain.batch : finetune.batch) = phase->config.batch;
}

State NetworkProgram::initial() const {
  State state{.shared = ParamSet(shared_layout_), .outer = ParamSet(outer_layout_), .notes = {}};
  const ParamSet fresh = job_.network->initial(RngKey(job_.seed).fold("initial"));
  for (int t = 0; t < fresh.layout().size(); ++t) copy_values(fresh.values(t), state.shared.values(t));
  state.notes = Notes{}.to_bytes();
  return state;
}

// ---- Which round comes next -----------------------------------------------------------------

std::optional<Round> NetworkProgram::first_round(size_t number) const {
  if (number == phases_.size()) return std::nullopt;
  const Phase& phase = *phases_[number];
  return phase.pretrained_layer >= 0 ? means_round(phase) : train_round(phase, 0, 0);
}

Round NetworkProgram::means_round(const Phase& phase) const {
  Round round{.phase = phase.name, .epoch = 0, .superstep = 0, .args = Bytes(kMeans), .units = {}};
  for (int64_t r = 0; r < job_.reduce.replicas; ++r)
    round.units.push_back({.id = r,
                           .begin = 0,
                           .end = phase.batches(r),
                           .weight = phase.dealing.rows(static_cast<int>(r))});
  return round;
}

// Superstep `step` of an epoch: each replica's next `local_steps` minibatches.
Round NetworkProgram::train_round(const Phase& phase, int64_t epoch, int64_t step) const {
  Round round{
      .phase = phase.name, .epoch = epoch, .superstep = 0, .args = Bytes(kTrain), .units = {}};
  const int64_t local_steps = job_.reduce.local_steps;
  for (int64_t r = 0; r < job_.reduce.replicas; ++r) {
    const int64_t begin = step * local_steps;
    const int64_t end = std::min(begin + local_steps, phase.batches(r));
    if (begin >= end) continue;  // this replica is done with the epoch
    const int64_t rows =
        std::min(end * phase.batch(), phase.dealing.rows(static_cast<int>(r))) -
        begin * phase.batch();
    round.units.push_back({.id = r, .begin = begin, .end = end, .weight = rows});
  }
  return round;
}

Round NetworkProgram::valid_round(int64_t epoch) const {
  Round round{.phase = std::string(kFinetune),
              .epoch = epoch,
              .superstep = 0,
              .args = Bytes(kValid),
              .units = {}};
  const auto rows = static_cast<int64_t>(job_.valid_rows.size());
  for (int64_t begin = 0; begin < rows; begin += kEvaluationRows) {
    const int64_t end = std::min(begin + kEvaluationRows, rows);
    round.units.push_back(
        {.id = begin / kEvaluationRows, .begin = begin, .end = end, .weight = end - begin});
  }
  return round;
}

bool NetworkProgram::closes_epoch(const Phase& phase, const Round& round) const {
  if (round.args == kMeans) return false;
  if (round.args == kValid) return true;
  int64_t done = 0;
  for (const WorkUnit& unit : round.units) done = std::max(done, unit.end);
  const bool all_batches = done == phase.most_batches(job_.reduce.replicas);
  const bool valid_follows = phase.name == kFinetune && !job_.valid_rows.empty();
  return all_batches && !valid_follows;
}

std::optional<Round> NetworkProgram::next(const Round* last, const State&) const {
  if (!last) return first_round(0);
  const Phase& phase = this->phase(last->phase);
  std::optional<Round> round;
  if (last->args == kMeans) {
    round = train_round(phase, 0, 0);
  } else if (closes_epoch(phase, *last)) {
    round = last->epoch + 1 < phase.config.epochs ? train_round(phase, last->epoch + 1, 0)
                                                  : first_round(phase.number + 1);
  } else {
    const int64_t step = last->units.front().begin / job_.reduce.local_steps;
    round = train_round(phase, last->epoch, step + 1);
    if (round->units.empty()) round = valid_round(last->epoch);
  }
  if (round) round->superstep = last->superstep + 1;
  return round;
}

reduce::UpdateSpec NetworkProgram::update_spec(const Round& round) const {
  static const auto kNothing = std::make_shared<const ParamLayout>(std::vector<ParamSpec>{});
  if (round.args == kValid) return {kNothing, {}};
  const Phase& phase = this->phase(round.phase);
  return round.args == kMeans ? phase.means : phase.updates;
}

// Where the optimizer's state of a prefix begins in the flat shared set: sets of the network's
// layout lie there one after another, first the tensors themselves.
size_t NetworkProgram::offset_of(const std::string& prefix) const {
  const auto p = std::ranges::find(prefixes_, prefix) - prefixes_.begin();
  return static_cast<size_t>(p + 1) * job_.network->layout()->flat_size();
}

// ---- What a unit computes -------------------------------------------------------------------

std::unique_ptr<reduce::LaneScratch> NetworkProgram::make_scratch() const {
  return std::make_unique<Scratch>(job_.network->layout());
}

Outcome NetworkProgram::compute(const Task& task) const {
  if (task.round.args == kValid) return compute_valid(task);
  const Phase& phase = this->phase(task.round.phase);
  return task.round.args == kMeans ? compute_means(phase, task) : compute_train(phase, task);
}

Outcome NetworkProgram::compute_train(const Phase& phase, const Task& task) const {
  auto& scratch = static_cast<Scratch&>(task.scratch);
  const ParamLayout& layout = *job_.network->layout();

  // The replica's own copy of the global state.
  Scratch::Rule& rule = scratch.rule(phase.config.optimizer);
  copy_values(task.shared.flat().first(layout.flat_size()), scratch.params.flat());
  for (size_t p = 0; p < rule.state.size(); ++p)
    copy_values(task.shared.flat().subspan(offset_of(phase.prefixes[p]), layout.flat_size()),
                rule.state[p].flat());
  optim::Optimizer& optimizer = *rule.optimizer;
  optimizer.bind(scratch.params, rule.state, phase.trained, scratch.learner.context);

  const int64_t replica = task.unit.id, epoch = task.round.epoch;
  const auto order = scratch.order_of(phase, replica, epoch);
  const RngKey key = phase.key.fold(static_cast<uint64_t>(epoch));
  const int64_t steps_an_epoch = phase.most_batches(job_.reduce.replicas);
  double momentum = phase.config.momentum;
  if (phase.pretrained_layer >= 0 && epoch < job_.pretrain.initial_epochs)
    momentum = job_.pretrain.initial_momentum;

  Tally tally;
  for (int64_t b = task.unit.begin; b < task.unit.end && !task.progress.stopped(); ++b) {
    const auto begin = static_cast<size_t>(b * phase.batch());
    const auto count = std::min(static_cast<size_t>(phase.batch()), order.size() - begin);
    job_.train->read(order.subspan(begin, count), scratch.batch);
    GradSink& sink = optimizer.begin(
        {.learning_rate = learning_rate_at(phase.config, epoch * steps_an_epoch + b,
                                           phase.config.epochs * steps_an_epoch),
         .momentum = momentum,
         .l2 = phase.config.l2});
    tally += phase.learner->gradient(scratch.params, scratch.batch, key, sink, scratch.learner);
    optimizer.end();
    task.progress.beat();
  }
  optimizer.unbind();

  Outcome outcome{.update = ParamSet(phase.updates.layout),
                  .weight = tally.rows,
                  .blob = to_bytes(tally),
                  .private_state = {}};
  int u = 0;
  const auto add_change = [&](const ParamSet& after, size_t offset) {
    for (const int t : phase.trained) {
      const auto now = after.values(t);
      const auto before = task.shared.flat().subspan(offset + layout.offset(t), now.size());
      const auto change = outcome.update.values(u++);
      for (size_t i = 0; i < now.size(); ++i) change[i] = now[i] - before[i];
    }
  };
  add_change(scratch.params, 0);
  for (size_t p = 0; p < rule.state.size(); ++p)
    add_change(rule.state[p], offset_of(phase.prefixes[p]));
  return outcome;
}

Outcome NetworkProgram::compute_means(const Phase& phase, const Task& task) const {
  auto& scratch = static_cast<Scratch&>(task.scratch);
  const models::Network& network = *job_.network;
  copy_values(task.shared.flat().first(network.layout()->flat_size()), scratch.params.flat());
  const auto order = scratch.order_of(phase, task.unit.id, 0);
  std::vector<double> sums(
      static_cast<size_t>(network.layer(phase.pretrained_layer).inputs()), 0.0);
  for (int64_t b = task.unit.begin; b < task.unit.end && !task.progress.stopped(); ++b) {
    const auto begin = static_cast<size_t>(b * phase.batch());
    const auto count = std::min(static_cast<size_t>(phase.batch()), order.size() - begin);
    job_.train->read(order.subspan(begin, count), scratch.batch);
    const layers::Pass pass{layers::Mode::kEvaluate, phase.key, scratch.batch.row_numbers,
                            scratch.learner.context};
    const ConstMatrix v = network.forward(scratch.params, scratch.batch.x.matrix(),
                                          phase.pretrained_layer, scratch.learner.work, pass);
    for (int64_t r = 0; r < v.rows; ++r) {
      const auto row = v.row(r);
      for (size_t j = 0; j < sums.size(); ++j) sums[j] += static_cast<double>(row[j]);
    }
    task.progress.beat();
  }
  Outcome outcome{.update = ParamSet(phase.means.layout),
                  .weight = static_cast<int64_t>(order.size()),
                  .blob = {},
                  .private_state = {}};
  const auto means = outcome.update.values(0);
  for (size_t j = 0; j < sums.size(); ++j)
    means[j] = static_cast<float>(sums[j] / static_cast<double>(order.size()));
  return outcome;
}

Outcome NetworkProgram::compute_valid(const Task& task) const {
  auto& scratch = static_cast<Scratch&>(task.scratch);
  copy_values(task.shared.flat().first(job_.network->layout()->flat_size()),
              scratch.params.flat());
  const auto& learner = static_cast<const Backpropagation&>(*phase(task.round.phase).learner);
  const std::span<const int64_t> rows = job_.valid_rows;
  job_.valid->read(rows.subspan(static_cast<size_t>(task.unit.begin),
                                static_cast<size_t>(task.unit.end - task.unit.begin)),
                   scratch.batch);
  const Tally tally = learner.evaluate(scratch.params, scratch.batch, scratch.learner);
  return {.update = {}, .weight = tally.rows, .blob = to_bytes(tally), .private_state = {}};
}

// ---- How the state moves --------------------------------------------------------------------

Report NetworkProgram::apply(const Round& round, State& state, const reduce::ExactSum& sum,
                             const std::vector<Bytes>& blobs) const {
  const Phase& phase = this->phase(round.phase);
  Notes notes = Notes::from(state.notes);
  Report report;
  const auto measure = [&](std::string name, double value) {
    report.measures.emplace_back(std::move(name), value);
  };

  if (round.args == kMeans) {
    const auto& rbm = static_cast<const layers::Rbm&>(job_.network->layer(phase.pretrained_layer));
    const auto bias = state.shared.values(job_.network->first(phase.pretrained_layer) +
                                          layers::Rbm::kVisibleBias);
    for (size_t j = 0; j < bias.size(); ++j) bias[j] = rbm.initial_visible_bias(sum.value(0, j));
    measure("rows", static_cast<double>(sum.weight()));
    return report;
  }

  const bool classes = job_.loss && job_.loss->name() == "softmax_cross_entropy";
  const Tally tally = sum_of(blobs);
  const auto measure_tally = [&](const Tally& t, const std::string& prefix) {
    measure(prefix + "rows", static_cast<double>(t.rows));
    measure(prefix + "loss", per_row(t.loss, t.rows));
    if (classes && phase.name == kFinetune)
      measure(prefix + "error", per_row(static_cast<double>(t.errors), t.rows));
  };

  if (round.args == kTrain) {
    apply_train(phase, state, sum);
    notes.epoch += tally;
  }
  if (closes_epoch(phase, round)) {
    const bool last = round.epoch + 1 == phase.config.epochs;
    report.event = last ? "phase" : "epoch";
    measure_tally(notes.epoch, "");
    notes.epoch = {};
    if (round.args == kValid) {
      measure_tally(tally, "valid_");
      keep_if_best(tally, round.epoch, notes, state);
      if (job_.finetune.keep_best)
        measure("best_epoch", static_cast<double>(notes.best_epoch));
    }
    if (last) reset_optimizer(state);
  } else {
    measure_tally(tally, "");
  }
  state.notes = notes.to_bytes();
  return report;
}

void NetworkProgram::apply_train(const Phase& phase, State& state,
                                 const reduce::ExactSum& sum) const {
  const ParamLayout& layout = *job_.network->layout();
  const auto trained = phase.trained.size();
  static const auto kPlain = reduce::make_outer_rule("average", 0, 1);
  std::vector<double> mean;
  for (int u = 0; u < phase.updates.layout->size(); ++u) {
    const ParamSpec& spec = phase.updates.layout->spec(u);
    mean.resize(static_cast<size_t>(spec.shape.count()));
    sum.values(u, mean);
    const auto value = state.shared.values(spec.name);
    // The optimizer's state is averaged plainly; the outer rule moves the network's tensors alone.
    if (static_cast<size_t>(u) >= trained) {
      kPlain->move(value, {}, mean);
      continue;
    }
    std::span<float> momentum;
    if (outer_->has_momentum())
      momentum = state.outer.values(
          fmt::format("momentum.{}", layout.spec(phase.trained[static_cast<size_t>(u)]).name));
    outer_->move(value, momentum, mean);
  }
}

void NetworkProgram::keep_if_best(const Tally& valid, int64_t epoch, Notes& notes,
                                  State& state) const {
  // Fewer errors, then a lower loss; regression has no errors. A loss that is no number is never
  // best.
  const double loss = per_row(valid.loss, valid.rows);
  const bool better = valid.errors < notes.best_errors ||
                      (valid.errors == notes.best_errors && loss < notes.best_loss);
  if (!better) return;
  notes.best_epoch = epoch + 1;
  notes.best_errors = valid.errors;
  notes.best_loss = loss;
  if (!job_.finetune.keep_best) return;
  for (const ParamSpec& spec : job_.network->layout()->specs())
    copy_values(std::as_const(state.shared).values(spec.name),
                state.outer.values("best." + spec.name));
}

void NetworkProgram::reset_optimizer(State& state) const {
  const ParamLayout& layout = *job_.network->layout();
  std::ranges::fill(state.shared.flat().subspan(layout.flat_size()), 0.0F);
  if (!outer_->has_momentum()) return;
  for (const ParamSpec& spec : layout.specs())
    std::ranges::fill(state.outer.values("momentum." + spec.name), 0.0F);
}

ParamSet NetworkProgram::result(const State& state) const {
  ParamSet params(job_.network->layout());
  const bool best = best_epoch(state) > 0 && job_.finetune.keep_best;
  for (int t = 0; t < params.layout().size(); ++t) {
    const std::string& name = params.layout().spec(t).name;
    copy_values(best ? state.outer.values("best." + name) : state.shared.values(name),
                params.values(t));
  }
  return params;
}

int64_t NetworkProgram::best_epoch(const State& state) const {
  return Notes::from(state.notes).best_epoch;
}

}  // namespace superstep::training
