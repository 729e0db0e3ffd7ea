#include "superstep/training/nonzeros.h"

#include <algorithm>
#include <span>
#include <utility>

namespace superstep::training {

using reduce::Outcome;
using reduce::Report;
using reduce::Round;
using reduce::State;

namespace {

constexpr int64_t kRowsOfAUnit = 65'536, kRowsAtOnce = 256;

Bytes to_bytes(int64_t count) {
  ByteWriter out;
  out.put(count);
  return std::move(out).take();
}

}  // namespace

NonzerosProgram::NonzerosProgram(const Source& source, std::vector<int64_t> rows)
    : source_(source), rows_(std::move(rows)) {}

std::optional<Round> NonzerosProgram::next(const Round* last, const State&) const {
  if (last) return std::nullopt;
  Round round{.phase = "nonzeros", .epoch = 0, .superstep = 0, .args = {}, .units = {}};
  const auto rows = static_cast<int64_t>(rows_.size());
  for (int64_t begin = 0; begin < rows; begin += kRowsOfAUnit) {
    const int64_t end = std::min(begin + kRowsOfAUnit, rows);
    round.units.push_back(
        {.id = begin / kRowsOfAUnit, .begin = begin, .end = end, .weight = end - begin});
  }
  return round;
}

reduce::UpdateSpec NonzerosProgram::update_spec(const Round&) const {
  return {ParamSet().shared_layout(), {}};
}

Outcome NonzerosProgram::compute(const reduce::Task& task) const {
  Batch batch;
  int64_t count = 0;
  for (int64_t begin = task.unit.begin; begin < task.unit.end; begin += kRowsAtOnce) {
    const int64_t end = std::min(begin + kRowsAtOnce, task.unit.end);
    source_.read_sparse(
        std::span(rows_).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)),
        batch);
    count += batch.sparse.count();
    task.progress.beat();
  }
  return {.update = {}, .weight = task.unit.weight, .blob = to_bytes(count), .private_state = {}};
}

Report NonzerosProgram::apply(const Round&, State& state, const reduce::ExactSum&,
                              const std::vector<Bytes>& blobs) const {
  int64_t count = 0;
  for (const Bytes& blob : blobs) count += ByteReader(blob, "a count").get<int64_t>();
  state.notes = to_bytes(count);
  return {.event = "phase", .measures = {{"nonzeros", static_cast<double>(count)}}};
}

int64_t NonzerosProgram::result(const State& state) const {
  return ByteReader(state.notes, "the count of non-zeros").get<int64_t>();
}

}  // namespace superstep::training
