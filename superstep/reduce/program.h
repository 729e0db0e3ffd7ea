// What is iterated and reduced. k-means is a Program in under 100 lines (examples/kmeans); a
// network is one too (training/).
//
// A job is a sequence of rounds (supersteps). For each, the coordinator hands out the units that
// next() named; each is computed somewhere, perhaps twice; the updates are summed exactly; apply()
// moves the state with the sum; next() says how to go on. All that decides a result is here, and
// none of it depends on who computed what, where, when or in which order:
//
//   auto round = program.next(nullptr, state);
//   while (round) {
//     for (const WorkUnit& unit : round->units)  ... program.compute(...) ...   // anywhere
//     program.apply(*round, state, sum, blobs);                                 // here
//     round = program.next(&*round, state);
//   }
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "superstep/base/bytes.h"
#include "superstep/reduce/exact_sum.h"
#include "superstep/tensor/batch.h"
#include "superstep/tensor/param_set.h"

namespace superstep::reduce {

/// What the coordinator holds between two rounds; a checkpoint is this and the private states.
struct State {
  ParamSet shared;  ///< Goes to workers with every round.
  ParamSet
      outer;    ///< Stays with the coordinator: momentum of the outer rule, the best state so far.
  Bytes notes;  ///< Stays too: counters, whatever next() must remember.
};

/// A piece of a round. `begin` and `end` are numbers that the Program gives a meaning: the
/// minibatches of a replica, places in a list of rows, splits of a file, chains.
struct WorkUnit {
  int64_t id = 0;  ///< Replica, or number of the piece: private state is kept by it.
  int64_t begin = 0, end = 0;
  int64_t weight = 0;  ///< Planned weight in rows; the sum over the units scales the exact sum.
  friend bool operator==(const WorkUnit&, const WorkUnit&) = default;
};

/// One superstep.
struct Round {
  std::string phase;      ///< "index", "statistics", "pretrain.0", "finetune", "evaluate", ...
  int64_t epoch = 0;      ///< Passes over the data before this one, within the phase.
  int64_t superstep = 0;  ///< Rounds before this one, within the job.
  Bytes args;             ///< What else compute() needs: a step length, a temperature.
  std::vector<WorkUnit> units;
};

/// A round as bytes, for checkpoints and wires, and back. Throws DataError.
Bytes to_bytes(const Round& round);
Round round_from_bytes(std::string_view bytes);

/// What a unit hands back.
struct Outcome {
  ParamSet update;      ///< Of the layout that update_spec() gives for the round; may be empty.
  int64_t weight = 0;   ///< Rows (or whatever the Program averages over); at most the planned one.
  Bytes blob;           ///< Small things that are no sum: metrics. Folded in unit order by apply().
  Bytes private_state;  ///< Comes back to the same unit id in the next round.
};

/// What a round came to, for the run's log of metrics.
struct Report {
  std::string event = "superstep";  ///< Or "epoch", "phase": how large a step this round closes.
  std::vector<std::pair<std::string, double>> measures;  ///< "loss", "rows", "error", ...
};

/// How a unit says that it is alive, and hears that nobody waits for it any more.
class Progress {
 public:
  virtual ~Progress() = default;
  /// Called once a minibatch.
  virtual void beat() {}
  /// When true the unit may return early; what it returns is thrown away.
  [[nodiscard]] virtual bool stopped() const { return false; }
};

/// Scratch that a lane keeps from unit to unit: primitives, workspaces. Never part of a result.
class LaneScratch {
 public:
  virtual ~LaneScratch() = default;
  /// An update to write every element into: fresh (zeros), or memory that an earlier one of the
  /// same layout left over. Fresh memory costs about as much as to fill it.
  ParamSet update(const std::shared_ptr<const ParamLayout>& layout);
  /// Memory for the next update(), of an update that is done with.
  void keep(ParamSet used);

 private:
  ParamSet left_over_;
};

/// All that compute() may look at.
struct Task {
  const Round& round;
  const WorkUnit& unit;
  const ParamSet& shared;
  const Bytes& private_state;
  LaneScratch& scratch;
  Progress& progress;
};

class Program {
 public:
  virtual ~Program() = default;

  /// The state before the first round.
  [[nodiscard]] virtual State initial() const = 0;
  /// The first round (`last` is null), the round after `last`, or none: the job is done. Decides
  /// from the state alone; may leave notes in apply(), never here.
  [[nodiscard]] virtual std::optional<Round> next(const Round* last, const State& state) const = 0;
  /// The most units that any round worth the time has. A worker with more threads than this
  /// computes each unit on several of them.
  [[nodiscard]] virtual int64_t most_units() const { return std::numeric_limits<int64_t>::max(); }
  /// Hosts that hold the bytes of each unit of a round, by unit; empty where nothing is known. A
  /// hint for whoever hands out units, asked once a round at the coordinator alone: it is no part
  /// of the round, and no result, digest or identity may depend on it.
  [[nodiscard]] virtual std::vector<std::vector<std::string>> hosts(const Round& /*round*/) const {
    return {};
  }
  /// What updates of this round hold; the same for all its units.
  [[nodiscard]] virtual UpdateSpec update_spec(const Round& round) const = 0;
  /// Scratch for a lane; called once a lane, on its thread.
  [[nodiscard]] virtual std::unique_ptr<LaneScratch> make_scratch() const {
    return std::make_unique<LaneScratch>();
  }
  /// A pure function of the task (without its scratch): the same bytes anywhere, twice, or after a
  /// crash. Runs on many threads at once.
  [[nodiscard]] virtual Outcome compute(const Task& task) const = 0;
  /// Moves the state by the sum of the updates. `blobs` are in the order of round.units.
  virtual Report apply(const Round& round, State& state, const ExactSum& sum,
                       const std::vector<Bytes>& blobs) const = 0;
};

}  // namespace superstep::reduce
