// Products with a matrix that is mostly zeros (tensor/sparse_matrix.h), the zeros left out.
//
//   SparseMatrix x;
//   from_dense(batch, x);
//   matmul(context, x, Op::kPlain, w, y, 0);              // y   = x W
//   matmul(context, x, Op::kTransposed, dy, dw, 1);       // dW += x^T dy
//
// Each element of a product is a sum over k from the first to the last, in float32, a
// multiplication and then an addition: the bits of reference::matmul on the same matrix written
// out (for finite b), on every instruction set, alone or among other rows. There is no fused
// multiply-add, which in software would cost the portable path a factor of tens.
#pragma once

#include "superstep/base/rng.h"
#include "superstep/kernels/matmul.h"
#include "superstep/tensor/features.h"

namespace superstep::kernels {

/// The elements of x that are not zero.
void from_dense(ConstMatrix x, SparseMatrix& out);
/// The matrix written out; x is (a.rows, a.cols).
void to_dense(const SparseView& a, Matrix x);
/// The transpose of `a`. `out` is another matrix.
void transpose(const SparseView& a, SparseMatrix& out);

/// c = op(a) b + beta c; with beta = 0 what stood in c does not matter. Sizes as in
/// kernels/matmul.h. c does not overlap b.
void matmul(Context& context, const SparseView& a, Op op_a, ConstMatrix b, Matrix c, float beta);
/// y = x w for x of either form: as above, or as kernels/matmul.h has it.
void multiply(Context& context, const Features& x, ConstMatrix w, Matrix y);

/// The dropout of kernels/activation.h: what is left of x, with the same bits.
void dropout(Context& context, double rate, RngKey key, std::span<const int64_t> row_numbers,
             const SparseView& x, SparseMatrix& out);
/// Sum of (a - b)^2 over all elements, in double.
double squared_distance(const SparseView& a, ConstMatrix b);
double squared_distance_of(const Features& a, ConstMatrix b);

}  // namespace superstep::kernels
