// The coordinator's decisions: who computes which unit of a round, whose result counts, who is
// slow, hung or gone. One class without thread, clock, socket or file: events and the time go in,
// actions come out, and the same events at the same times give the same actions.
//
//   Schedule schedule({.attempt = 1});
//   auto actions = schedule.on(Joined{.worker = 7, .lanes = 2}, now);
//   actions = schedule.begin(8, now);          // Grant, Grant: units 0 and 1 to worker 7
//   actions = schedule.on(Noticed{7, lease, digest}, now);      // Push: the claim is theirs; Grant
//   actions = schedule.on(Arrived{7, {lease}}, now);            // Fold {unit}: count it; or
//   Discard
//   ... RoundDone                              // every unit was counted once: apply(), begin()
//
// The life of a lease: granted, running on a lane, noticed (the lane is free again), claimed or
// dropped, arrived, counted. A unit is counted once, whatever is lost, repeated or late:
//  - the first notice for a unit is the claim, and only claimed leases are folded; a sum that holds
//    any other (dropped, counted, void, of an older round or attempt) is discarded whole;
//  - leases of a worker that is lost or expelled are void, and their units are leased again; so is
//  a
//    lease, running or claimed, that shows no life for `dead` seconds;
//  - every message may come twice or out of order: an unknown lease is answered with Drop, a claim
//    noticed again with Push.
// Units may come with the hosts that hold their bytes (a hint: begin()). A free lane then takes the
// first unit of its own host; once there is none, one that no worker is near to, or any. In the
// first `near_wait` seconds that a round has workers it leaves alone what a worker of another host
// is near to; in the first `expected_wait` seconds that the schedule has any, also what a worker
// may be near to that is still expected. So for nearness no lane idles longer than the one in a
// round, and the other once; without hosts it never does.
//
// Results of one unit, where there are two, are compared by digest; a unit is a pure function. A
// digest costs a pass over the update, so it is asked for only where a second lease is to come or
// has come: a Grant says so, and Compare says it to the lane that runs already. Whoever had
// finished by then is compared with nobody.
//
// What the caller does: calls on(Tick) about once a second; tells workers what Grant, Push, Drop
// and Expel say (workers that are gone may be named: ignore it); keeps an update until its
// superstep is done. A Drop for a unit that still runs means: stop it. The caller answers Stopped
// once the lane is free, also where the lease is unknown to it, and never sends a notice for a unit
// that was cut short. The lane may still run while the next round is under way, so the state that a
// unit reads must stay as it was. After a restart make a Schedule with a higher `attempt` and the
// round where the checkpoint stands; workers join again.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "superstep/base/hash.h"

