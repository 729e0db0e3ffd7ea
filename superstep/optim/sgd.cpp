#include "superstep/optim/sgd.h"

#include <algorithm>

#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/matmul.h"
#include "superstep/kernels/sparse.h"

namespace superstep::optim {

void Sgd::bind(ParamSet& params, std::span<ParamSet> state, std::span<const TensorRule> rules,
               kernels::Context& context) {
  BufferedOptimizer::bind(params, state, rules, context);
  velocity_is_zero_ = false;
}

GradSink& Sgd::begin(const Step& step) {
  // Without momentum the velocity is not read, and what training left in it is forgotten.
  if (step.momentum != 0.0) {
    velocity_is_zero_ = false;
  } else if (!velocity_is_zero_) {
    for (const TensorRule& rule : rules()) std::ranges::fill(state(0, rule.param), 0.0F);
    velocity_is_zero_ = true;
  }
  if (step.clip_norm > 0.0) return BufferedOptimizer::begin(step);
  start(step);
  return *this;
}

// Calls product(b, target, beta), which is to make target = a^T b + beta target: the velocity, or
// without momentum the weights, which take a step of b.
template <class Product>
void Sgd::add_to_target(int param, ConstMatrix b, Product product) {
  const bool is_first = first(param);
  if (momentum() != 0.0F) return product(b, state_matrix(0, param), is_first ? momentum() : 1.0F);
  if (is_first) decay_weights(rule(param));
  const kernels::Scratch memory = context().scratch(b.rows * b.cols);
  const Matrix scaled = memory.matrix(b.rows, b.cols);
  kernels::scale(-descent(rule(param)).rate, b, scaled);
  product(scaled, weights_matrix(param), 1.0F);
}

void Sgd::add_product(int param, ConstMatrix a, ConstMatrix b) {
  if (clips()) return BufferedOptimizer::add_product(param, a, b);
  if (!is_trained(param)) return;
  using kernels::Op;
  add_to_target(param, b, [&](ConstMatrix step, Matrix target, float beta) {
    kernels::matmul(context(), a, Op::kTransposed, step, Op::kPlain, target, beta);
  });
}

void Sgd::add_sparse_product(int param, const SparseView& a, ConstMatrix b) {
  if (clips()) return BufferedOptimizer::add_sparse_product(param, a, b);
  if (!is_trained(param)) return;
  add_to_target(param, b, [&](ConstMatrix step, Matrix target, float beta) {
    kernels::matmul(context(), a, kernels::Op::kTransposed, step, target, beta);
  });
}

void Sgd::add(int param, std::span<const float> values) {
  if (clips()) return BufferedOptimizer::add(param, values);
  if (!is_trained(param)) return;
  const bool is_first = first(param);
  if (momentum() != 0.0F) {
    if (is_first) decay_velocity(param);
    return kernels::axpy(1.0F, values, state(0, param));
  }
  if (is_first) decay_weights(rule(param));
  kernels::axpy(-descent(rule(param)).rate, values, weights(param));
}

void Sgd::end() {
  if (clips()) return BufferedOptimizer::end();
  for (const TensorRule& rule : rules()) {
    const bool untouched = first(rule.param);
    if (momentum() != 0.0F) {
      if (untouched) decay_velocity(rule.param);
      kernels::sgd_step(weights(rule.param), state(0, rule.param), descent(rule));
    } else if (untouched) {
      decay_weights(rule);
    }
    limit_norm(rule);
  }
}

// A step that clips.
void Sgd::move(int param, std::span<const float> gradient, const kernels::Descent& descent) {
  if (momentum() == 0.0F)
    kernels::descent_step(weights(param), gradient, descent);
  else
    kernels::momentum_step(weights(param), state(0, param), gradient, descent, momentum());
}

// v = m v, before the first sum of a step; a first product does it by itself.
void Sgd::decay_velocity(int param) {
  for (float& v : state(0, param)) v *= momentum();
}

// w = w - lr (l2 w + l1 sign(w)), before the first gradient of a step without momentum moves w.
void Sgd::decay_weights(const TensorRule& rule) {
  if (rule.l1 == 0.0 && rule.l2 == 0.0) return;
  const double rate = step().learning_rate * rule.rate;
  const auto kept = static_cast<float>(1.0 - rate * rule.l2);
  const auto taken = static_cast<float>(rate * rule.l1);
  for (float& w : weights(rule.param)) {
    const float sign = static_cast<float>(w > 0) - static_cast<float>(w < 0);
    w = kept * w - taken * sign;
  }
}

}  // namespace superstep::optim
