// Stochastic gradient descent with Nesterov's momentum ("nesterov").
//
//   v = m v + g            g: gradient of the minibatch's mean loss, clipped, plus l2 w + l1
//   sign(w) w = w - lr (g + m v)
//
// Nesterov 1983; Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and
// momentum in deep learning", 2013, eq. 3 and 4, where the gradient is taken at theta - lr m v,
// ahead of the parameters theta. As Bengio, Boulanger-Lewandowski and Pascanu have it ("Advances
// in optimizing recurrent networks", 2013, eq. 7), w is that place ahead, so that w is what is
// trained, averaged over the replicas and kept. The state is the velocity v. m = 0 is plain
// descent.
#pragma once

#include "superstep/optim/buffered.h"

namespace superstep::optim {

class Nesterov : public BufferedOptimizer {
 public:
  [[nodiscard]] std::vector<std::string> state_prefixes() const override { return {"velocity"}; }

 private:
  void move(int param, std::span<const float> gradient, const kernels::Descent& descent) override;
};

}  // namespace superstep::optim
