// From a job to what can be trained: the data opened, counted and fitted, rows dealt out to learn
// from, to choose by and to test on, and a model of the right shape without numbers yet.
#pragma once

#include <memory>
#include <stop_token>
#include <vector>

#include "superstep/data/row_source.h"
#include "superstep/front_door/job.h"
#include "superstep/models/model.h"
#include "superstep/superstep.h"

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

/// Completes the job's config by what the data show. `known`: the identity that somebody else who
/// prepared this job came to; what it holds is not worked out again. Throws ConfigError, DataError,
/// FileError.
Prepared prepare(Job& job, const Bytes* known = nullptr);

enum class Labels { kRead, kIgnored };

/// All rows of a location, fitted to a model that is trained. Labels that are read must be known
/// to it; those that are ignored may be anything.
Rows open_rows(const models::Model& model, const config::Location& location,
               const data::DataConfig& config, Labels labels = Labels::kRead);

/// How a model does on rows.
training::Metrics evaluate_rows(const models::Model& model, const Rows& rows, int lanes);

/// engine.workers as lanes of this machine.
int lanes_of(const Job& job);

}  // namespace superstep::front_door
