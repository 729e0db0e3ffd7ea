// RMSProp ("rmsprop"): every number is moved by its gradient over a running root mean square of it.
//
//   a = 0.9 a + 0.1 g^2                  g: gradient of the minibatch's mean loss, clipped, plus
//   w = w - lr g / (sqrt(a) + 1e-6)      l2 w + l1 sign(w); a starts at 0
//
// Tieleman and Hinton, "Lecture 6.5: rmsprop, divide the gradient by a running average of its
// recent magnitude", Coursera, 2012. The first steps are up to sqrt(10) times larger than lr, for
// a is not corrected for its start at 0. Between work units the state is the root r = sqrt(a): see
// optim/buffered.h. Momentum is not read.
#pragma once

#include "superstep/optim/buffered.h"

namespace superstep::optim {

class RmsProp : public BufferedOptimizer {
 public:
  [[nodiscard]] std::vector<std::string> state_prefixes() const override { return {kRoot}; }

 private:
  void move(int param, std::span<const float> gradient, const kernels::Descent& descent) override;
};

}  // namespace superstep::optim
