#include "superstep/training/phase.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "superstep/base/team.h"

namespace superstep::training {

using reduce::Outcome;
using reduce::Round;
using reduce::State;
using reduce::Task;

namespace {

// Rows of one unit of evaluation; part of a result, since a loss is summed unit by unit.
constexpr int64_t kEvaluationRows = 1024;
// How much of its old value an offset keeps in a minibatch.
constexpr double kOffsetKept = 0.99;

/// Calls body(begin, end) for ranges of the elements of a tensor, on the threads of the lane.
template <class Body>
void split_values(size_t count, const Body& body) {
  split(static_cast<int64_t>(count), {.fewest = 32'768, .step = 16}, [&](const Part& part) {
    body(static_cast<size_t>(part.begin), static_cast<size_t>(part.end));
  });
}

void copy(std::span<const float> from, std::span<float> to) {
  split_values(from.size(), [&](size_t begin, size_t end) {
    std::ranges::copy(from.subspan(begin, end - begin), to.subspan(begin).begin());
  });
}

}  // namespace

Bytes to_bytes(const Tally& tally) {
  ByteWriter out;
  out.put(tally);
  return std::move(out).take();
}

Tally sum_of_tallies(const std::vector<Bytes>& blobs) {
  Tally sum;
  for (const Bytes& blob : blobs) sum += ByteReader(blob, "a tally").get<Tally>();
  return sum;
}

size_t SharedTensors::offset_of(const std::string& prefix) const {
  const auto p = std::ranges::find(prefixes, prefix) - prefixes.begin();
  return static_cast<size_t>(p + 1) * network->flat_size();
}

Scratch::Rule& Scratch::rule(const std::string& name) {
  Rule& rule = rules[name];
  if (!rule.optimizer) {
    rule.optimizer = optim::make_optimizer(name);
    rule.state.assign(rule.optimizer->state_prefixes().size(), ParamSet(params.shared_layout()));
  }
  return rule;
}

Phase::Phase(Setup setup)
    : setup_(std::move(setup)),
      dealing_(setup_.rows, setup_.replicas, *setup_.config.batch, setup_.seed),
      key_(RngKey(setup_.seed).fold(setup_.name)) {
  if (keeps_state()) prefixes_ = optim::make_optimizer(setup_.config.optimizer)->state_prefixes();
  for (int64_t r = 0; r < setup_.replicas; ++r)
    steps_an_epoch_ = std::max(steps_an_epoch_, batches(r));
}

void Phase::lay_out(const SharedTensors& tensors, const reduce::OuterRule& outer) {
  tensors_ = tensors;
  outer_ = &outer;
  std::vector<ParamSpec> specs;
  for (const auto& rule : setup_.rules) specs.push_back(tensors_.network->spec(rule.param));
  for (const std::string& prefix : prefixes_)
    for (const auto& rule : setup_.rules) {
      const ParamSpec& spec = tensors_.network->spec(rule.param);
      specs.push_back({fmt::format("{}.{}", prefix, spec.name), spec.shape});
    }
  if (!setup_.hidden_offset.empty())
    specs.push_back(tensors_.all->spec(tensors_.all->at(setup_.hidden_offset)));
  updates_ = reduce::UpdateSpec::means(std::make_shared<const ParamLayout>(std::move(specs)));
}

int64_t Phase::batches(int64_t replica) const {
  return (dealing_.rows(static_cast<int>(replica)) + batch() - 1) / batch();
}

// ---- Rounds -----------------------------------------------------------------------------------

Round Phase::train_round(int64_t epoch, int64_t step) const {
  Round round{.phase = name(), .epoch = epoch, .superstep = 0, .args = Bytes(kTrain), .units = {}};
  for (int64_t r = 0; r < setup_.replicas; ++r) {
    const int64_t begin = step * setup_.local_steps;
    const int64_t end = std::min(begin + setup_.local_steps, batches(r));
    if (begin >= end) continue;  // this replica is done with the epoch
    const int64_t rows =
        std::min(end * batch(), dealing_.rows(static_cast<int>(r))) - begin * batch();
    round.units.push_back({.id = r, .begin = begin, .end = end, .weight = rows});
  }
  return round;
}

std::optional<Round> Phase::next_in_epoch(const Round& last) const {
  Round round = train_round(last.epoch, last.units.front().begin / setup_.local_steps + 1);
  if (round.units.empty()) return std::nullopt;
  return round;
}

bool Phase::ends_epoch(const Round& round) const {
  return round.args == kTrain && !next_in_epoch(round);
}

Round Phase::rows_round(std::string_view kind, int64_t epoch, int64_t rows) const {
  Round round{.phase = name(), .epoch = epoch, .superstep = 0, .args = Bytes(kind), .units = {}};
  for (int64_t begin = 0; begin < rows; begin += kEvaluationRows) {
    const int64_t end = std::min(begin + kEvaluationRows, rows);
    round.units.push_back(
        {.id = begin / kEvaluationRows, .begin = begin, .end = end, .weight = end - begin});
  }
  return round;
}

reduce::UpdateSpec Phase::update_spec(const Round& round) const {
  static const auto kNothing = std::make_shared<const ParamLayout>(std::vector<ParamSpec>{});
  return round.args == kTrain ? updates_ : reduce::UpdateSpec{kNothing, {}};
}

// ---- What a replica computes ------------------------------------------------------------------

std::span<const int64_t> Phase::order_of(int64_t replica, int64_t epoch, Scratch& scratch) const {
  if (scratch.order_phase != name() || scratch.order_replica != replica ||
      scratch.order_epoch != epoch) {
    scratch.order = dealing_.order(static_cast<int>(replica), epoch, key_.fold("order"));
    scratch.order_phase = name();
    scratch.order_replica = replica;
    scratch.order_epoch = epoch;
  }
  return scratch.order;
}

Outcome Phase::compute_train(const Task& task, Scratch& scratch) const {
  // The replica's own copy of the global state.
  const PhaseConfig& config = setup_.config;
  Scratch::Rule& rule = scratch.rule(config.optimizer);
  for (const int t : setup_.used) copy(task.shared.values(t), scratch.params.values(t));
  const auto state_now = [&](size_t p, int t) {  // of the global state
    const auto values = rule.state[p].values(t);
    return task.shared.flat().subspan(
        tensors_.offset_of(prefixes_[p]) + tensors_.network->offset(t), values.size());
  };
  for (size_t p = 0; p < rule.state.size(); ++p)
    for (const auto& tensor : setup_.rules) {
      const auto values = rule.state[p].values(tensor.param);
      if (keeps_state())
        copy(state_now(p, tensor.param), values);
      else
        std::ranges::fill(values, 0.0F);
    }
  rule.optimizer->bind(scratch.params, rule.state, setup_.rules, scratch.learner.context);

  const int64_t epoch = task.round.epoch;
  const auto order = order_of(task.unit.id, epoch, scratch);
  const RngKey key = key_.fold(static_cast<uint64_t>(epoch));
  Replica replica{.task = task, .scratch = scratch, .activity = {}};
  if (!setup_.hidden_offset.empty())
    replica.activity.resize(task.shared.values(setup_.hidden_offset).size());
  begin_unit(replica);

  Tally tally;
  for (int64_t b = task.unit.begin; b < task.unit.end && !task.progress.stopped(); ++b) {
    const auto begin = static_cast<size_t>(b * batch());
    const auto count = std::min(static_cast<size_t>(batch()), order.size() - begin);
    read(order.subspan(begin, count), replica);
    const int64_t step = epoch * steps_an_epoch_ + b;
    GradSink& sink =
        rule.optimizer->begin({.learning_rate = learning_rate_at(
                                   config, step, config.epochs * steps_an_epoch_, steps_an_epoch_),
                               .momentum = momentum(epoch),
                               .clip_norm = config.clip_norm.value_or(0),
                               .number = keeps_state() ? step + 1 : b - task.unit.begin + 1});
    tally += gradient({.batch = scratch.batch,
                       .key = key,
                       .step_key = key.fold("step").fold(static_cast<uint64_t>(b))},
                      replica, sink);
    rule.optimizer->end();
    task.progress.beat();
  }
  rule.optimizer->unbind();

  Outcome outcome{.update = scratch.update(updates_.layout),
                  .weight = tally.rows,
                  .blob = to_bytes(tally),
                  .private_state = private_state(replica)};
  int u = 0;
  const auto add_change = [&](std::span<const float> now, std::span<const float> before) {
    const auto change = outcome.update.values(u++);
    split_values(now.size(), [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) change[i] = now[i] - before[i];
    });
  };
  for (const auto& tensor : setup_.rules)
    add_change(scratch.params.values(tensor.param), task.shared.values(tensor.param));
  if (keeps_state())
    for (size_t p = 0; p < rule.state.size(); ++p)
      for (const auto& tensor : setup_.rules)
        add_change(rule.state[p].values(tensor.param), state_now(p, tensor.param));
  if (!setup_.hidden_offset.empty()) {
    const auto before = task.shared.values(setup_.hidden_offset);
    const auto change = outcome.update.values(u++);
    const auto rows = static_cast<double>(tally.rows);
    for (size_t j = 0; j < before.size(); ++j)
      change[j] =
          rows > 0 ? static_cast<float>(replica.activity[j] / rows - double{before[j]}) : 0.0F;
  }
  return outcome;
}

