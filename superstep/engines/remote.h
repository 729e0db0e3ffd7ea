// An engine whose workers are other processes, here or on other machines: they dial, join, and
// compute what they lease. Who starts them is not its business.
#pragma once

#include "superstep/cluster/transport/server.h"
#include "superstep/engines/engine.h"

namespace superstep::engines {

class RemoteEngine : public Engine {
 public:
  /// Listens; `threads`: how many are expected, for people.
  RemoteEngine(cluster::transport::ServerOptions options, int threads)
      : server_(std::move(options)), threads_(threads) {}
  /// options.job is what a worker's program must have as its identity.
  EngineResult run(const reduce::Program& program, const cluster::Stage& stage,
                   cluster::RunOptions options) override;
  [[nodiscard]] int threads() const override { return threads_; }
  [[nodiscard]] std::string address() const override { return server_.address(); }

 private:
  cluster::transport::Server server_;
  int threads_;
};

}  // namespace superstep::engines
