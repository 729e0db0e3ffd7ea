// The local engine: coordinator and worker in this process, the worker's lanes as threads, or as
// teams of threads where there are more of these than units.
//
//   EngineResult done = run_local(program, 2, {.folder = &folder});
#pragma once

#include "superstep/engines/engine.h"

namespace superstep::engines {

/// Runs a program on so many threads; 0 means one a core. The result does not depend on it.
EngineResult run_local(const reduce::Program& program, int threads, cluster::RunOptions options);

/// The threads that 0 stands for on this machine.
int default_lanes();

class LocalEngine : public Engine {
 public:
  explicit LocalEngine(int threads) : threads_(threads == 0 ? default_lanes() : threads) {}
  EngineResult run(const reduce::Program& program, const cluster::Stage& /*stage*/,
                   cluster::RunOptions options) override {
    return run_local(program, threads_, std::move(options));
  }
  [[nodiscard]] int threads() const override { return threads_; }

 private:
  int threads_;
};

}  // namespace superstep::engines
