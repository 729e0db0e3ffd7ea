// The coordinator: alone holds the state. It hands out the units of a round, sums their updates,
// lets the Program move the state, writes checkpoints, and goes on to the next round. What to hand
// to whom is decided by reduce::Schedule; here are the clock, the queue and the files.
//
//   Coordinator coordinator(program, {.folder = &folder});
//   Worker worker(program, lanes);
//   worker.connect(coordinator.join(worker, lanes));
//   RunResult result = coordinator.run();
#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "superstep/cluster/checkpointer.h"
#include "superstep/cluster/ports.h"
#include "superstep/cluster/run_folder.h"
#include "superstep/cluster/shared_sum.h"

namespace superstep::cluster {

/// A host and the number of a process there: a worker that joins again has the same. Where the
/// process is unknown, a negative number of its own.
using WorkerProcess = std::pair<std::string, int64_t>;

/// A round that has just been applied, for those who show progress.
struct RoundDone {
  const reduce::Round& round;
  const reduce::Report& report;
  const reduce::State& state;  ///< After apply(); good during the call alone.
  double seconds = 0;          ///< Wall time of the round.
  double compute_seconds = 0;  ///< Spent in compute(), summed over the units.
  int lanes = 0;
  /// What went through transports, in bytes; 0 in one process, where nothing is moved.
  int64_t bytes_in = 0, bytes_out = 0;
  double transfer_seconds = 0;  ///< Of the transfers of tensors, summed; several run at once.

  /// What the lanes did not compute in: waiting for units, summing, moving the state.
  [[nodiscard]] double wait_seconds() const {
    return std::max(0.0, seconds * lanes - compute_seconds);
  }
};

/// A worker as the coordinator sees it.
struct WorkerNow {
  WorkerId worker = 0;
  std::string host{};
  int lanes = 1;
  double silent_seconds = 0;        ///< Since it said something last.
  std::vector<int64_t> replicas{};  ///< That it holds: WorkUnit::id.
  int64_t units = 0;                ///< Its results that counted.
  double compute_seconds = 0;       ///< Summed over its lanes, whether the result counted or not.
  io::BytesRead read{};             ///< Its process, since it began.
};

/// Who computes, and what has become of the leases.
struct ClusterNow {
  std::vector<WorkerNow> workers{};  ///< Those that are here, by number.
  int64_t lost = 0;                  ///< Workers that left or were expelled before the end.
  io::BytesRead read{};              ///< Of all, each since it began.
  reduce::ScheduleCounters leases{};
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_round(const RoundDone&) {}
  /// About once a second, within rounds too, and at the end.
  virtual void on_cluster(const ClusterNow&) {}
};

struct RunOptions {
  RunFolder* folder = nullptr;  ///< Where checkpoints and metrics go; none when null.
  Bytes job = {};               ///< What must be the same to go on: the hash of config and data.
  double checkpoint_seconds = 30;
  reduce::ScheduleOptions schedule = {};  ///< `attempt` and `round` are filled in here.
  std::optional<Resume> resume = {};      ///< Where to go on from.
  /// Asked between rounds, and within one while there is no worker; a checkpoint is written before
  /// stopping.
  std::stop_token stop = {};
  Observer* observer = nullptr;
  /// Whether workers are on several hosts, so that it matters which of them reads what.
  bool many_hosts = false;
  std::function<Traffic()> traffic = {};  ///< What went through transports so far; none: nothing.
};

struct RunResult {
  reduce::State state;
  bool finished = false;     ///< False: stopped, and resumable where there is a folder.
  bool reproducible = true;  ///< False: two results of one unit differed.
  int64_t rounds = 0;        ///< Rounds run by this call.
  int64_t units = 0;         ///< Units counted by this call.
  reduce::ScheduleCounters counters;
  /// Of each process that handed in a unit, since it began.
  std::map<WorkerProcess, io::BytesRead> read{};
};

class Coordinator {
 public:
  /// The program must outlive the coordinator.
  Coordinator(const reduce::Program& program, RunOptions options);
  ~Coordinator();

  /// A worker of so many lanes joins; `port` must live until leave() or the end of run(). `host` is
  /// where it runs: a unit that kills workers is told from a host that does; empty: one of its own.
  /// `process` is its number there: a worker that joins again has not died; 0: unknown.
  /// Returns the worker's way to speak to the coordinator, good for as long as the coordinator.
  CoordinatorPort& join(WorkerPort& port, int lanes, std::string host = {}, int64_t process = 0);
  /// The worker is gone, and its leases go back. `died`: it did not say that it leaves. No call
  /// through `door` may be under way, since what it delivers counts either before this or not at
  /// all. Afterwards `port` is not called any more.
  void leave(CoordinatorPort& door, bool died = true);

