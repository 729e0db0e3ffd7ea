// What a network of restricted Boltzmann machines imagines: rows drawn from it.
//
//   Sampler sampler(model);
//   Tensor sevens = sampler.of_class(7, 20, 1000, RngKey(1));     // (20, features), scaled
//   Tensor again = sampler.downward(hidden, layer);               // what hidden units stand for
//
// A chain's states follow from the key and its number alone.
#pragma once

#include "superstep/models/network.h"

namespace superstep::models {

class Sampler {
 public:
  /// Both must outlive it. `params` begin with the network's tensors.
  Sampler(const Network& network, const ParamSet& params) : network_(network), params_(params) {}

  /// Whether the uppermost layer is a machine that knows the label (model.generative).
  [[nodiscard]] bool knows_classes() const;
  /// `count` rows of a class: the label is held while the uppermost machine takes `steps` steps of
  /// Gibbs sampling from states at random, then means go down to the features (Hinton, Osindero and
  /// Teh 2006, section 7). Throws ConfigError unless knows_classes().
  [[nodiscard]] Tensor of_class(int64_t label, int64_t count, int64_t steps, RngKey key);
  /// The means, layer by layer downwards, for states (rows, outputs) of machine `layer`: rows of
  /// features. Throws ConfigError where a layer below is no machine.
  [[nodiscard]] Tensor downward(ConstMatrix states, int layer);

 private:
  const Network& network_;
  const ParamSet& params_;
  kernels::Context context_;
};

}  // namespace superstep::models
