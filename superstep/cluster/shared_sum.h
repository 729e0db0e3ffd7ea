// An exact sum that many threads add to at once, chunk by chunk.
#pragma once

#include <array>
#include <atomic>
#include <mutex>

#include "superstep/reduce/exact_sum.h"

namespace superstep::cluster {

class SharedSum {
 public:
  SharedSum(reduce::UpdateSpec spec, int64_t planned_weight, int64_t units);
  /// Back to an empty sum of the same tensors, in the same memory; while nobody adds.
  void reset(int64_t planned_weight, int64_t units) { sum_.reset(planned_weight, units); }
  /// Adds an update; begins at another chunk than the thread before, so that few wait. The first
  /// one is not added but taken: `update` then holds the memory of a round before, or is empty.
  void add(ParamSet& update, int64_t weight);
  /// The sum, once all are done adding.
  [[nodiscard]] const reduce::ExactSum& sum() const { return sum_; }

 private:
  static constexpr size_t kChunks = 16;

  reduce::ExactSum sum_;
  std::array<std::mutex, kChunks> locks_;
  std::mutex whole_lock_;  // for what is not by chunks
  std::atomic<size_t> next_{0};
};

}  // namespace superstep::cluster
