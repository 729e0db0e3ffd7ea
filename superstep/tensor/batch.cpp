#include "superstep/tensor/batch.h"

#include <utility>

namespace superstep {

Features Batch::features() const {
  if (rows() > 0 && x.values().empty() && sparse.rows() == rows()) return sparse;
  return x.matrix();
}

void Source::read_sparse(std::span<const int64_t> rows, Batch& batch) const {
  read(rows, batch);
  const ConstMatrix x = std::as_const(batch.x).matrix();
  batch.sparse.start(x.rows, x.cols);
  for (int64_t r = 0; r < x.rows; ++r) batch.sparse.append_row(x.row(r));
  batch.x.resize({0, x.cols});
}

void GradSink::add_sparse_product(int param, const SparseView& a, ConstMatrix b) {
  throw Error(fmt::format(
      "the gradient of tensor {} came as a product of a sparse ({}, {}) and a dense ({}, {}) "
      "matrix, which this GradSink does not take",
      param, a.rows, a.cols, b.rows, b.cols));
}

}  // namespace superstep
