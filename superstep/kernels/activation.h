// What a layer does beside its matrix product, each in one pass over the rows.
//
//   bias_activate(Activation::kSigmoid, bias, y);               // y = sigmoid(y + bias)
//   bias_sigmoid_sample(bias, key, row_numbers, y, state);      // and state = 1 with probability y
//   activation_backward(Activation::kSigmoid, y, dy, sums);     // dy *= y (1 - y); the bias'
//   gradient dropout(0.2, key, row_numbers, y, y);                       // inverted dropout
//
// As in elementwise.h a row's results do not depend on the rows beside it, nor on the width of
// vectors; sums run from the first row to the last.
#pragma once

#include <span>

#include "superstep/base/rng.h"
#include "superstep/tensor/tensor.h"

namespace superstep::kernels {

enum class Activation { kLinear, kSigmoid, kTanh, kRelu };

/// y = f(y + bias), with one bias a column.
void bias_activate(Activation f, std::span<const float> bias, Matrix y);

/// y = sigmoid(y + bias); state = 1 where the uniform number of (key, row number, column) lies
/// below y, else 0: the bits of sample_bernoulli. state must not overlap y.
void bias_sigmoid_sample(std::span<const float> bias, RngKey key,
                         std::span<const int64_t> row_numbers, Matrix y, Matrix state);

/// dy *= f' at the output y, and sums[j] = the sum of column j of what dy became.
void activation_backward(Activation f, ConstMatrix y, Matrix dy, std::span<float> sums);

/// y = 0 with probability `rate`, else x / (1 - rate); decided by (key, row number, column), so the
/// same call on a gradient is dropout's derivative. x and y may be the same. Srivastava et al.
/// 2014.
void dropout(double rate, RngKey key, std::span<const int64_t> row_numbers, ConstMatrix x,
             Matrix y);

}  // namespace superstep::kernels
