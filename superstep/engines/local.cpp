#include "superstep/engines/local.h"

#include <algorithm>
#include <thread>

#include "superstep/base/floating_point.h"
#include "superstep/base/team.h"
#include "superstep/cluster/worker.h"

namespace superstep::engines {

int default_lanes() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

EngineResult run_local(const reduce::Program& program, int threads, cluster::RunOptions options) {
  if (threads == 0) threads = default_lanes();
  // A lane without a unit would be a core without work.
  const auto lanes = static_cast<int>(std::clamp<int64_t>(program.most_units(), 1, threads));
  const FloatingPointScope floating_point;
  // Between supersteps the lanes wait, and their cores help to move the state.
  Team team(threads);
  const Team::Scope scope(team);
  // A thread cannot be killed or lost, and a second one for its unit would only slow it down.
  options.schedule.silence = options.schedule.dead = reduce::kNever;
  options.schedule.slow_factor = reduce::kNever;
  cluster::Coordinator coordinator(program, std::move(options));
  cluster::Worker worker(program, lanes, threads);
  worker.connect(coordinator.join(worker, lanes));
  cluster::RunResult run = coordinator.run();
  return {.run = std::move(run), .units_by_lane = worker.units_by_lane()};
}

}  // namespace superstep::engines
