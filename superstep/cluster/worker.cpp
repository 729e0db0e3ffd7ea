#include "superstep/cluster/worker.h"

#include <chrono>
#include <utility>

#include "superstep/base/floating_point.h"
#include "superstep/base/team.h"

namespace superstep::cluster {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Digest digest_of(const reduce::Outcome& outcome) {
  const auto flat = outcome.update.flat();
  Digest all = digest(flat.data(), flat.size_bytes());
  all = combine(all, digest(&outcome.weight, sizeof outcome.weight));
  all = combine(all, digest(outcome.blob.data(), outcome.blob.size()));
  return combine(all, digest(outcome.private_state.data(), outcome.private_state.size()));
}

}  // namespace

// What a running unit is told, and what it says.
class Worker::LaneProgress : public reduce::Progress {
 public:
  LaneProgress(Worker& worker, LeaseId lease, bool compares)
      : worker_(worker), lease_(lease), compares_(compares) {}
  // Beats travel to the coordinator once in a while: a beat a minibatch would flood it.
  void beat() override {
    ++beats_;
    if (seconds_since(said_) < kSecondsBetweenBeats) return;
    said_ = std::chrono::steady_clock::now();
    worker_.coordinator_->beat(lease_, beats_);
  }
  bool stopped() const override { return dropped_ || worker_.stopping_; }
  void drop() { dropped_ = true; }
  void compare() { compares_ = true; }
  [[nodiscard]] bool compares() const { return compares_; }
  [[nodiscard]] LeaseId lease() const { return lease_; }

 private:
  static constexpr double kSecondsBetweenBeats = 1.0;
  Worker& worker_;
  LeaseId lease_;
  uint64_t beats_ = 0;
  std::atomic<bool> dropped_ = false, compares_;
  std::chrono::steady_clock::time_point said_ = std::chrono::steady_clock::now();
};

Worker::Worker(const reduce::Program& program, int lanes, int threads)
    : program_(program), threads_(threads), units_by_lane_(static_cast<size_t>(lanes)) {
  SUPERSTEP_ASSERT(lanes >= 1 && threads >= lanes);
}

Worker::~Worker() { stop(); }

void Worker::connect(CoordinatorPort& coordinator) {
  coordinator_ = &coordinator;
  for (size_t i = 0; i < units_by_lane_.size(); ++i) lanes_.emplace_back([this, i] { lane(i); });
}

void Worker::begin(std::shared_ptr<const RoundStart> start) {
  const std::scoped_lock lock(mutex_);
  start_ = std::move(start);
}

void Worker::grant(LeaseId lease, int unit, Bytes private_state, bool compares) {
  {
    const std::scoped_lock lock(mutex_);
    grants_.push_back({lease, unit, std::move(private_state), compares, start_});
  }
  changed_.notify_all();
}

void Worker::compare(LeaseId lease) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = running_.find(lease); found != running_.end()) found->second->compare();
  for (Grant& grant : grants_) grant.compares |= grant.lease == lease;
}

void Worker::push(LeaseId lease) {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = noticed_.find(lease); found != noticed_.end())
      found->second = Answer::kPush;
  }
  changed_.notify_all();
}

void Worker::drop(LeaseId lease) {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = noticed_.find(lease); found != noticed_.end()) {
      found->second = Answer::kDrop;
      changed_.notify_all();
      return;
    }
    if (const auto found = running_.find(lease); found != running_.end()) {
      found->second->drop();
      return;
    }
    std::erase_if(grants_, [&](const Grant& grant) { return grant.lease == lease; });
  }
  coordinator_->stopped(lease);  // not begun, or done with long ago
}

void Worker::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    start_.reset();
  }
  changed_.notify_all();
}

std::vector<int64_t> Worker::units_by_lane() const {
  const std::scoped_lock lock(mutex_);
  return units_by_lane_;
}

// The threads dealt to the lanes in turn.
int Worker::team_of(size_t lane) const {
  const int lanes = static_cast<int>(units_by_lane_.size());
  return threads_ / lanes + (static_cast<int>(lane) < threads_ % lanes ? 1 : 0);
}

