#include "superstep/report/curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "superstep/report/text.h"

namespace superstep::report {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

using Curve = std::map<int64_t, double>;  // epoch, from 1 -> value

bool closes_epoch(const MetricLine& line) { return line.event == "epoch" || line.event == "phase"; }

bool is_pretraining(const std::string& phase) { return phase.starts_with("pretrain"); }

/// The values of `get` in the epochs of a phase; a later line of an epoch takes the place of an
/// earlier one.
template <class Get>
Curve curve_of(std::span<const MetricLine> metrics, const std::string& phase, Get get) {
  Curve curve;
  for (const MetricLine& line : metrics)
    if (line.phase == phase && closes_epoch(line)) {
      const double value = get(line);
      if (std::isfinite(value)) curve[line.epoch + 1] = value;
    }
  return curve;
}

Curve curve_of(std::span<const MetricLine> metrics, const std::string& phase, const char* name) {
  return curve_of(metrics, phase, [name](const MetricLine& line) { return line.number(name); });
}

/// Adds curves to a chart, over all epochs that any of them has. Empty ones are left out.
void add_curves(Chart& chart, const std::vector<std::pair<std::string, Curve>>& named) {
  std::set<int64_t> epochs;
  for (const auto& [name, curve] : named)
    for (const auto& [epoch, value] : curve) epochs.insert(epoch);
  for (const int64_t epoch : epochs) chart.x.push_back(static_cast<double>(epoch));
  for (const auto& [name, curve] : named) {
    if (curve.empty()) continue;
    Series series{name, {}};
    for (const int64_t epoch : epochs) {
      const auto found = curve.find(epoch);
      series.y.push_back(found == curve.end() ? kNone : found->second);
    }
    chart.series.push_back(std::move(series));
  }
}

std::vector<std::string> phases_of(std::span<const MetricLine> metrics) {
  std::vector<std::string> phases;
  for (const MetricLine& line : metrics)
    if (line.event != "end" && std::find(phases.begin(), phases.end(), line.phase) == phases.end())
      phases.push_back(line.phase);
  return phases;
}

/// The epoch that was kept, as the trainer says in its last line that names one.
void mark_best(Chart& chart, std::span<const MetricLine> metrics) {
  const Curve best = curve_of(metrics, "finetune", "best_epoch");
  if (best.empty()) return;
  const auto epoch = static_cast<int64_t>(best.rbegin()->second);
  chart.mark = static_cast<double>(epoch);
  chart.mark_label = fmt::format("best at {}", epoch);
}

Chart epoch_chart(const char* title, const char* y_label) {
  Chart chart{.title = title, .x_label = "epoch", .y_label = y_label};
  chart.from_zero = true;
  return chart;
}

}  // namespace

std::string phase_text(const std::string& phase) {
  const size_t dot = phase.find('.');
  if (dot == std::string::npos) return phase;
  const std::string number = phase.substr(dot + 1);
  const bool whole = !number.empty() && number.size() < 6 &&
                     number.find_first_not_of("0123456789") == std::string::npos;
  return whole ? fmt::format("{} layer {}", phase.substr(0, dot), std::stoi(number) + 1) : phase;
}

std::vector<Chart> curves(std::span<const MetricLine> metrics) {
  std::vector<Chart> charts;
  const auto keep = [&charts](Chart chart) {
    if (!chart.series.empty()) charts.push_back(std::move(chart));
  };
  const auto loss = [](const MetricLine& line) { return line.loss; };

  Chart pretraining = epoch_chart("Pretraining: reconstruction error", "error");
  std::vector<std::pair<std::string, Curve>> layers;
  for (const std::string& phase : phases_of(metrics)) {
    if (!is_pretraining(phase)) continue;
    const std::string name = phase_text(phase);
    layers.emplace_back(name.substr(std::min(name.size(), name.find(' ') + 1)),
                        curve_of(metrics, phase, loss));
  }
  add_curves(pretraining, layers);
  keep(std::move(pretraining));

  Chart losses = epoch_chart("Finetuning: loss", "loss");
  add_curves(losses, {{"training rows", curve_of(metrics, "finetune", loss)},
                      {"rows to choose by", curve_of(metrics, "finetune", "valid_loss")}});
  mark_best(losses, metrics);
  keep(std::move(losses));

  Chart errors = epoch_chart("Finetuning: error on the rows to choose by", "error");
  errors.percent = true;
  add_curves(errors, {{"error", curve_of(metrics, "finetune", "valid_error")}});
  mark_best(errors, metrics);
  keep(std::move(errors));
  return charts;
}

Table time_table(std::span<const MetricLine> metrics) {
  Table table;
  table.title = "Time";
  table.caption = "Seconds on the wall, and seconds of all lanes together computing and waiting.";
  table.headers = {"phase", "supersteps", "seconds", "computing", "waiting", "share waiting"};
  for (const std::string& phase : phases_of(metrics)) {
    int64_t supersteps = 0;
    double seconds = 0, computing = 0, waiting = 0;
    for (const MetricLine& line : metrics) {
      if (line.phase != phase || line.event == "end") continue;
      ++supersteps;
      seconds += line.seconds;
      computing += line.compute_seconds;
      waiting += line.wait_seconds;
    }
    const double lanes = computing + waiting;
    table.rows.push_back({phase_text(phase), with_commas(supersteps),
                          fmt::format("{:.2f}", seconds), fmt::format("{:.2f}", computing),
                          fmt::format("{:.2f}", waiting),
                          lanes > 0 ? fmt::format("{:.0f}%", 100 * waiting / lanes) : "-"});
  }
  return table;
}

}  // namespace superstep::report