  /// Before run(): `place` takes a state and returns the same in the memory where it is to lie.
  void place_states(std::function<ParamSet(ParamSet)> place) { place_ = std::move(place); }

  /// Runs the job to its end, or until the stop token asks. Throws what a unit threw.
  RunResult run();

 private:
  class Door;
  struct JoinedMessage {
    WorkerId worker;
    int lanes;
    std::string host;
    int64_t process;
  };
  struct LeftMessage {
    WorkerId worker;
    bool died;
  };
  struct NoticeMessage {
    WorkerId worker;
    Notice notice;
  };
  struct BeatMessage {
    WorkerId worker;
    LeaseId lease;
    uint64_t beats;
  };
  struct StoppedMessage {
    WorkerId worker;
    LeaseId lease;
  };
  struct ArrivedMessage {
    WorkerId worker;
    LeaseId lease;
  };
  struct FailedMessage {
    WorkerId worker;
    LeaseId lease;
    std::exception_ptr error;
  };
  using Message = std::variant<JoinedMessage, LeftMessage, NoticeMessage, BeatMessage,
                               StoppedMessage, ArrivedMessage, FailedMessage>;

  /// An update that was asked for: who may add it, to which sum.
  struct Claim {
    WorkerId worker;
    std::shared_ptr<SharedSum> sum;
  };

  [[nodiscard]] Door& door(WorkerId worker);
  [[nodiscard]] std::vector<Door*> doors();
  void post(Message message);
  std::optional<Message> next_message();
  void begin_sum(const reduce::UpdateSpec& spec, int64_t weight, int64_t units);
  /// Computes one round everywhere and leaves its sum, blobs and private states in place. False:
  /// given up, since a stop was asked for and no worker is there.
  bool run_round(const reduce::Round& round);
  void handle(Message message);
  void tick();
  void carry_out(std::vector<reduce::Action> actions);
  void add_update(WorkerId worker, LeaseId lease, ParamSet& update, int64_t weight);
  /// Tells the observer who computes, at most once a second unless it is `due`.
  void tell_cluster(bool due);
  /// Names a unit of the round under way.
  [[nodiscard]] std::string name_of(int unit) const;
  [[noreturn]] void rethrow(const FailedMessage& failed) const;
  [[nodiscard]] double now() const;
  [[nodiscard]] int lanes();
  void note_read(WorkerId worker, const io::BytesRead& read);
  [[nodiscard]] io::BytesRead all_read() const;

  const reduce::Program& program_;
  RunOptions options_;
  reduce::Schedule schedule_;
  std::unique_ptr<Checkpointer> checkpointer_;
  double started_, last_tick_ = 0, last_told_ = -std::numeric_limits<double>::infinity();

  // Shared with the threads of workers.
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Message> messages_;
  std::map<WorkerId, std::unique_ptr<Door>> doors_;
  std::unordered_map<LeaseId, Claim> claimed_;  // leases that may be added
  int adding_ = 0;  // leases that are being added, or were and the schedule does not know it yet

  // The coordinator's own thread alone.
  std::function<ParamSet(ParamSet)> place_;
  reduce::State state_;
  std::map<int64_t, Bytes> private_states_;  // by unit id, as the round began
  std::vector<Bytes> new_private_states_;    // of each unit of the round, as it ends
  std::shared_ptr<const RoundStart> start_;
  std::shared_ptr<SharedSum> sum_, other_sum_;   // of this round; memory for rounds of another kind
  std::unordered_map<LeaseId, Notice> notices_;  // waiting for their update
  std::unordered_map<LeaseId, int> units_of_leases_;
  std::vector<Bytes> blobs_;
  double compute_seconds_ = 0;
  struct Work {
    int64_t units = 0;
    double compute_seconds = 0;
    io::BytesRead read;
  };
  std::map<WorkerId, Work> work_;  // of the workers that are here
  // One that joins again goes on counting.
  std::map<WorkerProcess, io::BytesRead> read_;
  int64_t lost_ = 0;
  bool round_done_ = false;
  RunResult result_;
};

}  // namespace superstep::cluster
