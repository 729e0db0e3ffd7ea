#include "superstep/kernels/matmul.h"

#include <algorithm>

#include "superstep/base/team.h"

namespace superstep::kernels {
namespace {

// Multiplications worth a thread: a few microseconds, against one or two to hand a part out.
constexpr int64_t kFewestProducts = 100'000;
// Columns of a part: whole vectors and lines of the cache. Rows: not one alone, which is slow.
constexpr int64_t kColumnStep = 16, kRowStep = 2;

void multiply(Context& context, ConstMatrix a, Op op_a, ConstMatrix b, Op op_b, Matrix c,
              float beta) {
#ifdef SUPERSTEP_MINIMAL
  reference::matmul(context, a, op_a, b, op_b, c, beta);
#else
  cpu::matmul(context, a, op_a, b, op_b, c, beta);
#endif
}

}  // namespace

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
  // The longer side is cut: neither way touches a sum over k.
  const bool by_rows = m >= n;
  const Cut cut{.fewest = kFewestProducts / k / std::min(m, n),
                .step = by_rows ? kRowStep : kColumnStep};
  const int64_t longer = by_rows ? m : n;
  context.make_members(parts_of(longer, cut));
  split(longer, cut, [&](const Part& part) {
    const auto [begin, end, member] = part;
    if (by_rows)
      multiply(context.member(member),
               op_a == Op::kPlain ? a.row_range(begin, end) : a.col_range(begin, end), op_a, b,
               op_b, c.row_range(begin, end), beta);
    else
      multiply(context.member(member), a, op_a,
               op_b == Op::kPlain ? b.col_range(begin, end) : b.row_range(begin, end), op_b,
               c.col_range(begin, end), beta);
  });
}

}  // namespace superstep::kernels