// ---- How the state moves ----------------------------------------------------------------------

void Phase::apply_train(const Round& round, State& state, const reduce::ExactSum& sum) const {
  static const auto kPlain = reduce::make_outer_rule("average", 0, 1);
  for (int u = 0; u < updates_.layout->size(); ++u) {
    const ParamSpec& spec = updates_.layout->spec(u);
    const auto value = state.shared.values(spec.name);
    if (spec.name == setup_.hidden_offset) {
      // A running mean; the machine's parameters are plain ones, so nothing else moves with it.
      const int64_t steps = round.units.front().end - round.units.front().begin;
      const double taken = 1.0 - std::pow(kOffsetKept, static_cast<double>(steps));
      std::vector<double> mean(value.size());
      sum.values(u, mean);
      for (double& change : mean) change *= taken;
      kPlain->move(value, {}, mean);
      continue;
    }
    // The optimizer's state is averaged plainly; the outer rule moves the network's tensors alone.
    if (static_cast<size_t>(u) >= setup_.rules.size()) {
      reduce::move_by_mean(*kPlain, sum, u, value, {});
      continue;
    }
    std::span<float> momentum;
    if (outer_->has_momentum()) momentum = state.outer.values("momentum." + spec.name);
    reduce::move_by_mean(*outer_, sum, u, value, momentum);
  }
}

void Phase::reset(State& state) const {
  for (const std::string& prefix : tensors_.prefixes)
    std::ranges::fill(
        state.shared.flat().subspan(tensors_.offset_of(prefix), tensors_.network->flat_size()),
        0.0F);
  if (!outer_->has_momentum()) return;
  for (const ParamSpec& spec : tensors_.network->specs())
    std::ranges::fill(state.outer.values("momentum." + spec.name), 0.0F);
}

}  // namespace superstep::training
