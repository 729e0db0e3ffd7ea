#include "superstep/training/fit.h"

#include <algorithm>
#include <map>
#include <optional>

namespace superstep::training {

using reduce::Outcome;
using reduce::Report;
using reduce::Round;
using reduce::State;

namespace {

constexpr int64_t kRowsOfAStatisticsUnit = 65'536;

// State::notes: the row index, then the statistics (empty before their round).
struct Notes {
  Bytes index, statistics;

  static Notes from(const Bytes& bytes) {
    ByteReader in(bytes, "the notes of fit");
    Notes notes;
    notes.index = in.get_string();
    notes.statistics = in.get_string();
    in.finish();
    return notes;
  }
  [[nodiscard]] Bytes to_bytes() const {
    ByteWriter out;
    out.put_string(index);
    out.put_string(statistics);
    return std::move(out).take();
  }
};

}  // namespace

FitProgram::FitProgram(std::shared_ptr<const data::DataSet> data, FitOptions options)
    : data_(std::move(data)), options_(std::move(options)) {}

data::Target FitProgram::target(const data::RowIndex& index) const {
  return data::infer_target(index, data_->schema(), options_.task);
}

std::optional<Round> FitProgram::next(const Round* last, const State& state) const {
  if (!last) {
    Round round{.phase = "index", .epoch = 0, .superstep = 0, .args = {}, .units = {}};
    for (int64_t split = 0; split < data_->splits(); ++split)
      round.units.push_back({.id = split, .begin = split, .end = split + 1, .weight = 1});
    return round;
  }
  if (last->phase != "index") return std::nullopt;
  const Bytes index_bytes = Notes::from(state.notes).index;
  const auto index = data::RowIndex::from_bytes(index_bytes);
  const bool numbers = target(index).task == data::Task::kRegress;
  const auto scale = data::Scaling::resolve(options_.scale, data_->schema());
  if (!numbers && !data::Scaling::needs_statistics(scale, data_->schema())) return std::nullopt;
  Round round{.phase = "statistics", .epoch = 0, .superstep = 1, .args = index_bytes, .units = {}};
  // A unit is of one split, so that who has read the split, or is near to it, can have all of them.
  const auto splits = static_cast<int64_t>(index.first_row.size());
  for (int64_t split = 0; split < splits; ++split) {
    const auto at = static_cast<size_t>(split);
    const int64_t split_end = split + 1 < splits ? index.first_row[at + 1] : index.rows;
    for (int64_t begin = index.first_row[at]; begin < split_end; begin += kRowsOfAStatisticsUnit) {
      const int64_t end = std::min(begin + kRowsOfAStatisticsUnit, split_end);
      round.units.push_back({.id = static_cast<int64_t>(round.units.size()),
                             .begin = begin,
                             .end = end,
                             .weight = end - begin});
    }
  }
  return round;
}

std::vector<std::vector<std::string>> FitProgram::hosts(const Round& round) const {
  std::optional<data::RowIndex> index;
  if (round.phase != "index") index = data::RowIndex::from_bytes(round.args);
  std::map<int, std::vector<std::string>> of_split;  // each is asked for once
  std::vector<std::vector<std::string>> hosts;
  for (const reduce::WorkUnit& unit : round.units) {
    const int split = index ? index->find(unit.begin).split : static_cast<int>(unit.begin);
    if (!of_split.contains(split)) of_split[split] = data_->hosts(split);
    hosts.push_back(of_split[split]);
  }
  return hosts;
}

reduce::UpdateSpec FitProgram::update_spec(const Round&) const {
  return {ParamSet().shared_layout(), {}};
}

Outcome FitProgram::compute(const reduce::Task& task) const {
  Outcome outcome;
  if (task.round.phase == "index") {
    outcome.blob = data::index_split(*data_, static_cast<int>(task.unit.begin)).to_bytes();
  } else {
    const auto index = data::RowIndex::from_bytes(task.round.args);
    outcome.blob =
        data::statistics(*data_, index, task.unit.begin, task.unit.end, options_.training)
            .to_bytes();
  }
  return outcome;
}

Report FitProgram::apply(const Round& round, State& state, const reduce::ExactSum&,
                         const std::vector<Bytes>& blobs) const {
  Notes notes;
  double rows = 0;
  if (round.phase == "index") {
    std::vector<data::SplitIndex> splits;
    for (const Bytes& blob : blobs) splits.push_back(data::SplitIndex::from_bytes(blob));
    const auto index = data::RowIndex::merge(splits);
    rows = static_cast<double>(index.rows);
    notes.index = index.to_bytes();
  } else {
    notes = Notes::from(state.notes);
    data::Statistics all;
    for (const Bytes& blob : blobs) all.add(data::Statistics::from_bytes(blob));
    if (!all.columns.empty()) rows = static_cast<double>(all.columns.front().count);
    notes.statistics = all.to_bytes();
  }
  state.notes = notes.to_bytes();
  return {.event = "phase", .measures = {{"rows", rows}}};
}

Fitted FitProgram::result(const State& state) const {
  const Notes notes = Notes::from(state.notes);
  data::Statistics statistics;
  if (!notes.statistics.empty()) statistics = data::Statistics::from_bytes(notes.statistics);
  Fitted fitted;
  fitted.index = data::RowIndex::from_bytes(notes.index);
  fitted.target = target(fitted.index);
  if (fitted.target.task == data::Task::kRegress) {
    // Numbers are learned in units of their deviation, whatever they count.
    fitted.target.mean = statistics.label.mean();
    const double deviation = statistics.label.deviation();
    fitted.target.deviation = deviation > 0 ? deviation : 1;
  }
  fitted.statistics = statistics;
  if (!options_.more.columns.empty()) statistics.add(options_.more);
  fitted.scaling =
      data::Scaling::fit(options_.scale, data_->schema(), statistics, options_.threshold);
  return fitted;
}

}  // namespace superstep::training
