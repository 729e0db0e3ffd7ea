#include "superstep/cluster/shared_sum.h"

namespace superstep::cluster {

SharedSum::SharedSum(reduce::UpdateSpec spec, int64_t planned_weight, int64_t units)
    : sum_(std::move(spec), planned_weight, units) {}

void SharedSum::add(ParamSet& update, int64_t weight) {
  {
    const std::scoped_lock lock(whole_lock_);
    if (sum_.try_take(update, weight)) return;
    sum_.settle();
  }
  const size_t size = update.flat().size();
  const size_t start = next_++;
  for (size_t i = 0; i < kChunks; ++i) {
    const size_t chunk = (start + i) % kChunks;
    const size_t begin = size * chunk / kChunks, end = size * (chunk + 1) / kChunks;
    const std::scoped_lock lock(locks_[chunk]);
    sum_.add_range(update, weight, begin, end);
  }
  const std::scoped_lock lock(whole_lock_);
  sum_.add_weight(weight);
}

}  // namespace superstep::cluster
