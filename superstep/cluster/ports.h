// The two ends of the wire between a coordinator and a worker, as interfaces. In one process each
// end is the other's object; over a network a transport stands between and moves the same calls.
//
//   coordinator                      worker
//     begin(round, state)   ----->
//     grant(lease, unit)    ----->     computes
//                           <-----     notice(lease, digest, blob)       // ready, not moved
//     push(lease)           ----->     or drop(lease)
//                           <-----     deliver(lease, update)            // moved and added
#pragma once

#include <exception>
#include <memory>
#include <optional>

#include "superstep/base/hash.h"
#include "superstep/io/bytes_read.h"
#include "superstep/reduce/program.h"
#include "superstep/reduce/schedule.h"

namespace superstep::cluster {

using reduce::LeaseId;
using reduce::WorkerId;

/// A round with the state that its units start from. Shared by pointer in one process.
struct RoundStart {
  reduce::Round round;
  reduce::UpdateSpec spec;
  std::shared_ptr<const ParamSet> shared;
};

/// A finished unit, all but its update.
struct Notice {
  LeaseId lease = 0;
  /// Of update, weight, blob and private state; where it was asked for, since it costs a pass over
  /// the update.
  std::optional<Digest> digest;
  int64_t weight = 0;
  Bytes blob, private_state;
  double compute_seconds = 0;
  io::BytesRead read = {};  ///< By the worker's process, since it began.
};

/// What went through a transport, seen from the coordinator.
struct Traffic {
  int64_t in = 0, out = 0;  ///< Bytes.
  double seconds = 0;       ///< Of the transfers of tensors, summed; several run at once.
};

/// What a coordinator says to one worker. Calls return at once and may come from any thread.
class WorkerPort {
 public:
  virtual ~WorkerPort() = default;
  /// A round begins; null: it has ended, and its state is to be let go of.
  virtual void begin(std::shared_ptr<const RoundStart> start) = 0;
  /// Compute unit `unit` of the round begun last. `compares`: the notice is to bring a digest.
  virtual void grant(LeaseId lease, int unit, Bytes private_state, bool compares) = 0;
  /// So is that of a lease granted before, where its unit has not finished yet.
  virtual void compare(LeaseId lease) = 0;
  virtual void push(LeaseId lease) = 0;
  virtual void drop(LeaseId lease) = 0;
  /// No more leases; what is being computed is not wanted.
  virtual void stop() = 0;
  /// It was silent for too long and its leases are void; it may join again as a new worker.
  virtual void expel(const std::string& /*reason*/) { stop(); }
};

/// What a worker says to its coordinator. Safe from many threads at once.
class CoordinatorPort {
 public:
  virtual ~CoordinatorPort() = default;
  virtual void notice(Notice notice) = 0;
  virtual void beat(LeaseId lease, uint64_t beats) = 0;
  /// A dropped unit has been cut short, or was never begun: its lane is free.
  virtual void stopped(LeaseId lease) = 0;
  /// Adds the update of a lease that was answered with push(). It may keep the update's memory and
  /// leave some other in its place; what `update` holds afterwards means nothing.
  virtual void deliver(LeaseId lease, ParamSet& update, int64_t weight) = 0;
  /// Whether deliver() waits for a network more than it computes: then a lane should not wait for
  /// it.
  [[nodiscard]] virtual bool delivers_slowly() const { return false; }
  /// The unit cannot be computed, here or anywhere: it is a pure function and it threw. Lease 0: a
  /// lane could not make its scratch.
  virtual void failed(LeaseId lease, std::exception_ptr error) = 0;
};

}  // namespace superstep::cluster
