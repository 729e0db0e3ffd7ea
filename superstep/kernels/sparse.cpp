#include "superstep/kernels/sparse.h"

#include <algorithm>
#include <utility>

#include "superstep/base/team.h"
#include "superstep/kernels/activation.h"
#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/update.h"
#include "superstep/kernels/vector/table.h"

namespace superstep::kernels {

namespace {

// Further rows.
void append(ConstMatrix x, SparseMatrix& out) {
  constexpr int64_t kOver = 16;  // what Table::compress may write beyond
  const Table& loops = table();
  for (int64_t r = 0; r < x.rows; ++r) {
    const auto [columns, values] = out.room(x.cols + kOver);
    out.end_row(loops.compress(x.data + r * x.stride, x.cols, columns, values));
  }
}

}  // namespace

void from_dense(ConstMatrix x, SparseMatrix& out) {
  out.start(x.rows, x.cols);
  append(x, out);
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
  const SparseMatrix::Parts to = out.assign(a.cols, a.rows, a.count());
  if (a.rows == 0 || a.cols == 0) return;
  // Counted one place on, so that the sums are where each row begins, and after it is filled where
  // it ends: that is where the next begins.
  int64_t* next = to.offsets.data() + 1;
  to.offsets.back() = 0;
  constexpr int64_t kFewestElements = 2048;
  split(a.cols, {.fewest = a.cols * kFewestElements / std::max<int64_t>(a.count(), 1)},
        [&](const Part& part) {
          // The elements of row r whose columns are the part's.
          const auto begin_of = [&](int64_t r, int64_t column) {
            const int32_t *begin = a.columns + a.offsets[r], *end = a.columns + a.offsets[r + 1];
            if (column == 0) return a.offsets[r];
            if (column == a.cols) return a.offsets[r + 1];
            return a.offsets[r] + (std::lower_bound(begin, end, column) - begin);
          };
          int64_t sum = 0;
          for (int64_t r = 0; r < a.rows; ++r) {
            const int64_t begin = begin_of(r, part.begin), end = begin_of(r, part.end);
            sum += begin - a.offsets[r];
            for (int64_t i = begin; i < end; ++i) ++next[a.columns[i]];
          }
          for (int64_t k = part.begin; k < part.end; ++k) sum += std::exchange(next[k], sum);
          for (int64_t r = 0; r < a.rows; ++r) {
            const int64_t end = begin_of(r, part.end);
            for (int64_t i = begin_of(r, part.begin); i < end; ++i) {
              const int64_t at = next[a.columns[i]]++;
              to.columns[static_cast<size_t>(at)] = static_cast<int32_t>(r);
              to.values[static_cast<size_t>(at)] = a.values[i];
            }
          }
        });
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

void multiply(Context& context, const Features& x, ConstMatrix w, Matrix y) {
  if (x.is_sparse())
    matmul(context, x.sparse(), Op::kPlain, w, y, 0);
  else
    matmul(context, x.dense(), Op::kPlain, w, Op::kPlain, y, 0);
}

// Row by row through a dense one: the numbers of randomness are those of all its columns.
void dropout(Context& context, double rate, RngKey key, std::span<const int64_t> row_numbers,
             const SparseView& x, SparseMatrix& out) {
  SUPERSTEP_ASSERT(static_cast<int64_t>(row_numbers.size()) == x.rows);
  const Scratch memory = context.scratch(x.cols);
  const Matrix row = memory.matrix(1, x.cols);
  out.start(x.rows, x.cols);
  for (int64_t r = 0; r < x.rows; ++r) {
    to_dense(x.slice(r, 1), row);
    dropout(rate, key, row_numbers.subspan(static_cast<size_t>(r), 1), row, row);
    append(row, out);
  }
}

double squared_distance(const SparseView& a, ConstMatrix b) {
  SUPERSTEP_ASSERT(a.rows == b.rows && a.cols == b.cols);
  double sum = 0;
  for (int64_t r = 0; r < a.rows; ++r) {
    sum += sum_of_squares(b.row(r));
    // (a - b)^2 - b^2
    for (int64_t i = a.offsets[r]; i < a.offsets[r + 1]; ++i) {
      const double x = a.values[i], y = b.row(r)[static_cast<size_t>(a.columns[i])];
      sum += x * (x - 2 * y);
    }
  }
  return sum;
}

double squared_distance_of(const Features& a, ConstMatrix b) {
  return a.is_sparse() ? squared_distance(a.sparse(), b) : squared_distance(a.dense(), b);
}

}  // namespace superstep::kernels
