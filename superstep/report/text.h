// What a person reads in a terminal: numbers, sizes, durations, and a bar for what takes long.
//
//   ProgressPrinter progress(std::cerr, {.terminal = true});
//   progress.line("data", "1,149 rows to learn from");
//   progress.begin("pretrain", "layer 1", 20);
//   progress.update(3, "reconstruction error 0.080");
//   progress.end("reconstruction error 0.031");
//
//   data      1,149 rows to learn from
//   pretrain  layer 1 ########## 20/20   reconstruction error 0.031     2.1 s
#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>

namespace superstep::report {

/// 1149 -> "1,149".
std::string with_commas(int64_t number);
/// Decimal units, one digit: 812 -> "812 B", 20300 -> "20.3 kB", 203304 -> "0.2 MB".
std::string human_bytes(int64_t bytes);
/// 0.034 -> "0.03 s", 2.13 -> "2.1 s", 185 -> "3 min 05 s", 7620 -> "2 h 07 min".
std::string human_seconds(double seconds);

struct ProgressStyle {
  bool terminal = false;  ///< true: the bar is redrawn in place, at most ten times a second.
                          ///< false: whole lines, at most one every ten seconds and one at the end.
  int width = 80;         ///< Columns of the terminal; longer redraws are cut so as not to wrap.
  /// Seconds since any fixed moment. Default: the steady clock.
  std::function<double()> now{};
};

/// Prints phases one after another. For one thread at a time; the stream must outlive it.
class ProgressPrinter {
 public:
  explicit ProgressPrinter(std::ostream& out, ProgressStyle style = {});

  /// A line of its own: "model     dbn 64-256-128-10". Not within a phase.
  void line(std::string_view label, std::string_view text);

  /// Starts a phase of `total` steps. `part` tells phases of one label apart ("layer 1") or is
  /// empty. A phase that is still open is ended as it stands.
  void begin(std::string_view label, std::string_view part, int64_t total);
  /// `done` steps are behind us. Cheap: prints only when it is time to.
  void update(int64_t done, std::string_view text);
  /// The phase's last line, with the seconds it took.
  void end(std::string_view text);

 private:
  [[nodiscard]] std::string phase_line() const;
  void draw(bool last);

  std::ostream& out_;
  ProgressStyle style_;
  bool open_ = false;
  std::string label_, part_, text_;
  int64_t done_ = 0, total_ = 0;
  double begun_ = 0, drawn_ = 0;
};

}  // namespace superstep::report
