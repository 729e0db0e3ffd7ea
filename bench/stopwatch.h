// Seconds by the clock and of the process on processors, of all its threads. Other programs on the
// machine disturb the second less.
#pragma once

#include <sys/resource.h>

#include <chrono>

namespace superstep::bench {

struct Seconds {
  double wall = 0, processor = 0;
};

class Stopwatch {
 public:
  [[nodiscard]] Seconds elapsed() const {
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - wall_;
    return {wall.count(), processor_now() - processor_};
  }

 private:
  static double processor_now() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }

  std::chrono::steady_clock::time_point wall_ = std::chrono::steady_clock::now();
  double processor_ = processor_now();
};

}  // namespace superstep::bench
