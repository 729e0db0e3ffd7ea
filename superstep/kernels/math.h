// exp, sigmoid and tanh for float32, in plain arithmetic: the same bits with any C library and any
// width of vectors. Each is written once, for a float and for vectors of floats (F, with U the
// unsigned integers of its size), so that a loop's vectors and a single number agree.
//
// Coefficients: Cephes (Moshier 1984 to 2000), expf and tanhf. Error below 2 units in the last
// place. Round to nearest is assumed, as everywhere.
#pragma once

#include <cstdint>

namespace superstep::kernels {
namespace detail {

/// A constant as a float or in every element of a vector.
template <class F>
[[gnu::always_inline]] inline F every(float value) {
  return F{} + value;
}

template <class U, class F>
[[gnu::always_inline]] inline F exp(F x) {
  constexpr float kLog2E = 1.44269504F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves the nearest integer below
  const F lowest = every<F>(-87.3F), highest = every<F>(88.3F);
  x = x < lowest ? lowest : x;
  x = x > highest ? highest : x;
  const F shifted = x * kLog2E + kRound;
  const F n = shifted - kRound;  // exp(x) = 2^n exp(r), |r| <= ln(2) / 2
  const F r = (x - n * kLn2High) - n * kLn2Low;
  F p = every<F>(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  // The low bits of `shifted` are n: moved to where the exponent is, plus those of 1.0.
  const U power = (__builtin_bit_cast(U, shifted) << 23) + 0x3F800000U;
  return p * __builtin_bit_cast(F, power);
}

template <class U, class F>
[[gnu::always_inline]] inline F sigmoid(F x) {
  return 1.0F / (1.0F + exp<U, F>(-x));
}

template <class U, class F>
[[gnu::always_inline]] inline F tanh(F x) {
  constexpr uint32_t kSign = 0x80000000U;
  const F small = every<F>(0.625F);  // below it, 1 - 2 / (exp(2x) + 1) would cancel
  const F z = x * x;
  F p = every<F>(-5.70498872745e-3F);
  p = p * z + 2.06390887954e-2F;
  p = p * z - 5.37397155531e-2F;
  p = p * z + 1.33314422036e-1F;
  p = p * z - 3.33332819422e-1F;
  const F near_zero = p * z * x + x;
  const U bits = __builtin_bit_cast(U, x);
  const F magnitude = __builtin_bit_cast(F, bits & ~kSign);
  const F far = 1.0F - 2.0F / (exp<U, F>(2.0F * magnitude) + 1.0F);
  const F signed_far =
      __builtin_bit_cast(F, (__builtin_bit_cast(U, far) & ~kSign) | (bits & kSign));
  return magnitude < small ? near_zero : signed_far;
}

}  // namespace detail

/// exp(x). Below -87.3 it stays at the smallest normal number, above 88.3 near the largest finite
/// one; NaN stays NaN.
inline float exp(float x) { return detail::exp<uint32_t>(x); }
/// 1 / (1 + exp(-x)).
inline float sigmoid(float x) { return detail::sigmoid<uint32_t>(x); }
inline float tanh(float x) { return detail::tanh<uint32_t>(x); }

}  // namespace superstep::kernels
