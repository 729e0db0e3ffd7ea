#include <algorithm>

#include "superstep/training/learner.h"

namespace superstep::training {

int64_t count_errors(ConstMatrix z, const Batch& batch) {
  if (batch.labels.empty()) return 0;
  int64_t errors = 0;
  for (int64_t r = 0; r < z.rows; ++r) {
    const auto row = z.row(r);
    const auto likeliest = std::max_element(row.begin(), row.end()) - row.begin();
    if (likeliest != batch.labels[static_cast<size_t>(r)]) ++errors;
  }
  return errors;
}

Tally Backpropagation::gradient(const ParamSet& params, const Minibatch& minibatch, GradSink& sink,
                                LearnerScratch& scratch) const {
  const Batch& batch = minibatch.batch;
  const layers::Pass pass{layers::Mode::kTrain, minibatch.key, batch.row_numbers, scratch.context};
  const Features x = batch.features();
  const ConstMatrix z = network_.forward(params, x, scratch.work, pass, dropout_);
  scratch.a.resize({batch.rows(), network_.outputs()});
  Matrix dz = scratch.a.matrix();
  const Tally tally{.rows = batch.rows(),
                    .loss = loss_.evaluate(z, batch, &dz),
                    .errors = count_errors(z, batch)};
  network_.backward(params, x, dz, scratch.work, pass, sink, dropout_);
  return tally;
}

Tally evaluate(const models::Network& network, const layers::Loss& loss, const ParamSet& params,
               const Batch& batch, LearnerScratch& scratch) {
  const layers::Pass pass{layers::Mode::kEvaluate, RngKey(0), batch.row_numbers, scratch.context};
  const ConstMatrix z = network.forward(params, batch.features(), scratch.work, pass);
  return {.rows = batch.rows(),
          .loss = loss.evaluate(z, batch, nullptr),
          .errors = count_errors(z, batch)};
}

}  // namespace superstep::training
