#include "superstep/tensor/batch.h"

namespace superstep {

void GradSink::add_sparse_product(int param, const SparseView& a, ConstMatrix b) {
  throw Error(fmt::format(
      "the gradient of tensor {} came as a product of a sparse ({}, {}) and a dense ({}, {}) "
      "matrix, which this GradSink does not take",
      param, a.rows, a.cols, b.rows, b.cols));
}

}  // namespace superstep
