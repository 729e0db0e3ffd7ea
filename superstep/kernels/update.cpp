#include "superstep/kernels/update.h"

#include "superstep/kernels/vector/table.h"

namespace superstep::kernels {
namespace {

int64_t size_of(std::span<float> w, std::span<const float> a, std::span<const float> b) {
  SUPERSTEP_ASSERT(w.size() == a.size() && w.size() == b.size());
  return static_cast<int64_t>(w.size());
}

}  // namespace

void descent_step(std::span<float> w, std::span<const float> g, const Descent& d) {
  table().descent_step({w.data(), nullptr, nullptr, g.data(), size_of(w, g, g)}, d);
}

void sgd_step(std::span<float> w, std::span<float> v, const Descent& d) {
  table().sgd_step({w.data(), v.data(), nullptr, nullptr, size_of(w, v, v)}, d);
}

void momentum_step(std::span<float> w, std::span<float> v, std::span<const float> g,
                   const Descent& d, float momentum) {
  table().momentum_step({w.data(), v.data(), nullptr, g.data(), size_of(w, v, g)}, d, momentum);
}

void nesterov_step(std::span<float> w, std::span<float> v, std::span<const float> g,
                   const Descent& d, float momentum) {
  table().nesterov_step({w.data(), v.data(), nullptr, g.data(), size_of(w, v, g)}, d, momentum);
}

void adagrad_step(std::span<float> w, std::span<float> a, std::span<const float> g,
                  const Descent& d, float epsilon) {
  table().adagrad_step({w.data(), a.data(), nullptr, g.data(), size_of(w, a, g)}, d, epsilon);
}

void rmsprop_step(std::span<float> w, std::span<float> a, std::span<const float> g,
                  const Descent& d, float kept, float epsilon) {
  table().rmsprop_step({w.data(), a.data(), nullptr, g.data(), size_of(w, a, g)}, d, kept, epsilon);
}

void adam_step(std::span<float> w, std::span<float> f, std::span<float> a, std::span<const float> g,
               const Descent& d, const AdamRule& rule) {
  SUPERSTEP_ASSERT(f.size() == w.size());
  table().adam_step({w.data(), f.data(), a.data(), g.data(), size_of(w, a, g)}, d, rule);
}

void scaled_copy(float a, std::span<const float> x, std::span<float> y) {
  const int64_t n = size_of(y, x, x);
  table().scale(a, {x.data(), 1, n}, {y.data(), 1, n});
}

double sum_of_squares(std::span<const float> x) {
  return table().sum_of_squares(x.data(), static_cast<int64_t>(x.size()));
}

void column_norm_limit(Matrix w, float limit) { table().column_norm_limit(w, limit); }

}  // namespace superstep::kernels
