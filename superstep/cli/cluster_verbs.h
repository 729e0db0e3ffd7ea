// The verbs `coordinator` and `worker`: the two kinds of process that a job on a cluster is made
// of.
#pragma once

#include <string>

#include "superstep/superstep.h"

namespace CLI {
class App;
}

namespace superstep::cli {

/// What `superstep coordinator JOB` is told.
struct CoordinatorArguments {
  std::string listen = "127.0.0.1:0", credentials;
  bool supervised = false;
};
void add_coordinator_options(CLI::App& command, CoordinatorArguments& arguments);
/// Trains a job with workers that dial. Returns as train() does.
TrainResult coordinate_by_hand(Job& job, const CoordinatorArguments& arguments,
                               const TrainOptions& options);
/// The coordinator of an engine: hears and tells all by the pipe protocol (docs/pipe-protocol.md).
/// Returns the exit code.
int coordinate_supervised();

struct WorkerArguments {
  WorkOptions work;
  std::string credentials;
  bool supervised = false;
};
void add_worker_options(CLI::App& command, WorkerArguments& arguments);
/// Returns the exit code.
int work_until_done(WorkerArguments arguments);

}  // namespace superstep::cli
