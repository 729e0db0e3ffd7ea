// Training, on whatever engine.
#pragma once

#include <functional>
#include <memory>

#include "superstep/engines/engine.h"
#include "superstep/superstep.h"

namespace superstep::front_door {

/// Makes the engine of an attempt, as soon as its number is known.
using MakeEngine = std::function<std::unique_ptr<engines::Engine>(int64_t attempt)>;

/// train(), with the workers of an engine.
TrainResult train_on(const MakeEngine& make_engine, Job& job, const TrainOptions& options);

/// train(), with a coordinator and workers that are processes of this machine.
TrainResult train_in_processes(Job& job, const TrainOptions& options);

/// train(), with a coordinator and workers in containers of a Hadoop cluster.
TrainResult train_on_yarn(Job& job, const TrainOptions& options);

/// Paths of data start at data.dir or else at the folder one is in; afterwards they mean the same
/// from anywhere.
void make_paths_absolute(Job& job);

}  // namespace superstep::front_door
