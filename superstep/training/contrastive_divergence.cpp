#include "superstep/kernels/elementwise.h"
#include "superstep/layers/rbm.h"
#include "superstep/training/learner.h"

namespace superstep::training {
namespace {

// out[j] = (sum of a's column j - sum of b's) / rows.
void mean_difference(ConstMatrix a, ConstMatrix b, std::span<float> out, std::span<float> scratch) {
  kernels::column_sums(a, out);
  kernels::column_sums(b, scratch);
  const float per_row = 1.0F / static_cast<float>(a.rows);
  for (size_t j = 0; j < out.size(); ++j) out[j] = (out[j] - scratch[j]) * per_row;
}

}  // namespace

ContrastiveDivergence::ContrastiveDivergence(const models::Network& network, int layer)
    : network_(network), layer_(layer) {
  SUPERSTEP_ASSERT(dynamic_cast<const layers::Rbm*>(&network.layer(layer)));
}

// The gradient of CD-1 that is descended, for v0 the data and v1 its reconstruction:
//   dW = -(v0' h0 - v1' h1) / rows,  dc = -(h0 - h1) / rows,  db = -(v0 - v1) / rows.
Tally ContrastiveDivergence::gradient(const ParamSet& params, const Batch& batch, RngKey key,
                                      GradSink& sink, LearnerScratch& scratch) const {
  using layers::Rbm;
  const auto& rbm = static_cast<const Rbm&>(network_.layer(layer_));
  const int first = network_.first(layer_);
  const int64_t rows = batch.rows();
  auto& context = scratch.context;
  const layers::Pass pass{layers::Mode::kEvaluate, key, batch.row_numbers, context};
  const ConstMatrix v0 = network_.forward(params, batch.x.matrix(), layer_, scratch.work, pass);

  scratch.a.resize({rows, rbm.outputs()});
  scratch.b.resize({rows, rbm.outputs()});
  scratch.c.resize({rows, rbm.inputs()});
  const Matrix h0 = scratch.a.matrix(), sample = scratch.b.matrix(), v1 = scratch.c.matrix();
  rbm.hidden_probabilities(params, first, v0, h0, context);
  kernels::sample_bernoulli(h0, key.fold("hidden"), batch.row_numbers, sample);
  rbm.visible_mean(params, first, sample, v1, context);
  const Matrix h1 = sample;  // the sample has done its work
  rbm.hidden_probabilities(params, first, v1, h1, context);

  const Tally tally{.rows = rows, .loss = kernels::squared_distance(v0, v1)};

  const auto widest = std::max(rbm.inputs(), rbm.outputs());
  scratch.d.resize({2, widest});
  const auto column = [&](int64_t r, int64_t n) {
    return scratch.d.matrix().row(r).first(static_cast<size_t>(n));
  };
  // The biases first: below, h0 and h1 are scaled in place.
  const auto visible_gradient = column(0, rbm.inputs());
  mean_difference(v1, v0, visible_gradient, column(1, rbm.inputs()));
  sink.add(first + Rbm::kVisibleBias, visible_gradient);
  const auto hidden_gradient = column(0, rbm.outputs());
  mean_difference(h1, h0, hidden_gradient, column(1, rbm.outputs()));
  sink.add(first + Rbm::kBias, hidden_gradient);

  const float per_row = 1.0F / static_cast<float>(rows);
  kernels::scale(-per_row, h0, h0);
  kernels::scale(per_row, h1, h1);
  sink.add_product(first + Rbm::kWeight, v0, h0);
  sink.add_product(first + Rbm::kWeight, v1, h1);
  return tally;
}

}  // namespace superstep::training
