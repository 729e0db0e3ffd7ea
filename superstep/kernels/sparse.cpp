#include "superstep/kernels/sparse.h"

#include <algorithm>
#include <utility>

#include "superstep/base/team.h"
#include "superstep/kernels/vector/table.h"

namespace superstep::kernels {

void from_dense(ConstMatrix x, SparseMatrix& out) {
  constexpr int64_t kOver = 16;  // what Table::compress may write beyond
  const Table& loops = table();
  out.start(x.rows, x.cols);
  for (int64_t r = 0; r < x.rows; ++r) {
    const auto [columns, values] = out.room(x.cols + kOver);
    out.end_row(loops.compress(x.data + r * x.stride, x.cols, columns, values));
  }
}

void to_dense(const SparseView& a, Matrix x) {
  SUPERSTEP_ASSERT(a.rows == x.rows && a.cols == x.cols);
  for (int64_t r = 0; r < a.rows; ++r) {
    float* row = x.data + r * x.stride;
    std::fill_n(row, x.cols, 0.0F);
    for (int64_t i = a.offsets[r]; i < a.offsets[r + 1]; ++i) row[a.columns[i]] = a.values[i];
  }
}

void transpose(const SparseView& a, SparseMatrix& out) {
  const auto [offsets, columns, values] = out.assign(a.cols, a.rows, a.count());
  if (a.rows == 0 || a.cols == 0) return;
  // Counted one place on, so that the sums are where each row begins, and after it is filled where
  // it ends: that is where the next begins.
  const int64_t begin = a.offsets[0], end = a.offsets[a.rows];
  int64_t* next = offsets.data() + 1;
  offsets.back() = 0;
  for (int64_t i = begin; i < end; ++i) ++next[a.columns[i]];
  int64_t sum = 0;
  for (int64_t k = 0; k < a.cols; ++k) sum += std::exchange(next[k], sum);
  for (int64_t r = 0; r < a.rows; ++r) {
    for (int64_t i = a.offsets[r]; i < a.offsets[r + 1]; ++i) {
      const int64_t at = next[a.columns[i]]++;
      columns[static_cast<size_t>(at)] = static_cast<int32_t>(r);
      values[static_cast<size_t>(at)] = a.values[i];
    }
  }
}

void matmul(Context& context, const SparseView& a, Op op_a, ConstMatrix b, Matrix c, float beta) {
  if (op_a == Op::kTransposed) {
    transpose(a, context.transposed());
    return matmul(context, context.transposed(), Op::kPlain, b, c, beta);
  }
  SUPERSTEP_ASSERT(a.rows == c.rows && a.cols == b.rows && b.cols == c.cols);
  if (c.rows == 0 || c.cols == 0) return;
  // Rows are cut where the elements held are, which need not be spread evenly.
  constexpr int64_t kFewestProducts = 50'000;
  int64_t* ranges = context.ranges(2 * a.rows).data();
  const int64_t count = a.count();
  split(count, {.fewest = kFewestProducts / c.cols}, [&](const Part& part) {
    const auto row_of = [&](int64_t element) {
      return std::lower_bound(a.offsets, a.offsets + a.rows, a.offsets[0] + element) - a.offsets;
    };
    const int64_t first = part.begin == 0 ? 0 : row_of(part.begin);
    const int64_t last = part.end == count ? a.rows : row_of(part.end);
    if (first == last) return;
    table().sparse_matmul(a.slice(first, last - first), b, c.row_range(first, last), beta,
                          ranges + 2 * first);
  });
}

}  // namespace superstep::kernels
