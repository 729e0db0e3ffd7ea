#include "superstep/engines/remote.h"

#include <algorithm>

#include "superstep/base/floating_point.h"
#include "superstep/base/team.h"
#include "superstep/engines/local.h"

namespace superstep::engines {
namespace {

// On YARN the coordinator's container was not granted all cores of its node.
constexpr int kMostMovers = 4;

}  // namespace

EngineResult RemoteEngine::run(const reduce::Program& program, const cluster::Stage& stage,
                               cluster::RunOptions options) {
  const FloatingPointScope floating_point;
  // Between supersteps workers wait, those of this machine too, and whoever computes the new state
  // keeps them waiting.
  Team team(std::min(default_lanes(), kMostMovers));
  const Team::Scope scope(team);
  const cluster::Traffic before = server_.traffic();
  options.many_hosts = true;
  options.traffic = [this] { return server_.traffic(); };
  const Bytes identity = options.job;
  cluster::Coordinator coordinator(program, std::move(options));
  server_.attach(coordinator, stage, identity);
  struct Detach {
    cluster::transport::Server& server;
    ~Detach() { server.detach(); }
  };
  const Detach detach{server_};
  EngineResult result{.run = coordinator.run(), .units_by_lane = {}};
  const cluster::Traffic after = server_.traffic();
  result.bytes_in = after.in - before.in;
  result.bytes_out = after.out - before.out;
  return result;
}

}  // namespace superstep::engines
