// The loops of kernels/update.h.
#pragma once

#include "superstep/kernels/math.h"
#include "superstep/kernels/vector/lanes.h"
#include "superstep/kernels/vector/table.h"

namespace superstep::kernels::SUPERSTEP_ISA {

/// l2 w + l1 sign(w).
[[gnu::always_inline]] inline F decay(const Descent& d, F w) {
  const F one = detail::every<F>(1.0F), zero{};
  const F sign = (w > 0.0F ? one : zero) - (w < 0.0F ? one : zero);
  return d.l2 * w + d.l1 * sign;
}

/// g' of update.h: scale g + l2 w + l1 sign(w), added in that order.
[[gnu::always_inline]] inline F descent(const Descent& d, F g, F w) {
  const F one = detail::every<F>(1.0F), zero{};
  const F sign = (w > 0.0F ? one : zero) - (w < 0.0F ? one : zero);
  return d.scale * g + d.l2 * w + d.l1 * sign;
}

inline void descent_step(const Moved& m, const Descent& d) {
  for_lanes(m.count, [&](int64_t i, auto lanes) {
    const F w = lanes.load(m.w + i);
    lanes.store(m.w + i, w - d.rate * descent(d, lanes.load(m.g + i), w));
  });
}

inline void sgd_step(const Moved& m, const Descent& d) {
  for_lanes(m.count, [&](int64_t i, auto lanes) {
    const F w = lanes.load(m.w + i), v = lanes.load(m.first + i) + decay(d, w);
    lanes.store(m.first + i, v);
    lanes.store(m.w + i, w - d.rate * v);
  });
}

inline void momentum_step(const Moved& m, const Descent& d, float momentum) {
  for_lanes(m.count, [&](int64_t i, auto lanes) {
    const F w = lanes.load(m.w + i), g = descent(d, lanes.load(m.g + i), w);
    const F v = momentum * lanes.load(m.first + i) + g;
    lanes.store(m.first + i, v);
    lanes.store(m.w + i, w - d.rate * v);
  });
}

inline void nesterov_step(const Moved& m, const Descent& d, float momentum) {
  for_lanes(m.count, [&](int64_t i, auto lanes) {
    const F w = lanes.load(m.w + i), g = descent(d, lanes.load(m.g + i), w);
    const F v = momentum * lanes.load(m.first + i) + g;
    lanes.store(m.first + i, v);
    lanes.store(m.w + i, w - d.rate * (g + momentum * v));
  });
}

inline void adagrad_step(const Moved& m, const Descent& d, float epsilon) {
  for_lanes(m.count, [&](int64_t i, auto lanes) {
    const F w = lanes.load(m.w + i), g = descent(d, lanes.load(m.g + i), w);
    const F a = lanes.load(m.first + i) + g * g;
    lanes.store(m.first + i, a);
    lanes.store(m.w + i, w - d.rate * g / (square_root(a) + epsilon));
  });
}

inline void rmsprop_step(const Moved& m, const Descent& d, float kept, float epsilon) {
  const float taken = 1.0F - kept;
  for_lanes(m.count, [&](int64_t i, auto lanes) {
    const F w = lanes.load(m.w + i), g = descent(d, lanes.load(m.g + i), w);
    const F a = kept * lanes.load(m.first + i) + taken * (g * g);
    lanes.store(m.first + i, a);
    lanes.store(m.w + i, w - d.rate * g / (square_root(a) + epsilon));
  });
}

inline void adam_step(const Moved& m, const Descent& d, const AdamRule& rule) {
  const float first_taken = 1.0F - rule.first_kept, second_taken = 1.0F - rule.second_kept;
  for_lanes(m.count, [&](int64_t i, auto lanes) {
    const F w = lanes.load(m.w + i), g = descent(d, lanes.load(m.g + i), w);
    const F f = rule.first_kept * lanes.load(m.first + i) + first_taken * g;
    const F a = rule.second_kept * lanes.load(m.second + i) + second_taken * (g * g);
    lanes.store(m.first + i, f);
    lanes.store(m.second + i, a);
    lanes.store(m.w + i, w - d.rate * f / (square_root(a * rule.second_correction) + rule.epsilon));
  });
}

inline double sum_of_squares(const float* x, int64_t count) {
  D sums[kPartials / (kWidth / 2)] = {};
  for_lanes(count, [&](int64_t i, auto lanes) {
    const F v = lanes.load(x + i);
    const D low = low_half(v), high = high_half(v);
    const int64_t at = i % kPartials / (kWidth / 2);
    sums[at] += low * low;
    sums[at + 1] += high * high;
  });
  return fold(sums);
}

// A panel of columns at a time, so that their sums stay in registers or close by.
inline void column_norm_limit(Matrix w, float limit) {
  constexpr int64_t kPanel = 64;
  for (int64_t first = 0; first < w.cols; first += kPanel) {
    float* panel = w.data + first;
    const int64_t cols = w.cols - first < kPanel ? w.cols - first : kPanel;
    float sums[kPanel] = {};
    for (int64_t r = 0; r < w.rows; ++r) {
      const float* row = panel + r * w.stride;
      for_lanes(cols, [&](int64_t j, auto lanes) {
        const F x = lanes.load(row + j);
        Whole::store(sums + j, Whole::load(sums + j) + x * x);
      });
    }
    bool is_above = false;
    for (int64_t j = 0; j < kPanel; j += kWidth) {
      const F s = Whole::load(sums + j);
      const I above = s > limit * limit;
      is_above = is_above || any(above);
      Whole::store(sums + j, above ? limit / square_root(s) : detail::every<F>(1.0F));
    }
    for (int64_t r = 0; is_above && r < w.rows; ++r) {
      float* row = panel + r * w.stride;
      for_lanes(cols, [&](int64_t j, auto lanes) {
        lanes.store(row + j, lanes.load(row + j) * Whole::load(sums + j));
      });
    }
  }
}

}  // namespace superstep::kernels::SUPERSTEP_ISA