namespace superstep::reduce {

using WorkerId = int64_t;  ///< A worker that joins again after it was lost should have a new one.
using LeaseId = int64_t;   ///< Never 0; never the same in two attempts.
using Seconds = double;    ///< Monotonic, the caller's.

inline constexpr Seconds kNever = std::numeric_limits<double>::infinity();

struct ScheduleOptions {
  int64_t attempt = 1;        ///< Higher than that of any coordinator of this job before.
  int64_t round = 0;          ///< The superstep that the first begin() starts; only keys audits.
  double audit = 0;           ///< Share of units leased twice on purpose and compared, 0 to 1.
  Seconds silence = 30;       ///< A lane without a new beat for so long may get a backup.
  double slow_factor = 3;     ///< So may a unit that takes this many times the round's median ...
  Seconds slow_least = 1;     ///< ... and at least so long.
  Seconds dead = 120;         ///< A worker silent for so long is expelled, a lease given up.
  Seconds late = 10;          ///< Ticks further apart than this renew all leases and expire none.
  Seconds near_wait = 3;      ///< A lane leaves a unit to a host that holds its bytes for so long.
  int expected = 0;           ///< Workers that are to come; 0: unknown, and none is waited for.
  Seconds expected_wait = 9;  ///< It leaves one to such a worker for so long after the first came.
};

// Events.

/// A worker that can run `lanes` units at once. An empty host counts as a host of its own. A
/// process (0: unknown) that joins again has lost its connection alone: it did not die over its
/// units.
struct Joined {
  WorkerId worker = 0;
  int lanes = 1;
  std::string host = {};
  int64_t process = 0;
};
/// Its process or connection has ended; or it has said that it leaves, and did not die.
struct Lost {
  WorkerId worker = 0;
  bool died = true;
};
/// How far a lane is; with an unknown lease (0): only that the worker lives.
struct Beat {
  WorkerId worker = 0;
  LeaseId lease = 0;
  uint64_t beats = 0;
};
/// A result is ready and has not been moved; the lane is free.
struct Noticed {
  WorkerId worker = 0;
  LeaseId lease = 0;
  std::optional<Digest> digest = {};  ///< None where it was not asked for.
};
/// A unit was stopped because of a Drop, or never begun; the lane is free.
struct Stopped {
  WorkerId worker = 0;
  LeaseId lease = 0;
};
/// A sum of these leases' updates has come from this worker.
struct Arrived {
  WorkerId worker = 0;
  std::vector<LeaseId> leases = {};
};
/// Time has passed. Only a tick expires, expels and backs up.
struct Tick {};
using Event = std::variant<Joined, Lost, Beat, Noticed, Stopped, Arrived, Tick>;

// Actions.

/// Compute this unit of the round.
struct Grant {
  WorkerId worker = 0;
  LeaseId lease = 0;
  int unit = 0;
  bool compares = false;  ///< Its notice is to bring a digest.
};
/// So is that of a lease that was granted before.
struct Compare {
  WorkerId worker = 0;
  LeaseId lease = 0;
};
/// The result is wanted: send it.
struct Push {
  WorkerId worker = 0;
  LeaseId lease = 0;
};
/// The result is not wanted: stop, or forget it.
struct Drop {
  WorkerId worker = 0;
  LeaseId lease = 0;
};
/// The answer to Arrived, first among its actions: add the sum; it holds these units.
struct Fold {
  std::vector<int> units = {};
};
/// The other answer: throw it away, whole.
struct Discard {};
/// Silent or hung past its deadline; it is a member no more, its leases are given back.
struct Expel {
  WorkerId worker = 0;
  std::string reason = {};
};
/// Two results of one unit differ: the run is not reproducible. The one that is claimed counts.
struct Conflict {
  int unit = 0;
  WorkerId first = 0, second = 0;
};
/// A unit has killed too many workers and is leased no more: the job must stop.
struct Poisoned {
  int unit = 0;
  std::string reason = {};
};
/// Every unit of the round was counted once.
struct RoundDone {};
using Action =
    std::variant<Grant, Compare, Push, Drop, Fold, Discard, Expel, Conflict, Poisoned, RoundDone>;

/// What has happened since the Schedule was made.
struct ScheduleCounters {
  int64_t granted = 0;    ///< Leases, backups and audits included.
  int64_t backups = 0;    ///< Second leases for slow or silent units.
  int64_t audited = 0;    ///< Second leases on purpose.
  int64_t dropped = 0;    ///< Drops sent.
  int64_t compared = 0;   ///< Pairs of results of one unit that both brought a digest.
  int64_t conflicts = 0;  ///< Pairs that differed.
  int64_t discarded = 0;  ///< Sums thrown away.
  int64_t released = 0;   ///< Leases that became void: worker lost or expelled, or given up.
  int64_t expelled = 0;   ///< Workers.
};

/// A worker that has joined and is neither lost nor expelled.
struct Member {
  WorkerId worker = 0;
  std::string host = {};
  int lanes = 1;
  Seconds heard = 0;            ///< When it said something last.
  std::vector<int> units = {};  ///< Of the round; those that it computes or is to hand in.
};

class Schedule {
 public:
  explicit Schedule(ScheduleOptions options);

  /// A round of units 0 .. units - 1 begins; the one before must be done. With 0 units it is done
  /// at once. A unit goes first to the worker whose result counted for this number last, unless its
  /// bytes lie on other hosts. `hosts`: those of each unit, as same_host() takes them; or none.
  [[nodiscard]] std::vector<Action> begin(int units, Seconds now,
                                          std::vector<std::vector<std::string>> hosts = {});
  [[nodiscard]] std::vector<Action> on(const Event& event, Seconds now);

  /// Whether no round is under way.
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] int workers() const { return static_cast<int>(workers_.size()); }
  /// Who is here, by WorkerId, and what each holds.
  [[nodiscard]] std::vector<Member> members() const;
  [[nodiscard]] const ScheduleCounters& counters() const { return counters_; }

