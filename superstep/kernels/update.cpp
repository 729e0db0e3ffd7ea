#include "superstep/kernels/update.h"

#include "superstep/kernels/split.h"
#include "superstep/kernels/vector/table.h"

namespace superstep::kernels {
namespace {

int64_t size_of(std::span<float> w, std::span<const float> a, std::span<const float> b) {
  SUPERSTEP_ASSERT(w.size() == a.size() && w.size() == b.size());
  return static_cast<int64_t>(w.size());
}

// Calls step(moved) for parts of a tensor.
template <class Step>
void split_moved(const Moved& m, const Step& step) {
  const auto from = [](auto* pointer, int64_t begin) {
    return pointer == nullptr ? nullptr : pointer + begin;
  };
  split_elements(m.count, [&](const Part& part) {
    const int64_t begin = part.begin;
    step(Moved{m.w + begin, from(m.first, begin), from(m.second, begin), from(m.g, begin),
               part.end - begin});
  });
}

}  // namespace

void descent_step(std::span<float> w, std::span<const float> g, const Descent& d) {
  split_moved({w.data(), nullptr, nullptr, g.data(), size_of(w, g, g)},
              [&](const Moved& part) { table().descent_step(part, d); });
}

void sgd_step(std::span<float> w, std::span<float> v, const Descent& d) {
  split_moved({w.data(), v.data(), nullptr, nullptr, size_of(w, v, v)},
              [&](const Moved& part) { table().sgd_step(part, d); });
}

void momentum_step(std::span<float> w, std::span<float> v, std::span<const float> g,
                   const Descent& d, float momentum) {
  split_moved({w.data(), v.data(), nullptr, g.data(), size_of(w, v, g)},
              [&](const Moved& part) { table().momentum_step(part, d, momentum); });
}

void nesterov_step(std::span<float> w, std::span<float> v, std::span<const float> g,
                   const Descent& d, float momentum) {
  split_moved({w.data(), v.data(), nullptr, g.data(), size_of(w, v, g)},
              [&](const Moved& part) { table().nesterov_step(part, d, momentum); });
}

void adagrad_step(std::span<float> w, std::span<float> a, std::span<const float> g,
                  const Descent& d, float epsilon) {
  split_moved({w.data(), a.data(), nullptr, g.data(), size_of(w, a, g)},
              [&](const Moved& part) { table().adagrad_step(part, d, epsilon); });
}

void rmsprop_step(std::span<float> w, std::span<float> a, std::span<const float> g,
                  const Descent& d, float kept, float epsilon) {
  split_moved({w.data(), a.data(), nullptr, g.data(), size_of(w, a, g)},
              [&](const Moved& part) { table().rmsprop_step(part, d, kept, epsilon); });
}

void adam_step(std::span<float> w, std::span<float> f, std::span<float> a, std::span<const float> g,
               const Descent& d, const AdamRule& rule) {
  SUPERSTEP_ASSERT(f.size() == w.size());
  split_moved({w.data(), f.data(), a.data(), g.data(), size_of(w, a, g)},
              [&](const Moved& part) { table().adam_step(part, d, rule); });
}

void scaled_copy(float a, std::span<const float> x, std::span<float> y) {
  const int64_t n = size_of(y, x, x);
  split_matrices([&](ConstMatrix from, Matrix to) { table().scale(a, from, to); },
                 ConstMatrix(x.data(), 1, n), Matrix(y.data(), 1, n));
}

double sum_of_squares(std::span<const float> x) {
  return table().sum_of_squares(x.data(), static_cast<int64_t>(x.size()));
}

void column_norm_limit(Matrix w, float limit) {
  split_columns(w, [&](const Part& part) {
    table().column_norm_limit(w.col_range(part.begin, part.end), limit);
  });
}

}  // namespace superstep::kernels
