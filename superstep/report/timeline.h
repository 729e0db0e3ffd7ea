// Who computed when, in at most kBins bins of equal length: when they are full, two become one.
//
//   Timeline timeline;
//   timeline.advance(12.0);          // seconds since the beginning
//   timeline.add(7, 2, 18.5);        // worker 7 of 2 threads has computed for 18.5 s so far
//   timeline.busy(7);                // {-1, -1, 93, 100, ...}: percent of a bin; -1: not there
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace superstep::report {

class Timeline {
 public:
  static constexpr size_t kBins = 60;

  /// Time never goes back.
  void advance(double seconds);
  /// What a worker that is here has computed in all, in seconds summed over its threads. Work that
  /// is told of when it is done is counted in the bins before, where it was done.
  void add(int64_t worker, int64_t threads, double compute_seconds);
  void forget(int64_t worker) { rows_.erase(worker); }

  [[nodiscard]] double bin_seconds() const { return width_; }
  /// One for each bin so far; of a worker that is not known none.
  [[nodiscard]] std::vector<int64_t> busy(int64_t worker) const;

 private:
  struct Row {
    int64_t threads = 1;
    double told = 0, at = 0;        // of compute_seconds, and when
    size_t first = 0, last = 0;     // bins in which it was here
    std::vector<double> seconds{};  // computing, by bin
  };
  void halve();
  [[nodiscard]] size_t bin(double at) const { return static_cast<size_t>(at / width_); }
  /// Seconds of a bin that have passed, times threads.
  [[nodiscard]] double room(const Row& row, size_t bin) const;

  double now_ = 0, width_ = 1;
  std::map<int64_t, Row> rows_;
};

}  // namespace superstep::report
