// The loops of kernels/sparse.h.
#pragma once

#include "superstep/kernels/vector/lanes.h"
#include "superstep/kernels/vector/table.h"

namespace superstep::kernels::SUPERSTEP_ISA {

inline int64_t compress(const float* x, int64_t count, int32_t* columns, float* values) {
  int64_t n = 0;
#if defined(__AVX512F__)
  const __m512i step = _mm512_set1_epi32(static_cast<int>(kWidth));
  __m512i column = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for_lanes(count, [&](int64_t j, auto lanes) {
    const __m512 v = lanes.load(x + j);
    // Not equal, or not a number. What a part does not hold is 0.
    const __mmask16 held = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
    _mm512_storeu_ps(values + n, _mm512_maskz_compress_ps(held, v));
    _mm512_storeu_si512(columns + n, _mm512_maskz_compress_epi32(held, column));
    n += __builtin_popcount(held);
    column = _mm512_add_epi32(column, step);
  });
#else
  for (int64_t j = 0; j < count; ++j) {
    columns[n] = static_cast<int32_t>(j);
    values[n] = x[j];
    n += x[j] != 0.0F ? 1 : 0;
  }
#endif
  return n;
}

/// The part of a row of a that falls into a block: columns and values, and how many.
struct Run {
  const int32_t* columns;
  const float* values;
  int64_t count;
};

/// kVectors vectors of a row of c += run x the same columns of b.
template <int kVectors, class Lanes>
[[gnu::always_inline]] inline void add_run(const Run& run, const float* b, int64_t stride, float* c,
                                           const float* factor, Lanes last) {
  F sums[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    float* at = c + v * kWidth;
    if (factor == nullptr)
      sums[v] = v + 1 < kVectors ? Whole::load(at) : last.load(at);
    else if (*factor == 0.0F)  // what stood there may be anything
      sums[v] = F{};
    else
      sums[v] = *factor * (v + 1 < kVectors ? Whole::load(at) : last.load(at));
  }
  for (int64_t i = 0; i < run.count; ++i) {
    const float* row = b + run.columns[i] * stride;
    const float value = run.values[i];
    for (int v = 0; v < kVectors; ++v)
      sums[v] +=
          value * (v + 1 < kVectors ? Whole::load(row + v * kWidth) : last.load(row + v * kWidth));
  }
  for (int v = 0; v + 1 < kVectors; ++v) Whole::store(c + v * kWidth, sums[v]);
  last.store(c + (kVectors - 1) * kWidth, sums[kVectors - 1]);
}

// A panel is 32, 64 or 128 columns. Its sums stay in registers.
inline constexpr int kPanelVectors = 8;

/// A panel of c for one block of the columns of a: `ranges` says where it begins and ends in each
/// row.
template <int kVectors, class Lanes>
inline void add_panel(const SparseView& a, const int64_t* ranges, const float* b, int64_t stride,
                      Matrix c, int64_t column, const float* factor, Lanes last) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const int64_t begin = ranges[2 * r], end = ranges[2 * r + 1];
    if (begin == end && factor == nullptr) continue;
    add_run<kVectors>({a.columns + begin, a.values + begin, end - begin}, b + column, stride,
                      c.data + r * c.stride + column, factor, last);
  }
}

/// The last panel, of `kVectors` vectors or fewer.
template <int kVectors>
inline void add_last_panel(const SparseView& a, const int64_t* ranges, const float* b,
                           int64_t stride, Matrix c, int64_t column, const float* factor) {
  const int64_t left = c.cols - column;
  if constexpr (kVectors > 1) {
    if (left <= (kVectors - 1) * kWidth)
      return add_last_panel<kVectors - 1>(a, ranges, b, stride, c, column, factor);
  }
  const int64_t rest = left - (kVectors - 1) * kWidth;
  if (rest == kWidth)
    add_panel<kVectors>(a, ranges, b, stride, c, column, factor, Whole{});
  else
    add_panel<kVectors>(a, ranges, b, stride, c, column, factor, Part{rest});
}

/// Each element of c is a sum over the columns of a from the first to the last, in one accumulator,
/// a multiplication and an addition each: blocks and vectors change no bit. A block of rows of b
/// that are used often is small enough for the first-level cache.
inline void sparse_matmul(const SparseView& a, ConstMatrix b, Matrix c, float beta,
                          int64_t* ranges) {
  constexpr int64_t kPanel = kPanelVectors * kWidth;
  constexpr int64_t kCacheFloats = 7168;  // 28 KiB
  constexpr int64_t kBlock = kCacheFloats / kPanel;
  constexpr int64_t kShortRun = 6;
  const int64_t count = a.offsets[a.rows] - a.offsets[0];
  // Each block begins and ends a run in every row, which has to be worth it.
  const bool is_whole = a.cols <= 2 * kBlock || count < kShortRun * a.rows * (a.cols / kBlock);
  const int64_t block = is_whole ? a.cols : kBlock;
  for (int64_t r = 0; r < a.rows; ++r) ranges[2 * r + 1] = a.offsets[r];
  int64_t k = 0;
  do {
    for (int64_t r = 0; r < a.rows; ++r) {
      int64_t end = ranges[2 * r + 1];
      ranges[2 * r] = end;
      if (k + block >= a.cols)
        end = a.offsets[r + 1];
      else
        while (end < a.offsets[r + 1] && a.columns[end] < k + block) ++end;
      ranges[2 * r + 1] = end;
    }
    const float* factor = k == 0 && beta != 1.0F ? &beta : nullptr;
    int64_t j = 0;
    for (; j + kPanel <= c.cols; j += kPanel)
      add_panel<kPanelVectors>(a, ranges, b.data, b.stride, c, j, factor, Whole{});
    if (j < c.cols) add_last_panel<kPanelVectors>(a, ranges, b.data, b.stride, c, j, factor);
    k += block;
  } while (k < a.cols);
}

}  // namespace superstep::kernels::SUPERSTEP_ISA
