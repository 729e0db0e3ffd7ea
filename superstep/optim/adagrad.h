// AdaGrad ("adagrad"): every number has a rate of its own, which falls with its gradients so far.
//
//   a = a + g^2                          g: gradient of the minibatch's mean loss, clipped, plus
//   w = w - lr g / (sqrt(a) + 1e-6)      l2 w + l1 sign(w); a starts at 0
//
// Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic
// optimization", 2011. Between work units the state is the root r = sqrt(a): see optim/buffered.h.
// Momentum is not read.
#pragma once

#include "superstep/optim/buffered.h"

namespace superstep::optim {

class AdaGrad : public BufferedOptimizer {
 public:
  [[nodiscard]] std::vector<std::string> state_prefixes() const override { return {kRoot}; }

 private:
  void move(int param, std::span<const float> gradient, const kernels::Descent& descent) override;
};

}  // namespace superstep::optim
