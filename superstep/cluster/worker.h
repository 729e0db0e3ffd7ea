// A worker: lanes in this process that lease units, compute them and hand in the results. It holds
// nothing: whatever it loses is computed again elsewhere.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "superstep/cluster/ports.h"

namespace superstep::cluster {

class Worker : public WorkerPort {
 public:
  /// `lanes` that each run one unit at a time, on a thread or, where there are more `threads` than
  /// lanes, on a team of them (base/team.h). The program must outlive it.
  Worker(const reduce::Program& program, int lanes, int threads);
  Worker(const reduce::Program& program, int lanes) : Worker(program, lanes, lanes) {}
  /// Stops, and waits for the lanes to end.
  ~Worker() override;
  /// Starts the lanes; they speak to `coordinator`, which must outlive the worker.
  void connect(CoordinatorPort& coordinator);

  void begin(std::shared_ptr<const RoundStart> start) override;
  void grant(LeaseId lease, int unit, Bytes private_state, bool compares) override;
  void compare(LeaseId lease) override;
  void push(LeaseId lease) override;
  void drop(LeaseId lease) override;
  void stop() override;

  /// Units computed by each lane so far.
  [[nodiscard]] std::vector<int64_t> units_by_lane() const;

 private:
  struct Grant {
    LeaseId lease;
    int unit;
    Bytes private_state;
    bool compares;
    std::shared_ptr<const RoundStart> start;
  };
  /// What is left of a unit once its notice is out.
  struct Finished {
    LeaseId lease;
    ParamSet update;
    int64_t weight;
  };
  /// Between a lane and the thread that delivers for it while it computes the next unit. Under
  /// mutex_.
  struct Hatch {
    std::optional<Finished> finished;  // there until it is delivered: the lane is one unit ahead
    std::vector<ParamSet> used;        // memory that comes back
  };
  class LaneProgress;

  void lane(size_t number);
  [[nodiscard]] int team_of(size_t lane) const;
  std::optional<Finished> run(Grant grant, LaneProgress& progress, reduce::LaneScratch& scratch);
  void hand_in(Finished& finished);
  void hand_over(Finished finished, Hatch& hatch, reduce::LaneScratch& scratch);
  void deliver_from(Hatch& hatch);

  const reduce::Program& program_;
  const int threads_;
  CoordinatorPort* coordinator_ = nullptr;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const RoundStart> start_;
  std::deque<Grant> grants_;
  enum class Answer { kNone, kPush, kDrop };
  std::unordered_map<LeaseId, LaneProgress*> running_;
  std::unordered_map<LeaseId, Answer> noticed_;  // handed in, and what the coordinator said
  std::vector<int64_t> units_by_lane_;
  std::atomic<bool> stopping_ = false;
  std::vector<std::jthread> lanes_;  // last: joined before the rest goes
};

}  // namespace superstep::cluster
