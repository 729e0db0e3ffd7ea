// The evaluation of a model on some rows, as a Program of one round: a unit is 1,024 consecutive
// rows of the list. The model's numbers are the state, so that workers elsewhere need no file.
#pragma once

#include "superstep/models/model.h"
#include "superstep/reduce/program.h"
#include "superstep/training/evaluation.h"

namespace superstep::training {

class EvaluateProgram : public reduce::Program {
 public:
  /// Model and source must outlive it; `rows` are row numbers of the source.
  EvaluateProgram(const models::Model& model, const Source& source, std::vector<int64_t> rows);

  [[nodiscard]] reduce::State initial() const override;
  [[nodiscard]] std::optional<reduce::Round> next(const reduce::Round* last,
                                                  const reduce::State& state) const override;
  [[nodiscard]] reduce::UpdateSpec update_spec(const reduce::Round& round) const override;
  [[nodiscard]] std::unique_ptr<reduce::LaneScratch> make_scratch() const override;
  [[nodiscard]] reduce::Outcome compute(const reduce::Task& task) const override;
  reduce::Report apply(const reduce::Round& round, reduce::State& state,
                       const reduce::ExactSum& sum, const std::vector<Bytes>& blobs) const override;

  [[nodiscard]] Metrics result(const reduce::State& state) const;

 private:
  struct Scratch;

  const models::Model& model_;
  const Source& source_;
  std::vector<int64_t> rows_;
};

/// The sums over the rows of one batch.
Evaluation evaluate_batch(const models::Model& model, models::Predictor& predictor,
                          const Batch& batch);

}  // namespace superstep::training
