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

/// Of the stages that read files first.
inline constexpr const char* kFit = "fit";

/// The stages of a job. "fit": a pass over files of the job, whose config is complete() (see
/// fit_program); "nonzeros", "train", "evaluate": what follows, of a job that is prepared.
cluster::Stage fit_stage(const Job& job, const std::string& which);
cluster::Stage nonzeros_stage(const Job& job, const Prepared& prepared);
cluster::Stage train_stage(const Job& job, const Prepared& prepared);
/// Of the model with the numbers that the coordinator's state holds, on Prepared::judged().
cluster::Stage evaluate_stage(const Job& job, const Prepared& prepared);

/// A Program with all that it points to.
struct StageProgram {
  std::shared_ptr<const reduce::Program> program;
  Bytes identity;
};

/// Makes the Programs of the stages of one job, one after another, on a worker. Files that were
/// read for one stage are there for the next.
class Stages {
 public:
  /// Throws ConfigError for a kind that is not in the table, DataError for arguments that cannot be
  /// read or data that have changed, and what opening data throws.
  StageProgram make(const cluster::Stage& stage);

 private:
  struct Training;

  std::shared_ptr<const Files> files_of(const Job& job);
  std::shared_ptr<Training> training_of(const Bytes& args);
  StageProgram make_fit(const Bytes& args);
  StageProgram make_nonzeros(const Bytes& args);
  StageProgram make_train(const Bytes& args);
  StageProgram make_evaluate(const Bytes& args);

  std::shared_ptr<const Files> files_;
  std::shared_ptr<Training> training_;  ///< Of the newest stage that had one.
};

}  // namespace superstep::front_door
