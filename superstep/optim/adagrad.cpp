#include "superstep/optim/adagrad.h"

#include <algorithm>
#include <cmath>

#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/matmul.h"

namespace superstep::optim {
namespace {
constexpr float kEpsilon = 1e-6F;
}

void AdaGrad::bind(ParamSet& params, std::span<ParamSet> state, std::span<const int> trained,
                   kernels::Context& context) {
  SUPERSTEP_ASSERT(state.size() == 1 && state[0].layout().size() == params.layout().size());
  params_ = &params;
  squares_ = &state[0];
  context_ = &context;
  trained_.assign(trained.begin(), trained.end());
  is_trained_.assign(static_cast<size_t>(params.layout().size()), false);
  for (const int param : trained) is_trained_.at(static_cast<size_t>(param)) = true;
  if (gradient_.shared_layout() != params.shared_layout())
    gradient_ = ParamSet(params.shared_layout());
  for (const int param : trained_)
    for (float& r : squares_->values(param)) r *= r;
}

GradSink& AdaGrad::begin(const Step& step) {
  SUPERSTEP_ASSERT(params_ != nullptr);
  step_ = step;
  for (const int param : trained_) {
    const std::span<float> g = gradient_.values(param);
    std::ranges::fill(g, 0.0F);
    if (step.l2 != 0.0 && params_->layout().spec(param).shape.rank() == 2)
      kernels::axpy(static_cast<float>(step.l2), params_->values(param), g);
  }
  return *this;
}

void AdaGrad::add_product(int param, ConstMatrix a, ConstMatrix b) {
  if (!is_trained_.at(static_cast<size_t>(param))) return;
  kernels::matmul(*context_, a, kernels::Op::kTransposed, b, kernels::Op::kPlain,
                  gradient_.matrix(param), 1);
}

void AdaGrad::add(int param, std::span<const float> values) {
  if (!is_trained_.at(static_cast<size_t>(param))) return;
  kernels::axpy(1.0F, values, gradient_.values(param));
}

void AdaGrad::end() {
  const auto rate = static_cast<float>(step_.learning_rate);
  for (const int param : trained_) {
    const std::span<const float> g = gradient_.values(param);
    const std::span<float> a = squares_->values(param), w = params_->values(param);
    for (size_t i = 0; i < g.size(); ++i) {
      a[i] += g[i] * g[i];
      w[i] -= rate * g[i] / (std::sqrt(a[i]) + kEpsilon);
    }
  }
}

void AdaGrad::unbind() {
  for (const int param : trained_)
    for (float& a : squares_->values(param)) a = std::sqrt(a);
  params_ = nullptr;
  squares_ = nullptr;
  context_ = nullptr;
}

}  // namespace superstep::optim
