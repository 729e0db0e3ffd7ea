#include "superstep/kernels/matmul.h"

#include <algorithm>

namespace superstep::kernels::reference {

void matmul(Context& context, ConstMatrix a, Op op_a, ConstMatrix b, Op op_b, Matrix c,
            float beta) {
  // A transposed b is written out once, so that the inner loop always runs along rows of b and c.
  const Scratch memory = context.scratch(op_b == Op::kTransposed ? b.rows * b.cols : 0);
  if (op_b == Op::kTransposed) {
    const Matrix plain = memory.matrix(b.cols, b.rows);
    for (int64_t k = 0; k < plain.rows; ++k)
      for (int64_t j = 0; j < plain.cols; ++j) plain.row(k)[j] = b.row(j)[k];
    b = plain;
  }
  // c[i][j] = sum over k of a[i][k] b[k][j], in float32, from the first k to the last.
  for (int64_t i = 0; i < c.rows; ++i) {
    float* c_row = c.row(i).data();
    for (float& value : c.row(i)) value = beta == 0.0F ? 0.0F : beta * value;
    for (int64_t k = 0; k < b.rows; ++k) {
      const float a_ik = op_a == Op::kPlain ? a.row(i)[k] : a.row(k)[i];
      const float* b_row = b.row(k).data();
      for (int64_t j = 0; j < c.cols; ++j) c_row[j] += a_ik * b_row[j];
    }
  }
}

}  // namespace superstep::kernels::reference
