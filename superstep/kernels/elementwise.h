// Everything of a training step that is not a matrix product: one pass over memory each, in the
// vectors of kernels/isa.h. What a layer does in one go is in kernels/activation.h, what an
// optimizer does in kernels/update.h.
//
//   add_row(y, bias);
//   sigmoid(y);                                            // in place
//   sample_bernoulli(y, key, batch.row_numbers, h);        // h is 0 or 1
//
// Results do not depend on the number of rows beside a row, on the width of vectors or on the C
// library's exponential (ours is in kernels/math.h); what does not say otherwise, in float32.
// Matrices of one call have the same size unless said.
#pragma once

#include <cstdint>
#include <span>

#include "superstep/base/rng.h"
#include "superstep/tensor/tensor.h"

namespace superstep::kernels {

/// y = x.
void copy(ConstMatrix x, Matrix y);
/// y = a x. x and y may be the same.
void scale(float a, ConstMatrix x, Matrix y);
/// y += a x.
void axpy(float a, std::span<const float> x, std::span<float> y);
/// c = a - b. c may be a or b.
void subtract(ConstMatrix a, ConstMatrix b, Matrix c);
/// Adds `row` (one value a column) to every row of y.
void add_row(Matrix y, std::span<const float> row);
/// The sum of every column, added up from the first row to the last.
void column_sums(ConstMatrix x, std::span<float> sums);

/// y = 1 / (1 + exp(-y)).
void sigmoid(Matrix y);
/// y = tanh(y).
void tanh(Matrix y);
/// y = max(y, 0).
void relu(Matrix y);
/// dy *= y (1 - y): from the gradient at the output y to the one at the input.
void sigmoid_backward(ConstMatrix y, Matrix dy);
/// dy *= 1 - y^2.
void tanh_backward(ConstMatrix y, Matrix dy);
/// dy = 0 where y is 0.
void relu_backward(ConstMatrix y, Matrix dy);

/// Every row becomes exp(row) / sum of exp(row); the largest is subtracted first, so no
/// finite input overflows. Element j is added to one of 16 partial sums, j mod 16, and these in
/// pairs: i to i + 8, then i to i + 4, and so on.
void softmax_rows(Matrix y);
/// log(sum of exp(row)) of one row, in double. A row of no elements gives -infinity.
double log_sum_exp(std::span<const float> row);
/// log(1 + exp(x)), without overflow.
double softplus(double x);

/// out = 1 where the uniform number of (key, row number, column) lies below p, else 0: so p = 0
/// is never 1 and p = 1 always is. `row_numbers` holds one a row. out must not overlap p.
void sample_bernoulli(ConstMatrix p, RngKey key, std::span<const int64_t> row_numbers, Matrix out);
/// out = mean + a standard normal number of (key, row number, column). No overlap.
void add_normal(ConstMatrix mean, RngKey key, std::span<const int64_t> row_numbers, Matrix out);

/// Sum of (a - b)^2, in double; element j of each row goes to partial sum j mod 16, as above.
double squared_distance(ConstMatrix a, ConstMatrix b);

}  // namespace superstep::kernels
