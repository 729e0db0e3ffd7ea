// How fast a training goes, and when its phase will end: from its supersteps as they are done.
//
//   Pace pace;
//   pace.add({.epoch = 0, .closes = "superstep", .rows = 240, .seconds = 0.02, .trains = true});
//   pace.rows_per_second();      // of the last half a minute or so
//   pace.seconds_left(40);       // none until an epoch of the phase has ended
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace superstep::report {

class Pace {
 public:
  struct Superstep {
    int64_t epoch = 0;     ///< Epochs of the phase before it.
    std::string closes{};  ///< "superstep", "epoch" or "phase", as in metrics.jsonl.
    /// Learned from in it; where it closes an epoch, in all of that epoch.
    int64_t rows = 0;
    double seconds = 0;
    bool trains = true;  ///< False: it only looks at rows.
  };
  void add(const Superstep& done);
  /// What follows costs something else.
  void begin_phase();

  /// Rows learned from so far.
  [[nodiscard]] int64_t rows() const { return rows_; }
  /// Of the supersteps of the last kWindow to twice as many seconds, or all there were; none before
  /// the first.
  [[nodiscard]] std::optional<double> rows_per_second() const;
  /// Until the phase of so many epochs ends, by the mean of its last kEpochs.
  [[nodiscard]] std::optional<double> seconds_left(int64_t epochs) const;

 private:
  static constexpr double kWindow = 15;
  static constexpr size_t kEpochs = 5;
  struct Sum {
    double rows = 0, seconds = 0;
  };

  int64_t rows_ = 0, epoch_rows_ = 0, epochs_done_ = 0;
  double epoch_seconds_ = 0;
  Sum now_, before_;
  std::deque<double> epochs_;  // seconds of the last ones of this phase
};

}  // namespace superstep::report
