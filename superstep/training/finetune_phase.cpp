#include "superstep/training/finetune_phase.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace superstep::training {

using reduce::Outcome;
using reduce::Report;
using reduce::Round;
using reduce::State;
using reduce::Task;

namespace {

double per_row(double sum, int64_t rows) {
  return rows == 0 ? 0.0 : sum / static_cast<double>(rows);
}

}  // namespace

FinetunePhase::FinetunePhase(Options options) : Phase(options.setup), options_(std::move(options)) {
  const models::Network& network = *options_.network;
  if (!options_.class_weights.empty())
    weighted_ = std::make_unique<layers::SoftmaxCrossEntropy>(options_.class_weights);
  const layers::Loss& loss = weighted_ ? *weighted_ : *options_.loss;
  if (options_.config.method == "up_down") {
    learner_ = std::make_unique<UpDown>(network, loss, options_.config.up_down_steps);
    return;
  }
  std::vector<double> dropout;
  for (int i = 0; i < network.size(); ++i) dropout.push_back(options_.config.dropout_below(i));
  if (std::ranges::all_of(dropout, [](double rate) { return rate == 0; })) dropout.clear();
  learner_ = std::make_unique<Backpropagation>(network, loss, std::move(dropout));
}

std::optional<Round> FinetunePhase::next(const Round& last, const Notes& notes) const {
  if (last.args == kTrain) {
    if (auto round = next_in_epoch(last)) return round;
    if (!options_.valid_rows.empty())
      return rows_round(kValid, last.epoch, static_cast<int64_t>(options_.valid_rows.size()));
  }
  const int64_t epochs = last.epoch + 1;
  const int64_t patience = options_.config.patience;
  const bool hopeless =
      last.args == kValid && patience > 0 && epochs - notes.best_epoch >= patience;
  if (epochs == config().epochs || hopeless) return std::nullopt;
  return train_round(epochs, 0);
}

Outcome FinetunePhase::compute(const Task& task, Scratch& scratch) const {
  if (task.round.args == kTrain) return compute_train(task, scratch);
  const std::span<const int64_t> rows = options_.valid_rows;
  options_.valid->read_as(setup().form,
                          rows.subspan(static_cast<size_t>(task.unit.begin),
                                       static_cast<size_t>(task.unit.end - task.unit.begin)),
                          scratch.batch);
  const Tally tally =
      evaluate(*options_.network, *options_.loss, task.shared, scratch.batch, scratch.learner);
  return {.update = {}, .weight = tally.rows, .blob = to_bytes(tally), .private_state = {}};
}

void FinetunePhase::read(std::span<const int64_t> rows, Replica& replica) const {
  setup().source->read_as(setup().form, rows, replica.scratch.batch);
}

Tally FinetunePhase::gradient(const Minibatch& minibatch, Replica& replica, GradSink& sink) const {
  return learner_->gradient(replica.scratch.params, minibatch, sink, replica.scratch.learner);
}

Report FinetunePhase::apply(const Round& round, State& state, const reduce::ExactSum& sum,
                            const std::vector<Bytes>& blobs) const {
  Notes notes = Notes::from(state.notes);
  Report report;
  const auto measure = [&](std::string name, double value) {
    report.measures.emplace_back(std::move(name), value);
  };
  const bool classes = options_.loss->name() == "softmax_cross_entropy";
  const auto measure_tally = [&](const Tally& t, const std::string& prefix) {
    measure(prefix + "rows", static_cast<double>(t.rows));
    measure(prefix + "loss", per_row(t.loss, t.rows));
    if (classes) measure(prefix + "error", per_row(static_cast<double>(t.errors), t.rows));
  };

  const Tally tally = sum_of_tallies(blobs);
  if (round.args == kTrain) {
    apply_train(round, state, sum);
    notes.epoch += tally;
  }
  const bool closes_epoch =
      round.args == kValid || (ends_epoch(round) && options_.valid_rows.empty());
  if (closes_epoch) {
    measure_tally(notes.epoch, "");
    if (round.args == kValid) {
      measure_tally(tally, "valid_");
      keep_if_best(tally, round.epoch, notes, state);
      if (options_.config.keep_best) measure("best_epoch", static_cast<double>(notes.best_epoch));
    }
    notes.epoch = {};
    notes.epochs = round.epoch + 1;
    const bool last = !next(round, notes);
    report.event = last ? "phase" : "epoch";
    if (last) reset(state);
  } else {
    measure_tally(tally, "");
  }
  state.notes = notes.to_bytes();
  return report;
}

void FinetunePhase::keep_if_best(const Tally& valid, int64_t epoch, Notes& notes,
                                 State& state) const {
  // Fewer errors, then a lower loss; regression has no errors. A loss that is no number is never
  // best.
  const double loss = per_row(valid.loss, valid.rows);
  if (!std::isfinite(loss)) return;
  const bool better = valid.errors < notes.best_errors ||
                      (valid.errors == notes.best_errors && loss < notes.best_loss);
  if (!better) return;
  notes.best_epoch = epoch + 1;
  notes.best_errors = valid.errors;
  notes.best_loss = loss;
  if (!options_.config.keep_best) return;
  for (const ParamSpec& spec : options_.network->layout()->specs())
    std::ranges::copy(std::as_const(state.shared).values(spec.name),
                      state.outer.values("best." + spec.name).begin());
}

}  // namespace superstep::training