 private:
  enum class LeaseState {
    kRunning,   // on a lane; its result may still count
    kStopping,  // on a lane, not wanted any more
    kClaimed,   // noticed first; its update is to arrive
  };
  struct Lease {
    WorkerId worker = 0;
    int unit = 0;
    LeaseState state = LeaseState::kRunning;
    Seconds granted = 0;
    Seconds moved = 0;    // last sign of life: a new beat, a notice
    Seconds stopped = 0;  // since when kStopping
    uint64_t beats = 0;
  };
  struct Worker {
    int lanes = 1;
    int busy = 0;  // lanes with a running or stopping lease
    std::string host;
    int64_t process = 0;
    Seconds heard = 0;
  };
  struct Death {
    std::string host;
    int64_t process = 0;
  };
  struct Unit {
    std::vector<LeaseId> running;
    LeaseId claim = 0;
    bool counted = false;
    bool audit_open = false;               // a second result is wanted and has not come
    std::optional<WorkerId> first_worker;  // who noticed a result first
    std::optional<Digest> digest;          // of that, where it has one
    std::vector<Death> deaths;             // of workers that computed it
    std::vector<std::string> hosts;        // that hold its bytes
  };
  using Actions = std::vector<Action>;

  void handle(const Joined& event, Seconds now, Actions& out);
  void handle(const Lost& event, Seconds now, Actions& out);
  void handle(const Beat& event, Seconds now, Actions& out);
  void handle(const Noticed& event, Seconds now, Actions& out);
  void handle(const Stopped& event, Seconds now, Actions& out);
  void handle(const Arrived& event, Seconds now, Actions& out);
  void handle(const Tick& event, Seconds now, Actions& out);

  void compare(int unit, const Noticed& event, Actions& out);
  void hear(WorkerId worker, Seconds now);
  void drop(WorkerId worker, LeaseId lease, Actions& out);
  void grant(WorkerId worker, int unit, Seconds now, Actions& out);
  void assign(Seconds now, Actions& out);
  void assign_audits(Seconds now, Actions& out);
  void assign_backups(Seconds now, Actions& out);
  [[nodiscard]] bool is_slow(const Lease& lease, Seconds median, Seconds now) const;
  [[nodiscard]] Seconds median_duration() const;
  void renew_all(Seconds gap, Seconds now);
  void expel_silent(Seconds now, Actions& out);
  void give_up_hung(Seconds now, Actions& out);
  void stop_running(Unit& unit, Seconds now, Actions& out);
  void remove_worker(WorkerId worker, bool died, Actions& out);
  void release(int unit, Actions& out);
  [[nodiscard]] bool is_poisoned(const Unit& unit) const;
  void close_audit(int unit);
  [[nodiscard]] bool is_ill(const std::string& host) const;
  [[nodiscard]] bool is_free(const Worker& worker) const;
  [[nodiscard]] bool nothing_waits() const { return pending_.empty() && near_.empty(); }
  void disown_if_far(int unit);
  void make_pending(int unit);
  void make_nobodys(int unit);
  void take(int unit);
  [[nodiscard]] std::optional<int> first_of(WorkerId owner) const;
  [[nodiscard]] std::optional<int> first_near(const std::string& host) const;
  [[nodiscard]] std::optional<int> first_far(Seconds now) const;
  [[nodiscard]] std::optional<int> last_of_the_busiest() const;
  void finish_round_if_done(Actions& out);

  ScheduleOptions options_;
  ScheduleCounters counters_;
  // Ordered containers: what is decided may not depend on how memory is laid out.
  std::map<WorkerId, Worker> workers_;
  std::set<std::string> hosts_;  // where workers are or were
  std::map<LeaseId, Lease> leases_;
  std::vector<Unit> units_;
  std::vector<WorkerId> owners_;               // by unit: who computed it last; kept over rounds
  std::map<WorkerId, std::set<int>> pending_;  // by owner; no empty sets; nobody's are in near_
  std::map<std::string, std::set<int>> near_;  // nobody's, by host, "" without; no empty sets
  // By host: the processes of workers that died over a unit.
  std::map<std::string, std::vector<int64_t>> deaths_;
  std::optional<Seconds> has_workers_;   // since when the round has had any
  std::optional<Seconds> first_worker_;  // when it came
  std::set<int> audits_waiting_;         // audited units that have had one lease only
  std::vector<Seconds> durations_;       // of the units that finished in this round
  std::optional<Seconds> last_tick_;
  int64_t round_, leases_made_ = 0;
  int counted_ = 0, audits_open_ = 0;
  bool done_ = true;
};

}  // namespace superstep::reduce
