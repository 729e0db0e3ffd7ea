// Reads metrics.jsonl, the log of a run: one JSON object a line.
//
//   for (const MetricLine& line : read_metrics_file("runs/digits/1/metrics.jsonl")) ...
//
// A last line without its line break that does not parse was being written when the run stopped: it
// is left out. Any other damage is a DataError with file and line.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace superstep::report {

/// One superstep (`event` says what it closed), or the end of the run.
struct MetricLine {
  std::string event;  ///< "superstep", "epoch", "phase" or "end".
  std::string phase;  ///< "fit", "pretrain.0", "finetune", "evaluate"; may be empty at the end.
  int64_t epoch = 0;  ///< Passes over the data before this one, within the phase.
  int64_t superstep = 0;
  int64_t rows = 0;
  double loss = std::numeric_limits<double>::quiet_NaN();  ///< NaN: none given.
  double seconds = 0;                                      ///< Of this superstep, on the wall.
  double compute_seconds = 0;                              ///< Of all lanes together.
  double wait_seconds = 0;                                 ///< Of all lanes together.
  /// Every other number, by name; those inside objects as "metrics.error". true is 1, false is 0.
  std::map<std::string, double> numbers;

  /// A number by name, or NaN.
  [[nodiscard]] double number(const std::string& name) const;
};

/// `name` stands for the text in errors.
std::vector<MetricLine> read_metrics(std::string_view text, std::string_view name);
/// Throws FileError when the file cannot be read.
std::vector<MetricLine> read_metrics_file(const std::string& path);

}  // namespace superstep::report
