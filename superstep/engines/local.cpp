#include "superstep/engines/local.h"

#include <algorithm>
#include <thread>

#include "superstep/base/floating_point.h"
#include "superstep/cluster/worker.h"

namespace superstep::engines {

int default_lanes() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

EngineResult run_local(const reduce::Program& program, int lanes, cluster::RunOptions options) {
  if (lanes == 0) lanes = default_lanes();
  const FloatingPointScope floating_point;
  // A thread cannot be killed or lost, and a second one for its unit would only slow it down.
  options.schedule.silence = options.schedule.dead = reduce::kNever;
  options.schedule.slow_factor = reduce::kNever;
  cluster::Coordinator coordinator(program, std::move(options));
  cluster::Worker worker(program, lanes);
  worker.connect(coordinator.join(worker, lanes));
  cluster::RunResult run = coordinator.run();
  return {.run = std::move(run), .units_by_lane = worker.units_by_lane()};
}

}  // namespace superstep::engines
