#include "superstep/models/sampler.h"

#include <algorithm>
#include <numeric>

#include "superstep/kernels/elementwise.h"
#include "superstep/layers/label_rbm.h"
#include "superstep/layers/rbm.h"

namespace superstep::models {

using layers::LabelRbm;
using layers::Rbm;

bool Sampler::knows_classes() const {
  return dynamic_cast<const LabelRbm*>(&network_.layer(network_.size() - 1)) != nullptr;
}

Tensor Sampler::of_class(int64_t label, int64_t count, int64_t steps, RngKey key) {
  const int top_layer = network_.size() - 1;
  const auto* top = dynamic_cast<const LabelRbm*>(&network_.layer(top_layer));
  if (!top)
    throw ConfigError(
        "this network has no machine that knows the label: train with model.generative = true");
  const int first = network_.first(top_layer);
  const int64_t classes = top->options().classes, hidden = top->options().hidden;
  if (label < 0 || label >= classes)
    throw ConfigError("no class of number {}: there are {}, counted from 0", label, classes);

  std::vector<int64_t> chains(static_cast<size_t>(count));
  std::iota(chains.begin(), chains.end(), label * count);
  Tensor v({count, top->inputs()}), mean({count, top->inputs()}), y({count, classes}),
      h({count, hidden}), h_mean({count, hidden});
  for (int64_t r = 0; r < count; ++r) y.matrix().row(r)[static_cast<size_t>(label)] = 1.0F;
  std::ranges::fill(mean.values(), 0.5F);
  kernels::sample_bernoulli(mean.matrix(), key.fold("start"), chains, v.matrix());
  for (int64_t step = 0; step < steps; ++step) {
    const RngKey at = key.fold(static_cast<uint64_t>(step));
    top->hidden_mean_and_sample(params_, first, v.matrix(), y.matrix(), at.fold("hidden"), chains,
                                h_mean.matrix(), h.matrix(), context_);
    top->visible_mean(params_, first, h.matrix(), mean.matrix(), context_);
    kernels::sample_bernoulli(mean.matrix(), at.fold("visible"), chains, v.matrix());
  }
  if (top_layer == 0) return mean;
  return downward(v.matrix(), top_layer - 1);
}

Tensor Sampler::downward(ConstMatrix states, int layer) {
  Tensor above({states.rows, states.cols});
  kernels::copy(states, above.matrix());
  for (int k = layer; k >= 0; --k) {
    const auto* rbm = dynamic_cast<const Rbm*>(&network_.layer(k));
    if (!rbm)
      throw ConfigError("layer {} is no restricted Boltzmann machine, so nothing goes down", k);
    Tensor below({states.rows, rbm->inputs()});
    rbm->visible_mean(params_, network_.first(k), std::as_const(above).matrix(), below.matrix(),
                      context_);
    above = std::move(below);
  }
  return above;
}

}  // namespace superstep::models
