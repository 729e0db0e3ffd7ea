// Where the units of a Program are computed. Whatever the engine, the result has the same bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "superstep/cluster/coordinator.h"
#include "superstep/cluster/stage.h"

namespace superstep::engines {

/// What a Program came to on an engine.
struct EngineResult {
  cluster::RunResult run;
  std::vector<int64_t> units_by_lane;   ///< Units computed by each lane; empty where they are far.
  int64_t bytes_in = 0, bytes_out = 0;  ///< Moved to and from the coordinator for it.
};

class Engine {
 public:
  virtual ~Engine() = default;
  /// Runs a program to its end, or until options.stop asks. `stage` is what workers elsewhere make
  /// the same program from. Throws what a unit threw.
  virtual EngineResult run(const reduce::Program& program, const cluster::Stage& stage,
                           cluster::RunOptions options) = 0;
  /// Threads that compute, as far as is known.
  [[nodiscard]] virtual int threads() const = 0;
  /// host:port that workers dial; empty where none does.
  [[nodiscard]] virtual std::string address() const { return {}; }
};

}  // namespace superstep::engines
