// What workers elsewhere make their Programs from, and the table of these.
#pragma once

#include "superstep/cluster/stage.h"
#include "superstep/front_door/prepare.h"
#include "superstep/training/network_program.h"

namespace superstep::front_door {

/// All that the training of a prepared job depends on; points into both.
training::NetworkJob network_job(const Job& job, const Prepared& prepared);

/// What a checkpoint or a worker must agree about: config that changes results, and data.
Bytes identity_of(const Job& job, const Prepared& prepared);

/// The stage "train" of a job whose config is complete.
cluster::Stage train_stage(const Job& job, const Prepared& prepared);

/// A Program with all that it points to.
struct StageProgram {
  std::shared_ptr<const reduce::Program> program;
  Bytes identity;
};

/// The Program of a stage. Throws ConfigError for a kind that is not in the table, DataError for
/// arguments that cannot be read or data that have changed, and what opening data throws.
StageProgram make_program(const cluster::Stage& stage);

}  // namespace superstep::front_door
