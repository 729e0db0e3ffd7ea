// The sum of softplus over a row, as free energies need it for every hidden unit.
//
//   energy -= sum_softplus(input.row(r));      // sum over j of log(1 + exp(x_j)), in nats
//
// softplus(x) = max(x, 0) + log(1 + exp(-|x|)), and the second part lies in [0, log 2]: so the sum
// of 512 of them is the logarithm of a product of at most 2^512, one logarithm where there were
// 512. The exponential is that of kernels/math.h in float32: absolute error about 1e-7 an element.
#pragma once

#include <span>

namespace superstep::layers {

/// The sum over x of log(1 + exp(x)), in double; 0 for an empty span. NaN stays NaN; no overflow.
double sum_softplus(std::span<const float> x);

}  // namespace superstep::layers