void Worker::lane(size_t number) {
  const FloatingPointScope floating_point;
  Team team(team_of(number));
  const Team::Scope scope(team);
  std::unique_ptr<reduce::LaneScratch> scratch;
  try {
    scratch = program_.make_scratch();
  } catch (...) {
    coordinator_->failed(0, std::current_exception());
    return;
  }
  Hatch hatch;
  const bool beside = coordinator_->delivers_slowly();
  std::jthread deliverer;  // ends before the hatch does
  if (beside) deliverer = std::jthread([&] { deliver_from(hatch); });
  for (;;) {
    Grant grant;
    std::optional<LaneProgress> progress;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || !grants_.empty(); });
      if (stopping_) return;
      grant = std::move(grants_.front());
      grants_.pop_front();
      // At once: a Drop that found it nowhere would be answered as if it did not run.
      running_[grant.lease] = &progress.emplace(*this, grant.lease, grant.compares);
      ++units_by_lane_[number];
    }
    std::optional<Finished> finished = run(std::move(grant), *progress, *scratch);
    if (!finished) continue;
    if (beside) {
      hand_over(std::move(*finished), hatch, *scratch);
    } else {
      hand_in(*finished);
      scratch->keep(std::move(finished->update));
    }
  }
}

// Computes a unit and says that it is ready; nothing where there is nothing to hand in.
std::optional<Worker::Finished> Worker::run(Grant grant, LaneProgress& progress,
                                            reduce::LaneScratch& scratch) {
  const auto started = std::chrono::steady_clock::now();
  reduce::Outcome outcome;
  std::exception_ptr error;
  try {
    const RoundStart& start = *grant.start;
    outcome = program_.compute({.round = start.round,
                                .unit = start.round.units.at(static_cast<size_t>(grant.unit)),
                                .shared = *start.shared,
                                .private_state = grant.private_state,
                                .scratch = scratch,
                                .progress = progress});
    if (!progress.stopped()) reduce::check_update(start.spec, outcome.update);
  } catch (...) {
    error = std::current_exception();
  }
  const double seconds = seconds_since(started);
  grant.start.reset();  // the coordinator may now move the state without copying it
  std::optional<Digest> digest;
  if (!error && progress.compares() && !progress.stopped()) digest = digest_of(outcome);
  bool cut_short = false;
  {
    const std::scoped_lock lock(mutex_);
    running_.erase(grant.lease);
    cut_short = progress.stopped();
    if (!cut_short) noticed_[grant.lease] = Answer::kNone;
  }
  if (cut_short || error) {
    if (cut_short)
      coordinator_->stopped(grant.lease);
    else
      coordinator_->failed(grant.lease, std::move(error));
    scratch.keep(std::move(outcome.update));
    return std::nullopt;
  }
  coordinator_->notice({.lease = grant.lease,
                        .digest = digest,
                        .weight = outcome.weight,
                        .blob = std::move(outcome.blob),
                        .private_state = std::move(outcome.private_state),
                        .compute_seconds = seconds,
                        .read = io::bytes_read()});
  return Finished{grant.lease, std::move(outcome.update), outcome.weight};
}

// Waits to hear whether the update is wanted, and delivers it.
void Worker::hand_in(Finished& finished) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopping_ || noticed_[finished.lease] != Answer::kNone; });
    if (noticed_.extract(finished.lease).mapped() != Answer::kPush) return;
  }
  coordinator_->deliver(finished.lease, finished.update, finished.weight);
}

// The lane's side: waits while the update before is still on its way.
void Worker::hand_over(Finished finished, Hatch& hatch, reduce::LaneScratch& scratch) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopping_ || !hatch.finished; });
    if (stopping_) return;
    hatch.finished = std::move(finished);
    if (!hatch.used.empty()) {
      scratch.keep(std::move(hatch.used.back()));
      hatch.used.pop_back();
    }
  }
  changed_.notify_all();
}

void Worker::deliver_from(Hatch& hatch) {
  for (;;) {
    Finished* finished = nullptr;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || hatch.finished; });
      if (stopping_) return;
      finished = &*hatch.finished;
    }
    hand_in(*finished);
    {
      const std::scoped_lock lock(mutex_);
      hatch.used.push_back(std::move(finished->update));
      hatch.finished.reset();
    }
    changed_.notify_all();
  }
}

}  // namespace superstep::cluster
