// A batch of rows, the one format that every source becomes, and the two types that cross rooms:
// Source (row numbers in, a batch out) and GradSink (where a layer hands its gradients).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "superstep/tensor/features.h"

namespace superstep {

/// Rows of features with what is to be learned of them.
struct Batch {
  std::vector<int64_t>
      row_numbers;              ///< The number of each row in its data set: keys of randomness.
  Tensor x;                     ///< (rows, features); of no rows where `sparse` holds them.
  SparseMatrix sparse;          ///< The same with zeros left out: of Source::read_sparse.
  std::vector<int32_t> labels;  ///< The class of each row, or empty. Never out of range.
  Tensor targets;               ///< (rows, outputs) to regress on, or empty.

  [[nodiscard]] int64_t rows() const { return static_cast<int64_t>(row_numbers.size()); }
  /// x, or `sparse`, whichever holds the rows.
  [[nodiscard]] Features features() const;
};

/// Rows by number. Reading is safe from many threads at once.
class Source {
 public:
  virtual ~Source() = default;
  /// Number of features of a row.
  [[nodiscard]] virtual int64_t columns() const = 0;
  /// Fills `batch` with these rows, in this order; its memory is reused.
  virtual void read(std::span<const int64_t> rows, Batch& batch) const = 0;
  /// The same into batch.sparse, which leaves zeros out; batch.x then has no rows. Where a source
  /// does not offer it, rows are read as they are and their zeros dropped.
  virtual void read_sparse(std::span<const int64_t> rows, Batch& batch) const;
  /// One or the other.
  void read_as(Form form, std::span<const int64_t> rows, Batch& batch) const {
    form == Form::kSparse ? read_sparse(rows, batch) : read(rows, batch);
  }
};

/// Takes the gradient of a loss, tensor by tensor (index in the ParamSet). A sink, not a buffer:
/// plain SGD moves the weights at once, momentum accumulates into the velocity. A layer therefore
/// computes the gradient of its input before it hands over its own.
class GradSink {
 public:
  virtual ~GradSink() = default;
  /// gradient[param] += a^T b, with a (rows, m), b (rows, n) and the tensor (m, n).
  virtual void add_product(int param, ConstMatrix a, ConstMatrix b) = 0;
  /// The same of a matrix whose zeros are left out. A sink that does not offer it throws an Error.
  virtual void add_sparse_product(int param, const SparseView& a, ConstMatrix b);
  /// One or the other.
  void add_product_of(int param, const Features& a, ConstMatrix b) {
    a.is_sparse() ? add_sparse_product(param, a.sparse(), b) : add_product(param, a.dense(), b);
  }
  /// gradient[param] += values, of the tensor's size.
  virtual void add(int param, std::span<const float> values) = 0;
};

}  // namespace superstep
