// From a job to what can be trained: the data opened, counted and fitted, rows dealt out to learn
// from, to choose by and to test on, and a model of the right shape without numbers yet.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "superstep/cluster/coordinator.h"
#include "superstep/cluster/stage.h"
#include "superstep/data/row_source.h"
#include "superstep/front_door/job.h"
#include "superstep/models/model.h"
#include "superstep/superstep.h"
#include "superstep/training/fit.h"
#include "superstep/training/nonzeros.h"

namespace superstep::front_door {

/// Rows of a source, by number.
struct Rows {
  std::shared_ptr<const data::RowSource> source;
  std::vector<int64_t> numbers;
  [[nodiscard]] bool empty() const { return numbers.empty(); }
};

struct Prepared {
  Rows train, valid, test;
  /// What is pretrained on, where it is more than train: these rows, and unlabelled ones.
  std::shared_ptr<const Source> pretrain_source;
  std::vector<int64_t> pretrain_rows;
  std::unique_ptr<models::Model> model;
  ParamSet start;  ///< Tensors of model.start that this job goes on from.
  std::vector<float> class_weights;
  DataSummary summary;
  /// What must be the same for a checkpoint to fit: of the data, all that training sees of them.
  /// Whoever has it need not count and fit again.
  Bytes identity;

  /// The rows that figures are given for: those to test on, else to choose by, else to learn from.
  [[nodiscard]] const Rows& judged() const;
  [[nodiscard]] const char* judged_name() const;
};

/// The files of a job, opened: what of them was read stays in memory with it.
struct Files {
  data::DataConfig config;  ///< That they were opened with.
  std::shared_ptr<const data::DataSet> train, unlabelled, valid, test;  ///< The others may be null.
};

/// Throws ConfigError, DataError, FileError.
std::shared_ptr<const Files> open_files(const Job& job);

/// Runs a Program of a stage on the workers of a job. Throws Stopped where the job is asked to
/// stop. `identity`: what a worker that made the Program of the stage must have come to.
using RunStage = std::function<reduce::State(const reduce::Program&, const cluster::Stage&,
                                             const Bytes& identity)>;
struct Stopped : Error {
  Stopped() : Error("stopped before there was anything to go on from") {}
};

struct PrepareOptions {
  /// The identity that somebody else who prepared this job came to: what it holds is not worked
  /// out again.
  const Bytes* known = nullptr;
  RunStage run = {};                        ///< Empty: on lanes of this process.
  std::shared_ptr<const Files> files = {};  ///< Null: they are opened.
};

/// Completes the job's config as far as no data are needed for it. Throws ConfigError.
void complete(Job& job);

/// Completes the job's config by what the data show. Throws ConfigError, DataError, FileError.
Prepared prepare(Job& job, const PrepareOptions& options = {});

enum class Labels { kRead, kIgnored };

/// All rows of a location, fitted to a model that is trained. Labels that are read must be known
/// to it; those that are ignored may be anything.
Rows open_rows(const models::Model& model, const config::Location& location,
               const data::DataConfig& config, Labels labels = Labels::kRead);

/// How a model does on rows.
training::Metrics evaluate_rows(const models::Model& model, const Rows& rows, int lanes);

/// The Program that counts rows and labels of a file of the job, and what the scaling needs of
/// them: "train", "unlabelled", "valid" or "test". `more`: of other rows that the scaling is fitted
/// to.
training::FitProgram fit_program(const Job& job, const Files& files, const std::string& which,
                                 data::Statistics more = {});
/// What must be the same for such a Program to be the same.
Bytes identity_of_fit(const Files& files, const std::string& which);
/// The Program that counts what is not zero of the rows that the first layer learns from.
training::NonzerosProgram nonzeros_program(const Prepared& prepared);

/// engine.workers as lanes of this machine.
int lanes_of(const Job& job);

}  // namespace superstep::front_door
