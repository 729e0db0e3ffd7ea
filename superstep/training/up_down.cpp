#include <algorithm>

#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/sparse.h"
#include "superstep/training/contrast.h"
#include "superstep/training/learner.h"

namespace superstep::training {

using layers::LabelRbm;
using layers::Rbm;

// Hinton, Osindero and Teh 2006, appendix B. Machines 0 to K-1 lie below the label machine. s[k] is
// the state below machine k as seen (wake) or dreamt (sleep): s[0] the features, s[K] what the
// label machine sees.
//   wake    s[k+1] ~ recognition of s[k];        generative weights of k learn to give s[k] from it
//   top     k steps of Gibbs sampling from (s[K], label); its weights learn by the difference
//   sleep   s[k] ~ generation from s[k+1];       recognition weights of k learn to give s[k+1] from
//   it
// The bias of a hidden unit has two: the machine's own for recognition, and the visible bias of the
// machine above for generation.
Tally UpDown::gradient(const ParamSet& params, const Minibatch& minibatch, GradSink& sink,
                       LearnerScratch& scratch) const {
  const Batch& batch = minibatch.batch;
  const int64_t n = batch.rows();
  const int machines = network_.size() - 1;
  const auto& top = static_cast<const LabelRbm&>(network_.layer(machines));
  const int top_first = network_.first(machines);
  const auto machine = [&](int k) -> const Rbm& {
    return static_cast<const Rbm&>(network_.layer(k));
  };
  auto& context = scratch.context;
  const auto& rows = batch.row_numbers;

  // Of each machine: the state below it, awake above asleep, and what is predicted of it.
  auto& states = scratch.work.activations;
  auto& predictions = scratch.work.gradients;
  states.resize(static_cast<size_t>(machines) + 1);
  predictions.resize(static_cast<size_t>(machines) + 1);
  const auto state = [&](int k) { return states[static_cast<size_t>(k)].matrix(); };
  const auto prediction = [&](int k) { return predictions[static_cast<size_t>(k)].matrix(); };
  for (int k = 0; k <= machines; ++k) {
    const int64_t width = network_.layer(k).inputs();
    states[static_cast<size_t>(k)].resize({2 * n, width});
    predictions[static_cast<size_t>(k)].resize({2 * n, width});
  }

  // Wake: up by recognition.
  const Features x = batch.features();
  if (x.is_sparse())
    kernels::to_dense(x.sparse(), state(0).head(n));
  else
    kernels::copy(x.dense(), state(0).head(n));
  for (int k = 0; k < machines; ++k)
    machine(k).hidden_mean_and_sample(
        params, network_.first(k), k == 0 ? x : Features(state(k).head(n)),
        minibatch.key.fold("wake").fold(static_cast<uint64_t>(k)), rows, prediction(k + 1).head(n),
        state(k + 1).head(n), context);

  // Top: Gibbs sampling from what was seen.
  const int64_t hidden = top.options().hidden, classes = top.options().classes;
  scratch.b.resize({2 * n, hidden});
  scratch.c.resize({n, hidden});
  scratch.d.resize({2 * n, classes});
  scratch.e.resize({n, std::max(classes, top.inputs())});
  const Matrix h = scratch.b.matrix(), h_state = scratch.c.matrix(), y = scratch.d.matrix();
  one_hot(batch.labels, y.head(n));
  top.hidden_mean_and_sample(params, top_first, state(machines).head(n), y.head(n),
                             minibatch.key.fold("top"), rows, h.head(n), h_state, context);
  for (int64_t step = 0; step < steps_; ++step) {
    const RngKey key = minibatch.key.fold("step").fold(static_cast<uint64_t>(step));
    const Matrix v_mean(scratch.e.values().data(), n, top.inputs());
    top.visible_mean(params, top_first, h_state, v_mean, context);
    kernels::sample_bernoulli(v_mean, key.fold("visible"), rows, second_half(state(machines)));
    const Matrix y_mean(scratch.e.values().data(), n, classes);
    top.label_mean(params, top_first, h_state, y_mean, context);
    layers::sample_choice(y_mean, key.fold("label"), rows, second_half(y));
    top.hidden_mean_and_sample(params, top_first, second_half(state(machines)), second_half(y),
                               key.fold("hidden"), rows, second_half(h), h_state, context);
  }

  // Sleep: down by generation.
  for (int k = machines - 1; k >= 0; --k) {
    const Matrix mean = second_half(prediction(k)), dreamt = second_half(state(k));
    machine(k).visible_mean(params, network_.first(k), second_half(state(k + 1)), mean, context);
    kernels::sample_bernoulli(mean, minibatch.key.fold("sleep").fold(static_cast<uint64_t>(k)),
                              rows, dreamt);
  }

  // What generation says of the states that were seen, and recognition of those that were dreamt;
  // how the net does, all before anything moves.
  for (int k = 0; k < machines; ++k) {
    machine(k).visible_mean(params, network_.first(k), state(k + 1).head(n), prediction(k).head(n),
                            context);
    machine(k).hidden_mean(params, network_.first(k), second_half(state(k)),
                           second_half(prediction(k + 1)), context);
  }
  Tally tally{.rows = n};
  {
    const layers::Pass pass{layers::Mode::kEvaluate, minibatch.key, rows, context};
    scratch.a.resize({n, classes});
    top.forward(params, top_first, state(machines).head(n), scratch.a.matrix(), pass);
    const ConstMatrix z = std::as_const(scratch.a).matrix();
    tally.loss = loss_.evaluate(z, batch, nullptr);
    tally.errors = count_errors(z, batch);
  }

  const auto add_sums = [&](int tensor, ConstMatrix gradient) {
    scratch.f.resize({gradient.cols});
    kernels::column_sums(gradient, scratch.f.values());
    sink.add(tensor, scratch.f.values());
  };
  const auto add_difference = [&](int tensor, ConstMatrix stacked) {
    scratch.f.resize({stacked.cols});
    mean_difference(stacked, scratch.f.values());
    sink.add(tensor, scratch.f.values());
  };
  add_difference(top_first + LabelRbm::kVisibleBias, state(machines));
  add_difference(top_first + LabelRbm::kLabelBias, y);
  add_difference(top_first + LabelRbm::kBias, h);
  weigh_halves(h);
  sink.add_product(top_first + LabelRbm::kWeight, state(machines), h);
  sink.add_product(top_first + LabelRbm::kLabelWeight, y, h);

  const float per_row = 1.0F / static_cast<float>(n);
  for (int k = 0; k < machines; ++k) {
    const int first = network_.first(k);
    // The cross-entropy of a state and its prediction has the gradient prediction - state.
    const Matrix generated = prediction(k).head(n);
    kernels::subtract(generated, state(k).head(n), generated);
    kernels::scale(per_row, generated, generated);
    add_sums(first + Rbm::kVisibleBias, generated);
    sink.add_product(first + Rbm::kGenerativeWeight, generated, state(k + 1).head(n));

    const Matrix recognised = second_half(prediction(k + 1));
    kernels::subtract(recognised, second_half(state(k + 1)), recognised);
    kernels::scale(per_row, recognised, recognised);
    add_sums(first + Rbm::kBias, recognised);
    sink.add_product(first + Rbm::kWeight, second_half(state(k)), recognised);
  }
  return tally;
}

}  // namespace superstep::training
