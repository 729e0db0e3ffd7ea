// The local engine: coordinator and worker in this process, the worker's lanes as threads, or as
// teams of threads where there are more of these than units.
//
//   LocalResult done = run_local(program, 2, {.folder = &folder});
#pragma once

#include "superstep/cluster/coordinator.h"

namespace superstep::engines {

struct LocalResult {
  cluster::RunResult run;
  std::vector<int64_t> units_by_lane;
};

/// Runs a program on so many threads; 0 means one a core. The result does not depend on it.
LocalResult run_local(const reduce::Program& program, int threads, cluster::RunOptions options);

/// The threads that 0 stands for on this machine.
int default_lanes();

}  // namespace superstep::engines
