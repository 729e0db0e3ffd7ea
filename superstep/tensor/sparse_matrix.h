// A matrix of float32 of which only some elements are held, by rows (CSR): for bags of words,
// pixels that are mostly black, binary states.
//
//   SparseMatrix x;
//   x.start(2, 5);                       // 2 rows, 5 columns; its memory is reused
//   x.append(1, 0.5F); x.end_row();      // row 0 holds 0.5 in column 1
//   x.end_row();                         // row 1 holds nothing
//
// Columns ascend within a row. kernels/sparse.h makes one from a dense matrix, and multiplies.
#pragma once

#include <cstdint>
#include <span>

#include "superstep/tensor/tensor.h"

namespace superstep {

/// A view. The elements of row r are those from offsets[r] up to offsets[r + 1].
struct SparseView {
  int64_t rows = 0, cols = 0;
  const int64_t* offsets = nullptr;  ///< rows + 1 of them.
  const int32_t* columns = nullptr;
  const float* values = nullptr;

  /// How many elements are held.
  [[nodiscard]] int64_t count() const { return rows == 0 ? 0 : offsets[rows] - offsets[0]; }
  [[nodiscard]] std::span<const int32_t> row_columns(int64_t r) const {
    return {columns + offsets[r], static_cast<size_t>(offsets[r + 1] - offsets[r])};
  }
  [[nodiscard]] std::span<const float> row_values(int64_t r) const {
    return {values + offsets[r], static_cast<size_t>(offsets[r + 1] - offsets[r])};
  }
  /// The rows from `first` on, `n` of them.
  [[nodiscard]] SparseView slice(int64_t first, int64_t n) const {
    return {n, cols, offsets + first, columns, values};
  }
};

/// Owns its elements.
class SparseMatrix {
 public:
  [[nodiscard]] int64_t rows() const { return static_cast<int64_t>(offsets_.size()) - 1; }
  [[nodiscard]] int64_t cols() const { return cols_; }
  [[nodiscard]] int64_t count() const { return offsets_.back(); }
  [[nodiscard]] SparseView view() const {
    return {rows(), cols_, offsets_.data(), columns_.data(), values_.data()};
  }
  operator SparseView() const { return view(); }

  /// No rows yet, of `cols` columns (below 2^31); room for `rows` of them.
  void start(int64_t rows, int64_t cols);
  /// An element of the row that is being written; its column lies above the last one's.
  void append(int32_t column, float value);
  void end_row();
  /// A whole row: what of `values`, one a column, is not 0.
  void append_row(std::span<const float> values);
  /// A whole row: row r of another matrix of as many columns.
  void append_row(const SparseView& from, int64_t r);
  /// All rows of another matrix of as many columns.
  void append_rows(const SparseView& from);

  /// Rows of another matrix, in this order, in place of what was held.
  void assign_rows(const SparseView& from, std::span<const int64_t> rows);

  /// For kernels that write elements in bulk: room for `count` more behind the last row, of which
  /// end_row(n) keeps the first n. Addresses hold until the next call.
  struct Room {
    int32_t* columns;
    float* values;
  };
  Room room(int64_t count);
  void end_row(int64_t n);

  /// For kernels that write rows in any order: `rows` rows that hold `count` elements in all, of
  /// which nothing is set yet.
  struct Parts {
    std::span<int64_t> offsets;  ///< rows + 1; the first is 0, the last `count`.
    std::span<int32_t> columns;
    std::span<float> values;
  };
  Parts assign(int64_t rows, int64_t cols, int64_t count);

 private:
  void reserve(int64_t count);

  int64_t cols_ = 0;
  int64_t open_ = 0;  ///< Elements of the row that is being written.
  std::vector<int64_t> offsets_ = {0};
  // As large as ever needed: how much of them counts is said by offsets_ and open_.
  AlignedVector<int32_t> columns_;
  AlignedVector<float> values_;
};

}  // namespace superstep
