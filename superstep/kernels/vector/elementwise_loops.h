// The loops of kernels/elementwise.h and kernels/activation.h. Only data, rows, cols and stride of
// a matrix are used here, none of its functions: see lanes.h.
#pragma once

#include "superstep/kernels/math.h"
#include "superstep/kernels/vector/random.h"
#include "superstep/kernels/vector/table.h"

namespace superstep::kernels::SUPERSTEP_ISA {

/// Calls row(x, y) for the beginnings of each pair of rows.
template <class X, class Y, class Row>
[[gnu::always_inline]] inline void for_rows(const X& x, const Y& y, Row row) {
  for (int64_t r = 0; r < x.rows; ++r) row(x.data + r * x.stride, y.data + r * y.stride);
}

inline void scale(float a, ConstMatrix x, Matrix y) {
  for_rows(x, y, [&](const float* from, float* to) {
    for_lanes(x.cols,
              [&](int64_t j, auto lanes) { lanes.store(to + j, a * lanes.load(from + j)); });
  });
}

inline void axpy(float a, const float* x, float* y, int64_t count) {
  for_lanes(count, [&](int64_t j, auto lanes) {
    lanes.store(y + j, lanes.load(y + j) + a * lanes.load(x + j));
  });
}

inline void subtract(ConstMatrix a, ConstMatrix b, Matrix c) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const float *from = a.data + r * a.stride, *taken = b.data + r * b.stride;
    float* to = c.data + r * c.stride;
    for_lanes(a.cols, [&](int64_t j, auto lanes) {
      lanes.store(to + j, lanes.load(from + j) - lanes.load(taken + j));
    });
  }
}

inline void clear(float* sums, int64_t count) {
  for_lanes(count, [&](int64_t j, auto lanes) { lanes.store(sums + j, F{}); });
}

inline void column_sums(ConstMatrix x, float* sums) {
  clear(sums, x.cols);
  for (int64_t r = 0; r < x.rows; ++r) axpy(1.0F, x.data + r * x.stride, sums, x.cols);
}

inline void softmax_rows(Matrix y) {
  for (int64_t r = 0; r < y.rows; ++r) {
    float* row = y.data + r * y.stride;
    float largest = y.cols == 0 ? 0.0F : row[0];
    F largest_lanes = detail::every<F>(largest);
    int64_t j = 0;
    for (; j + kWidth <= y.cols; j += kWidth) {
      const F x = Whole::load(row + j);
      largest_lanes = largest_lanes < x ? x : largest_lanes;
    }
    for (int64_t i = 0; i < kWidth; ++i)
      largest = largest < largest_lanes[i] ? largest_lanes[i] : largest;
    for (; j < y.cols; ++j) largest = largest < row[j] ? row[j] : largest;
    // Element j is added to partial sum j mod 16, as in Partials; in float32.
    F sums[kPartials / kWidth] = {};
    for_lanes(y.cols, [&](int64_t at, auto lanes) {
      const F power = detail::exp<U, F>(lanes.load(row + at) - largest);
      lanes.store(row + at, power);
      // What a part does not hold is read as 0 and must not count.
      sums[at % kPartials / kWidth] += lanes.keep(power);
    });
    const float sum = fold(sums);
    for_lanes(y.cols,
              [&](int64_t at, auto lanes) { lanes.store(row + at, lanes.load(row + at) / sum); });
  }
}

inline double squared_distance(ConstMatrix a, ConstMatrix b) {
  // In double before the difference is taken: it may not fit a float.
  D sums[kPartials / (kWidth / 2)] = {};
  for_rows(a, b, [&](const float* x, const float* y) {
    for_lanes(a.cols, [&](int64_t j, auto lanes) {
      const F p = lanes.load(x + j), q = lanes.load(y + j);
      const D low = low_half(p) - low_half(q), high = high_half(p) - high_half(q);
      const int64_t at = j % kPartials / (kWidth / 2);
      sums[at] += low * low;
      sums[at + 1] += high * high;
    });
  });
  return fold(sums);
}

