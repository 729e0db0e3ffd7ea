#include "superstep/optim/sgd.h"

#include <algorithm>

#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/matmul.h"

namespace superstep::optim {

void Sgd::bind(ParamSet& params, std::span<ParamSet> state, std::span<const int> trained,
               kernels::Context& context) {
  SUPERSTEP_ASSERT(state.size() == 1 && state[0].layout().size() == params.layout().size());
  params_ = &params;
  velocity_ = &state[0];
  context_ = &context;
  velocity_is_zero_ = false;
  trained_.assign(trained.begin(), trained.end());
  is_trained_.assign(static_cast<size_t>(params.layout().size()), false);
  decayed_ = is_trained_;
  for (const int param : trained) is_trained_.at(static_cast<size_t>(param)) = true;
}

GradSink& Sgd::begin(const Step& step) {
  SUPERSTEP_ASSERT(params_ != nullptr);
  step_ = step;
  decayed_.assign(decayed_.size(), false);
  const auto momentum = static_cast<float>(step.momentum);
  if (momentum == 0.0F && velocity_is_zero_) return *this;
  velocity_is_zero_ = momentum == 0.0F;
  for (const int param : trained_) {
    const std::span<float> v = velocity_->values(param);
    if (velocity_is_zero_) {
      std::ranges::fill(v, 0.0F);
      continue;
    }
    // v = m v + l2 w; the gradient follows.
    for (float& value : v) value *= momentum;
    if (step.l2 != 0.0 && params_->layout().spec(param).shape.rank() == 2)
      kernels::axpy(static_cast<float>(step.l2), params_->values(param), v);
  }
  return *this;
}

// w = w - lr l2 w, before the first gradient of the step moves w.
void Sgd::decay_once(int param) {
  const auto i = static_cast<size_t>(param);
  if (decayed_[i]) return;
  decayed_[i] = true;
  if (step_.l2 == 0.0 || params_->layout().spec(param).shape.rank() != 2) return;
  const auto kept = static_cast<float>(1.0 - step_.learning_rate * step_.l2);
  for (float& w : params_->values(param)) w *= kept;
}

void Sgd::add_product(int param, ConstMatrix a, ConstMatrix b) {
  if (!is_trained_.at(static_cast<size_t>(param))) return;
  using kernels::Op;
  if (step_.momentum != 0.0) {
    kernels::matmul(*context_, a, Op::kTransposed, b, Op::kPlain, velocity_->matrix(param), 1);
    return;
  }
  decay_once(param);
  const kernels::Scratch memory = context_->scratch(b.rows * b.cols);
  const Matrix scaled = memory.matrix(b.rows, b.cols);
  kernels::scale(static_cast<float>(-step_.learning_rate), b, scaled);
  kernels::matmul(*context_, a, Op::kTransposed, scaled, Op::kPlain, params_->matrix(param), 1);
}

void Sgd::add(int param, std::span<const float> values) {
  if (!is_trained_.at(static_cast<size_t>(param))) return;
  if (step_.momentum != 0.0) return kernels::axpy(1.0F, values, velocity_->values(param));
  decay_once(param);
  kernels::axpy(static_cast<float>(-step_.learning_rate), values, params_->values(param));
}

void Sgd::end() {
  for (const int param : trained_) {
    if (step_.momentum == 0.0) {
      decay_once(param);
      continue;
    }
    kernels::axpy(static_cast<float>(-step_.learning_rate), velocity_->values(param),
                  params_->values(param));
  }
}

void Sgd::unbind() {
  params_ = nullptr;
  velocity_ = nullptr;
  context_ = nullptr;
}

}  // namespace superstep::optim
