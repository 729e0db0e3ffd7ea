// Stochastic gradient descent with momentum ("sgd").
//
//   v = m v + g          g: gradient of the minibatch's mean loss, clipped, plus l2 w + l1 sign(w)
//   w = w - lr v         (Polyak 1964; the form of Sutskever, Martens, Dahl and Hinton 2013, eq. 1
//                        and 2, with the rate outside of the velocity)
//
// so a constant gradient ends in steps of lr / (1 - m). The velocity takes the gradients as they
// come: there is no gradient buffer, but in a step that clips. With m = 0 in a step, gradients go
// into the weights at once (a tensor has moved after its first), and the velocity is and stays
// zero. A product is compiled for each m, so m should take few values over a run.
#pragma once

#include "superstep/optim/buffered.h"

namespace superstep::optim {

class Sgd : public BufferedOptimizer {
 public:
  [[nodiscard]] std::vector<std::string> state_prefixes() const override { return {"velocity"}; }
  void bind(ParamSet& params, std::span<ParamSet> state, std::span<const TensorRule> rules,
            kernels::Context& context) override;
  GradSink& begin(const Step& step) override;
  void end() override;

 private:
  void add_product(int param, ConstMatrix a, ConstMatrix b) override;
  void add_sparse_product(int param, const SparseView& a, ConstMatrix b) override;
  void add(int param, std::span<const float> values) override;
  void move(int param, std::span<const float> gradient, const kernels::Descent& descent) override;
  template <class Product>
  void add_to_target(int param, ConstMatrix b, Product product);
  void decay_velocity(int param);
  void decay_weights(const TensorRule& rule);
  [[nodiscard]] bool clips() const { return step().clip_norm > 0.0; }

  bool velocity_is_zero_ = false;  ///< Known to be, so that it need not be cleared again.
};

}  // namespace superstep::optim
