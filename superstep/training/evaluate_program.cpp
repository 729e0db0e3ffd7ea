#include "superstep/training/evaluate_program.h"

#include <algorithm>
#include <cmath>

#include "superstep/kernels/sparse.h"

namespace superstep::training {

using reduce::Round;
using reduce::State;

namespace {

constexpr int64_t kRowsOfAUnit = 1024;

void add_classes(Evaluation& e, ConstMatrix p, const Batch& batch) {
  e.classes = p.cols;
  e.confusion.assign(static_cast<size_t>(p.cols * p.cols), 0);
  for (int64_t r = 0; r < p.rows; ++r) {
    const auto row = p.row(r);
    const auto truth = batch.labels[static_cast<size_t>(r)];
    const auto said = std::max_element(row.begin(), row.end()) - row.begin();
    ++e.confusion[static_cast<size_t>(truth * p.cols + said)];
    if (p.cols != 2) continue;
    e.scores.push_back(row[1]);
    e.positives.push_back(truth == 1 ? 1 : 0);
    const double miss = static_cast<double>(row[1]) - truth;
    e.brier += miss * miss;
  }
}

void add_numbers(Evaluation& e, ConstMatrix y, const Batch& batch, const data::Target& target) {
  e.target_offset = target.mean;
  const ConstMatrix t = batch.targets.matrix();
  for (int64_t r = 0; r < y.rows; ++r) {
    // Less the mean, so that squares of large numbers do not drown their variation.
    const double truth = static_cast<double>(t.row(r)[0]) * target.deviation;
    const double miss = static_cast<double>(y.row(r)[0]) - target.mean - truth;
    e.squared += miss * miss;
    e.absolute += std::abs(miss);
    e.target += truth;
    e.target_squared += truth * truth;
  }
}

}  // namespace

Evaluation evaluate_batch(const models::Model& model, models::Predictor& predictor,
                          const Batch& batch) {
  Evaluation e;
  e.rows = batch.rows();
  const Features x = batch.features();
  if (!model.loss()) {
    e.reconstruction = kernels::squared_distance_of(x, predictor.reconstruct(x));
    e.loss = e.reconstruction;
    return e;
  }
  e.loss = model.loss()->evaluate(predictor.scores(x), batch, nullptr);
  const ConstMatrix answers = predictor.predict(x);
  if (model.target().task == data::Task::kClassify)
    add_classes(e, answers, batch);
  else
    add_numbers(e, answers, batch, model.target());
  return e;
}

struct EvaluateProgram::Scratch : reduce::LaneScratch {
  explicit Scratch(const models::Model& model) : predictor(model) {}
  models::Predictor predictor;
  Batch batch;
};

EvaluateProgram::EvaluateProgram(const models::Model& model, const Source& source,
                                 std::vector<int64_t> rows)
    : model_(model), source_(source), rows_(std::move(rows)) {}

State EvaluateProgram::initial() const {
  return {.shared = model_.params(), .outer = {}, .notes = {}};
}

std::optional<Round> EvaluateProgram::next(const Round* last, const State&) const {
  if (last) return std::nullopt;
  Round round{.phase = "evaluate", .epoch = 0, .superstep = 0, .args = {}, .units = {}};
  const auto rows = static_cast<int64_t>(rows_.size());
  for (int64_t begin = 0; begin < rows; begin += kRowsOfAUnit) {
    const int64_t end = std::min(begin + kRowsOfAUnit, rows);
    round.units.push_back(
        {.id = begin / kRowsOfAUnit, .begin = begin, .end = end, .weight = end - begin});
  }
  return round;
}

reduce::UpdateSpec EvaluateProgram::update_spec(const Round&) const {
  return {ParamSet().shared_layout(), {}};
}

std::unique_ptr<reduce::LaneScratch> EvaluateProgram::make_scratch() const {
  return std::make_unique<Scratch>(model_);
}

reduce::Outcome EvaluateProgram::compute(const reduce::Task& task) const {
  auto& scratch = static_cast<Scratch&>(task.scratch);
  source_.read_as(model_.form(),
                  std::span(rows_).subspan(static_cast<size_t>(task.unit.begin),
                                           static_cast<size_t>(task.unit.weight)),
                  scratch.batch);
  scratch.predictor.use(task.shared);
  const Evaluation e = evaluate_batch(model_, scratch.predictor, scratch.batch);
  return {.update = {}, .weight = e.rows, .blob = e.to_bytes(), .private_state = {}};
}

reduce::Report EvaluateProgram::apply(const Round&, State& state, const reduce::ExactSum&,
                                      const std::vector<Bytes>& blobs) const {
  Evaluation all;
  for (const Bytes& blob : blobs) all.append(Evaluation::from_bytes(blob));
  state.notes = all.to_bytes();
  return {.event = "phase", .measures = {{"rows", static_cast<double>(all.rows)}}};
}

Metrics EvaluateProgram::result(const State& state) const {
  return metrics_of(Evaluation::from_bytes(state.notes), model_.target().classes.names());
}

}  // namespace superstep::training
