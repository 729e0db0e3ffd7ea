#include "superstep/report/pace.h"

#include <algorithm>
#include <numeric>

namespace superstep::report {

void Pace::add(const Superstep& done) {
  const bool closes_epoch = done.closes != "superstep";
  // The line that closes an epoch holds the rows of all of it, also those already counted.
  const int64_t rows = closes_epoch ? std::max<int64_t>(done.rows - epoch_rows_, 0) : done.rows;
  if (done.trains) {
    rows_ += rows;
    epoch_rows_ += rows;
    now_.rows += static_cast<double>(rows);
  }
  now_.seconds += done.seconds;
  epoch_seconds_ += done.seconds;
  if (now_.seconds >= kWindow) {
    before_ = now_;
    now_ = {};
  }
  if (!closes_epoch) return;
  epochs_done_ = done.epoch + 1;
  epochs_.push_back(epoch_seconds_);
  if (epochs_.size() > kEpochs) epochs_.pop_front();
  epoch_rows_ = 0;
  epoch_seconds_ = 0;
}

void Pace::begin_phase() {
  epochs_.clear();
  now_ = before_ = {};
}

std::optional<double> Pace::rows_per_second() const {
  const double seconds = now_.seconds + before_.seconds;
  if (seconds <= 0) return std::nullopt;
  return (now_.rows + before_.rows) / seconds;
}

std::optional<double> Pace::seconds_left(int64_t epochs) const {
  if (epochs_.empty()) return std::nullopt;
  const double mean =
      std::accumulate(epochs_.begin(), epochs_.end(), 0.0) / static_cast<double>(epochs_.size());
  const auto left = static_cast<double>(std::max<int64_t>(epochs - epochs_done_, 0));
  // An epoch that takes longer than the mean is said to end now, not in the past.
  return left == 0 ? 0 : (left - 1) * mean + std::max(mean - epoch_seconds_, 0.0);
}

}  // namespace superstep::report
