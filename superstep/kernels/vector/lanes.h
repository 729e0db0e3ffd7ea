// A vector of floats of the instruction set that this file is compiled for, and how a row is cut
// into vectors.
//
//   for_lanes(count, [&](int64_t j, auto lanes) {
//     lanes.store(y + j, a * lanes.load(x + j));      // the last vector of a row may be a part
//   });
//
// Included by portable.cpp, avx2.cpp and avx512.cpp alone, which set SUPERSTEP_ISA, the namespace:
// the three must share no function. Arithmetic is the compiler's own on vectors (+ - * / < ?: &
// <<); what it lacks is at the end of each section below.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace superstep::kernels::SUPERSTEP_ISA {

#if defined(__AVX512F__)
inline constexpr int64_t kWidth = 16;
#elif defined(__AVX2__)
inline constexpr int64_t kWidth = 8;
#else
inline constexpr int64_t kWidth = 4;
#endif

typedef float F __attribute__((vector_size(4 * kWidth)));
typedef uint32_t U __attribute__((vector_size(4 * kWidth)));
typedef int32_t I __attribute__((vector_size(4 * kWidth)));
typedef uint64_t W __attribute__((vector_size(4 * kWidth)));  // kWidth / 2 of them
typedef double D __attribute__((vector_size(4 * kWidth)));    // kWidth / 2 of them

// Unaligned, and free to lie over memory of other types.
typedef float AnyF __attribute__((vector_size(4 * kWidth), aligned(4), may_alias));

#if defined(__AVX512F__)

inline F load_first(const float* p, int64_t n) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1U), p);
}
inline void store_first(float* p, F v, int64_t n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1U), v);
}
inline F square_root(F x) { return _mm512_sqrt_ps(x); }
inline D low_half(F x) { return _mm512_cvtps_pd(_mm512_castps512_ps256(x)); }
inline D high_half(F x) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)); }
// The products of the low halves of the elements, whole.
inline W multiply_low(W a, W b) {
  return reinterpret_cast<W>(
      _mm512_mul_epu32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
}
// Whether an element of a mask (a comparison's result) is set.
inline bool any(I mask) {
  return _mm512_test_epi32_mask(reinterpret_cast<__m512i>(mask), reinterpret_cast<__m512i>(mask)) !=
         0;
}

#elif defined(__AVX2__)

inline __m256i first(int64_t n) {
  static constexpr int32_t kMasks[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMasks + (kWidth - n)));
}
inline F load_first(const float* p, int64_t n) { return _mm256_maskload_ps(p, first(n)); }
inline void store_first(float* p, F v, int64_t n) { _mm256_maskstore_ps(p, first(n), v); }
inline F square_root(F x) { return _mm256_sqrt_ps(x); }
inline D low_half(F x) { return _mm256_cvtps_pd(_mm256_castps256_ps128(x)); }
inline D high_half(F x) { return _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)); }
inline W multiply_low(W a, W b) {
  return reinterpret_cast<W>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
}
inline bool any(I mask) { return _mm256_movemask_ps(reinterpret_cast<__m256>(mask)) != 0; }

#else

inline F load_first(const float* p, int64_t n) {
  F v{};
  for (int64_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
inline void store_first(float* p, F v, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = v[i];
}
inline F square_root(F x) { return _mm_sqrt_ps(x); }
inline D low_half(F x) { return _mm_cvtps_pd(x); }
inline D high_half(F x) { return _mm_cvtps_pd(_mm_movehl_ps(x, x)); }
inline W multiply_low(W a, W b) {
  return reinterpret_cast<W>(
      _mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
}
inline bool any(I mask) { return _mm_movemask_ps(reinterpret_cast<__m128>(mask)) != 0; }

#endif

/// A whole vector of a row.
struct Whole {
  static F load(const float* p) { return *reinterpret_cast<const AnyF*>(p); }
  static void store(float* p, F v) { *reinterpret_cast<AnyF*>(p) = v; }
  static F keep(F v) { return v; }
};

/// The first `count` elements of a vector; the others are read as 0 and not written.
struct Part {
  int64_t count;
  [[nodiscard]] F load(const float* p) const { return load_first(p, count); }
  void store(float* p, F v) const { store_first(p, v, count); }
  /// v with zeros beyond the part.
  [[nodiscard]] F keep(F v) const {
    float kept[kWidth] = {};
    store_first(kept, v, count);
    return Whole::load(kept);
  }
};

/// Calls body(j, lanes) for the vector that begins at element j.
template <class Body>
[[gnu::always_inline]] inline void for_lanes(int64_t count, Body body) {
  int64_t j = 0;
  for (; j + kWidth <= count; j += kWidth) body(j, Whole{});
  if (j < count) body(j, Part{count - j});
}

/// Sums over a row go to 16 partial sums, element j to that of j mod 16, whatever the width; these
/// are added in pairs: the i-th and the (i + 8)-th, then the i-th and the (i + 4)-th, and so on.
inline constexpr int64_t kPartials = 16;

/// The total of partial sums in vectors of V, one behind another.
template <class V, int64_t kCount>
inline auto fold(const V (&vectors)[kCount]) {
  constexpr int64_t kEach = kPartials / kCount;
  decltype(V{}[0] + V{}[0]) sums[kPartials];
  for (int64_t i = 0; i < kPartials; ++i) sums[i] = vectors[i / kEach][i % kEach];
  for (int64_t half = kPartials / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i) sums[i] += sums[i + half];
  return sums[0];
}

}  // namespace superstep::kernels::SUPERSTEP_ISA
