// When and what to write so that a job can go on after anything: state, private states, the last
// round, and how far metrics.jsonl reached.
#pragma once

#include <future>
#include <map>
#include <optional>

#include "superstep/cluster/run_folder.h"
#include "superstep/io/checkpoint.h"
#include "superstep/reduce/program.h"

namespace superstep::cluster {

/// Where a job goes on from.
struct Resume {
  reduce::State state;
  std::map<int64_t, Bytes> private_states;
  reduce::Round last;        ///< The last round that was applied.
  int64_t metrics_size = 0;  ///< Bytes of metrics.jsonl that belong to it.
};

/// The newest checkpoint of a run whose job is `job` (what must not have changed: the hash of the
/// result config and of what fit found), or none. Throws ConfigError where the job differs.
std::optional<Resume> newest_checkpoint(const RunFolder& folder, const Bytes& job);

/// Writes checkpoints beside the training: at most one at a time, at most every `seconds`, and more
/// rarely where making one would take over 2% of a processor's time. A failure is said and training
/// goes on.
class Checkpointer {
 public:
  Checkpointer(RunFolder& folder, Bytes job, double seconds);
  /// Waits for a write under way.
  ~Checkpointer();

  /// After a round: starts a write if it is time for one.
  void offer(const reduce::State& state, const std::map<int64_t, Bytes>& private_states,
             const reduce::Round& last);
  /// Writes now and waits; throws FileError.
  void write(const reduce::State& state, const std::map<int64_t, Bytes>& private_states,
             const reduce::Round& last);

 private:
  void write_bytes(const io::Checkpoint& checkpoint, int64_t number);
  [[nodiscard]] io::Checkpoint pack(const reduce::State& state,
                                    const std::map<int64_t, Bytes>& private_states,
                                    const reduce::Round& last);

  RunFolder& folder_;
  Bytes job_;
  double seconds_;
  io::CheckpointFolder store_;
  double next_time_ = 0;
  std::future<double> writing_;  // processor seconds that the checkpoint took
};

}  // namespace superstep::cluster
