// Adam ("adam"): running means of the gradient and of its square, corrected for their start at 0.
//
//   f = 0.9 f + 0.1 g                    g: gradient of the minibatch's mean loss, clipped, plus
//   a = 0.999 a + 0.001 g^2              l2 w + l1 sign(w); f and a start at 0
//   w = w - lr (f / (1 - 0.9^t)) / (sqrt(a / (1 - 0.999^t)) + 1e-8)
//
// Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1 (f is its m, a
// its v). t is Step::number, so it must count on over the work units of one state. Between units
// the state is f as it is, and the root r = sqrt(a): see optim/buffered.h. Momentum is not read.
#pragma once

#include "superstep/optim/buffered.h"

namespace superstep::optim {

class Adam : public BufferedOptimizer {
 public:
  [[nodiscard]] std::vector<std::string> state_prefixes() const override {
    return {"first", kRoot};
  }
  GradSink& begin(const Step& step) override;

 private:
  void move(int param, std::span<const float> gradient, const kernels::Descent& descent) override;

  double first_correction_ = 1, second_correction_ = 1;  ///< 1 / (1 - 0.9^t), 1 / (1 - 0.999^t).
};

}  // namespace superstep::optim
