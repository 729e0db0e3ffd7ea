#include <algorithm>

#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/sparse.h"
#include "superstep/training/contrast.h"
#include "superstep/training/learner.h"

namespace superstep::training {

using layers::LabelRbm;

// The plain gradient of CD-k: for each tensor what the data have less what k steps made of them.
Tally LabelDivergence::gradient(const ParamSet& params, const Minibatch& minibatch, GradSink& sink,
                                LearnerScratch& scratch) const {
  const Batch& batch = minibatch.batch;
  const int64_t n = batch.rows(), inputs = rbm_.inputs(), hidden = rbm_.options().hidden,
                classes = rbm_.options().classes;
  auto& context = scratch.context;
  // Data whose zeros are left out are not written out.
  const Features v0 = batch.features();
  const int64_t written = v0.is_sparse() ? 0 : n;
  scratch.a.resize({written + n, inputs});
  scratch.b.resize({2 * n, hidden});
  scratch.c.resize({n, hidden});
  scratch.d.resize({2 * n, classes});
  scratch.e.resize({n, classes});
  const Matrix a = scratch.a.matrix(), b = scratch.b.matrix(), y = scratch.d.matrix();
  const Matrix v1(a.data + written * a.stride, n, inputs);
  const Matrix h1 = second_half(b), y1 = second_half(y);
  const Matrix sample = scratch.c.matrix(), y_mean = scratch.e.matrix();
  if (!v0.is_sparse()) kernels::copy(v0.dense(), a.head(n));
  one_hot(batch.labels, y.head(n));

  const auto& rows = batch.row_numbers;
  rbm_.hidden_mean_and_sample(params, first_, v0, y.head(n), minibatch.key.fold("hidden"), rows,
                              b.head(n), sample, context);
  Tally tally{.rows = n};
  for (int64_t step = 0; step < steps_; ++step) {
    const RngKey key = minibatch.key.fold("step").fold(static_cast<uint64_t>(step));
    // States go on, the last step's means are compared.
    const bool last = step + 1 == steps_;
    if (!last) scratch.f.resize({n, inputs});
    const Matrix v_mean = last ? v1 : scratch.f.matrix();
    rbm_.visible_mean(params, first_, sample, v_mean, context);
    if (step == 0) tally.loss = kernels::squared_distance_of(v0, v_mean);
    if (!last) kernels::sample_bernoulli(v_mean, key.fold("visible"), rows, v1);
    rbm_.label_mean(params, first_, sample, y_mean, context);
    layers::sample_choice(y_mean, key.fold("label"), rows, y1);
    rbm_.hidden_mean_and_sample(params, first_, v1, y1, key.fold("hidden"), rows, h1, sample,
                                context);
  }
  const auto add_difference = [&](int tensor, ConstMatrix stacked) {
    scratch.f.resize({stacked.cols});
    mean_difference(stacked, scratch.f.values());
    sink.add(first_ + tensor, scratch.f.values());
  };
  if (v0.is_sparse()) {
    scratch.f.resize({inputs});
    mean_difference(v0.sparse(), v1, scratch.f.values());
    sink.add(first_ + LabelRbm::kVisibleBias, scratch.f.values());
  } else {
    add_difference(LabelRbm::kVisibleBias, a);
  }
  add_difference(LabelRbm::kLabelBias, y);
  add_difference(LabelRbm::kBias, b);
  weigh_halves(b);
  if (v0.is_sparse()) {
    sink.add_sparse_product(first_ + LabelRbm::kWeight, v0.sparse(), b.head(n));
    sink.add_product(first_ + LabelRbm::kWeight, v1, h1);
  } else {
    sink.add_product(first_ + LabelRbm::kWeight, a, b);
  }
  sink.add_product(first_ + LabelRbm::kLabelWeight, y, b);
  return tally;
}

}  // namespace superstep::training
