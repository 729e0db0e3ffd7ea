// What the rules share: the binding, a buffer for the gradient, clipping, the limit of norms.
//
//   class MyRule : public BufferedOptimizer {
//     std::vector<std::string> state_prefixes() const override { return {"velocity"}; }
//     void move(int param, std::span<const float> gradient, const kernels::Descent& d) override {
//       kernels::momentum_step(weights(param), state(0, param), gradient, d, momentum());
//     }
//   };
//
// The buffer has the size of the parameters; the first gradient of a tensor in a step overwrites
// what stood there, so that it is never cleared.
//
// A state with the prefix kRoot holds, while bound, second moments: it is squared in bind and its
// roots are taken in unbind. Roots are what travels: they are of the size of a gradient and fit
// the range of the exact sum, which squares near 1e-14 would not.
#pragma once

#include "superstep/kernels/update.h"
#include "superstep/optim/optimizer.h"

namespace superstep::optim {

inline constexpr const char* kRoot = "root";

class BufferedOptimizer : public Optimizer, protected GradSink {
 public:
  void bind(ParamSet& params, std::span<ParamSet> state, std::span<const TensorRule> rules,
            kernels::Context& context) override;
  GradSink& begin(const Step& step) override;
  void end() override;
  void unbind() override;

 protected:
  /// Moves tensor `param` and its state by the minibatch's gradient. `descent` has its scale (below
  /// 1 where it is clipped), the decay and the rate. max_norm is enforced afterwards.
  virtual void move(int param, std::span<const float> gradient,
                    const kernels::Descent& descent) = 0;

  void add_product(int param, ConstMatrix a, ConstMatrix b) override;
  void add_sparse_product(int param, const SparseView& a, ConstMatrix b) override;
  void add(int param, std::span<const float> values) override;

  [[nodiscard]] bool is_trained(int param) const {
    return trained_.at(static_cast<size_t>(param)) != 0;
  }
  /// True at the first call for this tensor since begin.
  [[nodiscard]] bool first(int param);
  /// The rules of the tensors that move, in the caller's order.
  [[nodiscard]] std::span<const TensorRule> rules() const { return rules_; }
  [[nodiscard]] const TensorRule& rule(int param) const;
  [[nodiscard]] const Step& step() const { return step_; }
  [[nodiscard]] kernels::Context& context() { return *context_; }
  [[nodiscard]] Matrix weights_matrix(int param) { return params_->matrix(param); }
  [[nodiscard]] std::span<float> weights(int param) { return params_->values(param); }
  /// The state of the i-th prefix.
  [[nodiscard]] std::span<float> state(size_t i, int param) { return state_[i].values(param); }
  [[nodiscard]] Matrix state_matrix(size_t i, int param) { return state_[i].matrix(param); }
  [[nodiscard]] float momentum() const { return static_cast<float>(step_.momentum); }
  [[nodiscard]] kernels::Descent descent(const TensorRule& rule) const;
  /// Begins a step without the buffer.
  void start(const Step& step);
  /// Columns of `param` above the max_norm of its rule are scaled down to it.
  void limit_norm(const TensorRule& rule);

 private:
  [[nodiscard]] double gradient_norm() const;

  ParamSet* params_ = nullptr;
  std::span<ParamSet> state_;
  kernels::Context* context_ = nullptr;
  std::vector<TensorRule> rules_;
  std::vector<int> trained_;  ///< One a tensor: 1 + the place of its rule, 0 where it is frozen.
  std::vector<char> handed_;  ///< One a tensor: whether it got a gradient in this step.
  ParamSet gradient_;         ///< Allocated in the first step that uses it.
  Step step_;
};

}  // namespace superstep::optim
