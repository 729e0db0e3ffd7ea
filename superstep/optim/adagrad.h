// AdaGrad ("adagrad"): every number has a rate of its own, which falls with its gradients so far.
//
//   a = a + g^2                          g: gradient of the minibatch's mean loss, plus l2 * w for
//   w = w - lr g / (sqrt(a) + 1e-6)      weights; a starts at 0
//
// Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic
// optimization", 2011. Between work units the state is the root r = sqrt(a): roots are averaged
// over the replicas, as they are of the size of a gradient and fit the exact sum's range, which
// squares near 1e-14 would not. Momentum is not read.
#pragma once

#include "superstep/optim/optimizer.h"

namespace superstep::optim {

class AdaGrad : public Optimizer, private GradSink {
 public:
  [[nodiscard]] std::vector<std::string> state_prefixes() const override { return {"root"}; }
  void bind(ParamSet& params, std::span<ParamSet> state, std::span<const int> trained,
            kernels::Context& context) override;
  GradSink& begin(const Step& step) override;
  void end() override;
  void unbind() override;

 private:
  void add_product(int param, ConstMatrix a, ConstMatrix b) override;
  void add(int param, std::span<const float> values) override;

  ParamSet* params_ = nullptr;
  ParamSet* squares_ = nullptr;  ///< The caller's roots, squared while bound.
  kernels::Context* context_ = nullptr;
  std::vector<int> trained_;
  std::vector<bool> is_trained_;  ///< One a tensor.
  ParamSet gradient_;
  Step step_;
};

}  // namespace superstep::optim