/// Calls use(f) with the function itself, so that the loops have no switch within.
template <class Use>
[[gnu::always_inline]] inline void with_activation(Activation f, Use use) {
  switch (f) {
    case Activation::kLinear:
      return use([](F x) { return x; });
    case Activation::kSigmoid:
      return use([](F x) { return detail::sigmoid<U, F>(x); });
    case Activation::kTanh:
      return use([](F x) { return detail::tanh<U, F>(x); });
    case Activation::kRelu:  // NaN stays NaN, so that it is found where updates are checked
      return use([](F x) { return x < 0.0F ? F{} : x; });
  }
}

inline void activate(Activation f, const float* bias, Matrix y) {
  with_activation(f, [&](auto function) {
    for (int64_t r = 0; r < y.rows; ++r) {
      float* row = y.data + r * y.stride;
      if (bias == nullptr) {
        for_lanes(y.cols, [&](int64_t j, auto lanes) {
          lanes.store(row + j, function(lanes.load(row + j)));
        });
      } else {
        for_lanes(y.cols, [&](int64_t j, auto lanes) {
          lanes.store(row + j, function(lanes.load(row + j) + lanes.load(bias + j)));
        });
      }
    }
  });
}

/// Calls use(slope) with slope(y, dy), the gradient at the input.
template <class Use>
[[gnu::always_inline]] inline void with_slope(Activation f, Use use) {
  switch (f) {
    case Activation::kLinear:
      return use([](F, F d) { return d; });
    case Activation::kSigmoid:
      return use([](F y, F d) { return d * (y * (1.0F - y)); });
    case Activation::kTanh:
      return use([](F y, F d) { return d * (1.0F - y * y); });
    case Activation::kRelu:
      return use([](F y, F d) { return y == 0.0F ? F{} : d; });
  }
}

inline void activation_backward(Activation f, ConstMatrix y, Matrix dy, float* sums) {
  if (sums != nullptr) clear(sums, y.cols);
  with_slope(f, [&](auto slope) {
    for_rows(y, dy, [&](const float* out, float* d) {
      if (sums == nullptr) {
        for_lanes(y.cols, [&](int64_t j, auto lanes) {
          lanes.store(d + j, slope(lanes.load(out + j), lanes.load(d + j)));
        });
      } else {
        for_lanes(y.cols, [&](int64_t j, auto lanes) {
          const F v = slope(lanes.load(out + j), lanes.load(d + j));
          lanes.store(d + j, v);
          lanes.store(sums + j, lanes.load(sums + j) + v);
        });
      }
    });
  });
}

inline void bias_sigmoid_sample(const float* bias, RowKeys keys, Matrix y, Matrix state) {
  for (int64_t r = 0; r < y.rows; ++r) {
    float *row = y.data + r * y.stride, *drawn = state.data + r * state.stride;
    for_uniform(keys.key, keys.row_numbers[r], y.cols, [&](int64_t j, auto lanes, F u) {
      const F p = detail::sigmoid<U, F>(lanes.load(row + j) + lanes.load(bias + j));
      lanes.store(row + j, p);
      lanes.store(drawn + j, u < p ? detail::every<F>(1.0F) : F{});
    });
  }
}

inline void sample_bernoulli(ConstMatrix p, RowKeys keys, Matrix out) {
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* row = p.data + r * p.stride;
    float* drawn = out.data + r * out.stride;
    for_uniform(keys.key, keys.row_numbers[r], p.cols, [&](int64_t j, auto lanes, F u) {
      lanes.store(drawn + j, u < lanes.load(row + j) ? detail::every<F>(1.0F) : F{});
    });
  }
}

inline void dropout(float limit, float kept, RowKeys keys, ConstMatrix x, Matrix y) {
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* from = x.data + r * x.stride;
    float* to = y.data + r * y.stride;
    for_uniform(keys.key, keys.row_numbers[r], x.cols, [&](int64_t j, auto lanes, F u) {
      lanes.store(to + j, u < limit ? F{} : lanes.load(from + j) * kept);
    });
  }
}

}  // namespace superstep::kernels::SUPERSTEP_ISA
