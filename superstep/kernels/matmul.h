// The product of two matrices.
//
//   matmul(context, x, Op::kPlain, w, Op::kPlain, y, 0);                // y  = x W
//   matmul(context, dy, Op::kPlain, w, Op::kTransposed, dx, 0);         // dx = dy W^T
//   matmul(context, x, Op::kTransposed, dy, Op::kPlain, dw, 1);         // dW += x^T dy
//
// An element of the result has the same bits whether it is computed with its row or column alone or
// among any others; so the calling thread's team (base/team.h) computes a part of it each. The
// order of summation over k is the backend's own, so the bits differ between instruction sets
// (kernels/isa.h pins one). With zeros left out: kernels/sparse.h.
#pragma once

#include "superstep/kernels/context.h"
#include "superstep/tensor/tensor.h"

namespace superstep::kernels {

enum class Op { kPlain, kTransposed };

/// c = op(a) op(b) + beta c; with beta = 0 what stood in c does not matter.
///
/// op(a) is (m, k), op(b) is (k, n), c is (m, n); any size may be 0 (a sum over nothing is 0).
/// c overlaps neither a nor b.
void matmul(Context& context, ConstMatrix a, Op op_a, ConstMatrix b, Op op_b, Matrix c, float beta);

namespace reference {
/// The same in plain loops: the definition, and the oracle of the tests.
void matmul(Context& context, ConstMatrix a, Op op_a, ConstMatrix b, Op op_b, Matrix c, float beta);
}  // namespace reference

#ifndef SUPERSTEP_MINIMAL
namespace cpu {
/// The same by oneDNN. m, n and k are at least 1 here.
void matmul(Context& context, ConstMatrix a, Op op_a, ConstMatrix b, Op op_b, Matrix c, float beta);
}  // namespace cpu
#endif

}  // namespace superstep::kernels
