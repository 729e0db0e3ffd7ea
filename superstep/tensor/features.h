// Rows of features as a view, whichever way they are held: zeros written out, or left out.
//
//   Features x = batch.features();
//   if (x.is_sparse()) use(x.sparse()); else use(x.dense());
//
// Dense and sparse matrices become one without being asked.
#pragma once

#include "superstep/tensor/sparse_matrix.h"
#include "superstep/tensor/tensor.h"

namespace superstep {

/// How rows are held.
enum class Form { kDense, kSparse };

class Features {
 public:
  Features(ConstMatrix dense) : dense_(dense) {}
  Features(Matrix dense) : dense_(dense) {}
  Features(const SparseView& sparse) : form_(Form::kSparse), sparse_(sparse) {}
  Features(const SparseMatrix& sparse) : Features(sparse.view()) {}

  [[nodiscard]] bool is_sparse() const { return form_ == Form::kSparse; }
  [[nodiscard]] int64_t rows() const { return is_sparse() ? sparse_.rows : dense_.rows; }
  [[nodiscard]] int64_t cols() const { return is_sparse() ? sparse_.cols : dense_.cols; }
  [[nodiscard]] Shape shape() const { return {rows(), cols()}; }
  /// What it is a view of; of the other form is an assertion.
  [[nodiscard]] ConstMatrix dense() const {
    SUPERSTEP_ASSERT(!is_sparse());
    return dense_;
  }
  [[nodiscard]] const SparseView& sparse() const {
    SUPERSTEP_ASSERT(is_sparse());
    return sparse_;
  }

 private:
  Form form_ = Form::kDense;
  ConstMatrix dense_;
  SparseView sparse_;
};

}  // namespace superstep
