// Stochastic gradient descent with momentum ("sgd").
//
//   v = m v + g          g: gradient of the minibatch's mean loss, plus l2 * w for weights
//   w = w - lr v         (Polyak 1964; the form of Sutskever, Martens, Dahl and Hinton 2013, eq. 1
//                        and 2, with the rate outside of the velocity)
//
// so a constant gradient ends in steps of lr / (1 - m). The velocity takes the gradients as they
// come: there is no gradient buffer. With m = 0 in a step, gradients go into the weights at once
// (a tensor has moved after its first), and the velocity is and stays zero.
#pragma once

#include "superstep/optim/optimizer.h"

namespace superstep::optim {

class Sgd : public Optimizer, private GradSink {
 public:
  [[nodiscard]] std::vector<std::string> state_prefixes() const override { return {"velocity"}; }
  void bind(ParamSet& params, std::span<ParamSet> state, std::span<const int> trained,
            kernels::Context& context) override;
  GradSink& begin(const Step& step) override;
  void end() override;
  void unbind() override;

 private:
  void add_product(int param, ConstMatrix a, ConstMatrix b) override;
  void add(int param, std::span<const float> values) override;
  void decay_once(int param);

  ParamSet* params_ = nullptr;
  ParamSet* velocity_ = nullptr;
  kernels::Context* context_ = nullptr;
  std::vector<int> trained_;
  std::vector<bool> is_trained_;   ///< One a tensor.
  std::vector<bool> decayed_;      ///< With m = 0: whether this step's l2 has been applied.
  bool velocity_is_zero_ = false;  ///< Known to be, so that it need not be cleared again.
  Step step_;
};

}  // namespace superstep::optim
