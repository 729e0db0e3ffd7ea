#include "superstep/report/timeline.h"

#include <algorithm>
#include <cmath>

namespace superstep::report {

void Timeline::advance(double seconds) {
  now_ = std::max(now_, seconds);
  while (now_ >= static_cast<double>(kBins) * width_) halve();
}

void Timeline::halve() {
  width_ *= 2;
  for (auto& [worker, row] : rows_) {
    for (size_t b = 0; b < row.seconds.size(); ++b)
      row.seconds[b] = (2 * b < row.seconds.size() ? row.seconds[2 * b] : 0) +
                       (2 * b + 1 < row.seconds.size() ? row.seconds[2 * b + 1] : 0);
    row.first /= 2;
    row.last /= 2;
  }
}

double Timeline::room(const Row& row, size_t bin) const {
  const double passed = std::min(width_, now_ - static_cast<double>(bin) * width_);
  return passed * static_cast<double>(row.threads);
}

void Timeline::add(int64_t worker, int64_t threads, double compute_seconds) {
  const auto [found, is_new] = rows_.try_emplace(worker);
  Row& row = found->second;
  if (is_new)
    row = {
        .threads = threads, .at = now_, .first = bin(now_), .seconds = std::vector<double>(kBins)};
  double left = compute_seconds - row.told;
  const double begin = row.at, span = now_ - begin;
  row.told = compute_seconds;
  row.at = now_;
  row.last = bin(now_);
  // As much as there was time for since it told last ...
  if (span > 0) {
    const double part = std::min(left, span * static_cast<double>(threads));
    for (size_t b = bin(begin); b <= row.last; ++b) {
      const double from = std::max(begin, static_cast<double>(b) * width_);
      const double to = std::min(now_, static_cast<double>(b + 1) * width_);
      row.seconds[b] += part * (to - from) / span;
    }
    left -= part;
  }
  // ... and the rest before that: a unit that took longer was not told of until it was done.
  for (size_t b = bin(begin) + 1; b-- > row.first && left > 0;) {
    const double part = std::clamp(room(row, b) - row.seconds[b], 0.0, left);
    row.seconds[b] += part;
    left -= part;
  }
}

std::vector<int64_t> Timeline::busy(int64_t worker) const {
  const auto found = rows_.find(worker);
  if (found == rows_.end()) return {};
  const Row& row = found->second;
  std::vector<int64_t> percent(bin(now_) + 1, -1);
  for (size_t b = row.first; b <= row.last; ++b) {
    const double of = room(row, b);
    percent[b] = of > 0 ? std::lround(100 * std::min(row.seconds[b] / of, 1.0)) : 0;
  }
  return percent;
}

}  // namespace superstep::report
