// The local engine: coordinator and worker in this process, the worker's lanes as threads.
//
//   EngineResult done = run_local(program, 2, {.folder = &folder});
#pragma once

#include "superstep/engines/engine.h"

namespace superstep::engines {

/// Runs a program on `lanes` threads; 0 means one a core. The result does not depend on it.
EngineResult run_local(const reduce::Program& program, int lanes, cluster::RunOptions options);

/// The lanes that 0 stands for on this machine.
int default_lanes();

class LocalEngine : public Engine {
 public:
  explicit LocalEngine(int lanes) : lanes_(lanes == 0 ? default_lanes() : lanes) {}
  EngineResult run(const reduce::Program& program, const cluster::Stage& /*stage*/,
                   cluster::RunOptions options) override {
    return run_local(program, lanes_, std::move(options));
  }
  [[nodiscard]] int lanes() const override { return lanes_; }

 private:
  int lanes_;
};

}  // namespace superstep::engines
