// exp and tanh for float32, in plain arithmetic: the same bits with any C library and any width of
// vectors, and a loop over them is one that the compiler vectorises.
//
// Coefficients: Cephes (Moshier 1984 to 2000), expf and tanhf. Error below 2 units in the last
// place. Round to nearest is assumed, as everywhere.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace superstep::kernels {

/// exp(x). Below -87.3 it stays at the smallest normal number, above 88.3 near the largest finite
/// one; NaN stays NaN.
inline float exp(float x) {
  constexpr float kLowest = -87.3F, kHighest = 88.3F;
  constexpr float kLog2E = 1.44269504F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves the nearest integer below
  x = x < kLowest ? kLowest : x;
  x = x > kHighest ? kHighest : x;
  const float shifted = x * kLog2E + kRound;
  const float n = shifted - kRound;  // exp(x) = 2^n exp(r), |r| <= ln(2) / 2
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  // The low bits of `shifted` are n: moved to where the exponent is, plus those of 1.0.
  const uint32_t power = (std::bit_cast<uint32_t>(shifted) << 23) + 0x3F800000U;
  return p * std::bit_cast<float>(power);
}

/// 1 / (1 + exp(-x)).
inline float sigmoid(float x) { return 1.0F / (1.0F + exp(-x)); }

inline float tanh(float x) {
  constexpr float kSmall = 0.625F;  // below it, 1 - 2 / (exp(2x) + 1) would cancel
  const float z = x * x;
  float p = -5.70498872745e-3F;
  p = p * z + 2.06390887954e-2F;
  p = p * z - 5.37397155531e-2F;
  p = p * z + 1.33314422036e-1F;
  p = p * z - 3.33332819422e-1F;
  const float near_zero = p * z * x + x;
  const float magnitude = std::fabs(x);
  const float far = std::copysign(1.0F - 2.0F / (exp(2.0F * magnitude) + 1.0F), x);
  return magnitude < kSmall ? near_zero : far;
}

}  // namespace superstep::kernels
