// GFLOP/s of fused multiply-adds without memory, the best of ten tries on one thread: the peak of
// the core.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <chrono>

namespace superstep::bench {

[[gnu::target("avx512f")]] inline double peak_avx512() {
  __m512 sums[16] = {};
  const __m512 x = _mm512_set1_ps(0.5F);
  double best = 0;
  for (int attempt = 0; attempt < 10; ++attempt) {
    constexpr int kTimes = 200'000;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kTimes; ++i) {
#pragma GCC unroll 16
      for (auto& s : sums) s = _mm512_fmadd_ps(s, x, x);
    }
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    best = std::max(best, 16.0 * 32 * kTimes / time.count() * 1e-9);
  }
  for (auto& s : sums) asm volatile("" : : "v"(s));
  return best;
}
[[gnu::target("avx2,fma")]] inline double peak_avx2() {
  __m256 sums[12] = {};
  const __m256 x = _mm256_set1_ps(0.5F);
  double best = 0;
  for (int attempt = 0; attempt < 10; ++attempt) {
    constexpr int kTimes = 200'000;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kTimes; ++i) {
#pragma GCC unroll 12
      for (auto& s : sums) s = _mm256_fmadd_ps(s, x, x);
    }
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    best = std::max(best, 12.0 * 16 * kTimes / time.count() * 1e-9);
  }
  for (auto& s : sums) asm volatile("" : : "x"(s));
  return best;
}
// 0 where the processor has no fused multiply-add.
inline double peak() {
  static const double peak = __builtin_cpu_supports("avx512f") != 0 ? peak_avx512()
                             : __builtin_cpu_supports("fma") != 0   ? peak_avx2()
                                                                    : 0.0;
  return peak;
}

}  // namespace superstep::bench
