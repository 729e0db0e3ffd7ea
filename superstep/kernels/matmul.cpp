#include "superstep/kernels/matmul.h"

#include <algorithm>

namespace superstep::kernels {

void matmul(Context& context, ConstMatrix a, Op op_a, ConstMatrix b, Op op_b, Matrix c,
            float beta) {
  const auto [m, k] = op_a == Op::kPlain ? std::pair(a.rows, a.cols) : std::pair(a.cols, a.rows);
  const auto [k_b, n] = op_b == Op::kPlain ? std::pair(b.rows, b.cols) : std::pair(b.cols, b.rows);
  SUPERSTEP_ASSERT(k == k_b && c.rows == m && c.cols == n);
  if (m == 0 || n == 0) return;
  if (k == 0) {
    for (int64_t r = 0; r < m; ++r)
      for (float& value : c.row(r)) value = beta == 0.0F ? 0.0F : beta * value;
    return;
  }
#ifdef SUPERSTEP_MINIMAL
  reference::matmul(context, a, op_a, b, op_b, c, beta);
#else
  cpu::matmul(context, a, op_a, b, op_b, c, beta);
#endif
}

}  // namespace superstep::kernels
