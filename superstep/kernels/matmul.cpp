#include "superstep/kernels/matmul.h"

#include <algorithm>

namespace superstep::kernels {

void matmul(Context& context, ConstMatrix a, Op op_a, ConstMatrix b, Op op_b, Matrix c,
            bool accumulate) {
  const auto [m, k] = op_a == Op::kPlain ? std::pair(a.rows, a.cols) : std::pair(a.cols, a.rows);
  const auto [k_b, n] = op_b == Op::kPlain ? std::pair(b.rows, b.cols) : std::pair(b.cols, b.rows);
  SUPERSTEP_ASSERT(k == k_b && c.rows == m && c.cols == n);
  if (m == 0 || n == 0 || (k == 0 && accumulate)) return;
  if (k == 0) {
    for (int64_t r = 0; r < m; ++r) std::ranges::fill(c.row(r), 0.0F);
    return;
  }
#ifdef SUPERSTEP_MINIMAL
  reference::matmul(context, a, op_a, b, op_b, c, accumulate);
#else
  cpu::matmul(context, a, op_a, b, op_b, c, accumulate);
#endif
}

}  // namespace superstep::kernels
