#include "superstep/optim/buffered.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/matmul.h"
#include "superstep/kernels/sparse.h"

namespace superstep::optim {

void BufferedOptimizer::bind(ParamSet& params, std::span<ParamSet> state,
                             std::span<const TensorRule> rules, kernels::Context& context) {
  const std::vector<std::string> prefixes = state_prefixes();
  SUPERSTEP_ASSERT(state.size() == prefixes.size());
  params_ = &params;
  state_ = state;
  context_ = &context;
  rules_.clear();
  trained_.assign(static_cast<size_t>(params.layout().size()), 0);
  handed_.assign(trained_.size(), 0);
  for (const TensorRule& rule : rules) {
    if (rule.rate == 0.0) continue;
    int& place = trained_.at(static_cast<size_t>(rule.param));
    SUPERSTEP_ASSERT(place == 0);
    rules_.push_back(rule);
    place = static_cast<int>(rules_.size());
  }
  for (size_t i = 0; i < prefixes.size(); ++i) {
    SUPERSTEP_ASSERT(state[i].layout().size() == params.layout().size());
    if (prefixes[i] != kRoot) continue;
    for (const TensorRule& rule : rules_)
      for (float& r : state[i].values(rule.param)) r *= r;
  }
}

void BufferedOptimizer::start(const Step& step) {
  SUPERSTEP_ASSERT(params_ != nullptr);
  step_ = step;
  std::ranges::fill(handed_, 0);
}

GradSink& BufferedOptimizer::begin(const Step& step) {
  start(step);
  if (gradient_.shared_layout() != params_->shared_layout())
    gradient_ = ParamSet(params_->shared_layout());
  return *this;
}

bool BufferedOptimizer::first(int param) {
  return std::exchange(handed_[static_cast<size_t>(param)], 1) == 0;
}

const TensorRule& BufferedOptimizer::rule(int param) const {
  return rules_[static_cast<size_t>(trained_[static_cast<size_t>(param)] - 1)];
}

void BufferedOptimizer::add_product(int param, ConstMatrix a, ConstMatrix b) {
  if (!is_trained(param)) return;
  kernels::matmul(*context_, a, kernels::Op::kTransposed, b, kernels::Op::kPlain,
                  gradient_.matrix(param), first(param) ? 0.0F : 1.0F);
}

void BufferedOptimizer::add_sparse_product(int param, const SparseView& a, ConstMatrix b) {
  if (!is_trained(param)) return;
  kernels::matmul(*context_, a, kernels::Op::kTransposed, b, gradient_.matrix(param),
                  first(param) ? 0.0F : 1.0F);
}

void BufferedOptimizer::add(int param, std::span<const float> values) {
  if (!is_trained(param)) return;
  const std::span<float> g = gradient_.values(param);
  SUPERSTEP_ASSERT(values.size() == g.size());
  if (first(param))
    std::ranges::copy(values, g.begin());
  else
    kernels::axpy(1.0F, values, g);
}

double BufferedOptimizer::gradient_norm() const {
  double sum = 0;
  for (const TensorRule& rule : rules_)
    sum += kernels::sum_of_squares(gradient_.values(rule.param));
  return std::sqrt(sum);
}

kernels::Descent BufferedOptimizer::descent(const TensorRule& rule) const {
  return {.rate = static_cast<float>(step_.learning_rate * rule.rate),
          .l1 = static_cast<float>(rule.l1),
          .l2 = static_cast<float>(rule.l2)};
}

void BufferedOptimizer::end() {
  for (const TensorRule& rule : rules_)
    if (first(rule.param)) std::ranges::fill(gradient_.values(rule.param), 0.0F);
  float scale = 1;
  if (step_.clip_norm > 0.0) {
    const double norm = gradient_norm();
    // A gradient that is not finite stays so, and is found.
    if (norm > step_.clip_norm) scale = static_cast<float>(step_.clip_norm / norm);
  }
  for (const TensorRule& rule : rules_) {
    kernels::Descent clipped = descent(rule);
    clipped.scale = scale;
    move(rule.param, gradient_.values(rule.param), clipped);
    limit_norm(rule);
  }
}

void BufferedOptimizer::limit_norm(const TensorRule& rule) {
  if (rule.max_norm == 0.0) return;
  kernels::column_norm_limit(params_->matrix(rule.param), static_cast<float>(rule.max_norm));
}

void BufferedOptimizer::unbind() {
  const std::vector<std::string> prefixes = state_prefixes();
  for (size_t i = 0; i < prefixes.size(); ++i) {
    if (prefixes[i] != kRoot) continue;
    for (const TensorRule& rule : rules_)
      for (float& a : state_[i].values(rule.param)) a = std::sqrt(a);
  }
  params_ = nullptr;
  state_ = {};
  context_ = nullptr;
}

}  // namespace superstep::optim
