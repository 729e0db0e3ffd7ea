#include "superstep/tensor/sparse_matrix.h"

#include <algorithm>
#include <limits>

namespace superstep {

void SparseMatrix::start(int64_t rows, int64_t cols) {
  SUPERSTEP_ASSERT(rows >= 0 && cols >= 0 && cols <= std::numeric_limits<int32_t>::max());
  cols_ = cols;
  open_ = 0;
  offsets_.resize(1);
  offsets_.reserve(static_cast<size_t>(rows) + 1);
}

void SparseMatrix::reserve(int64_t count) {
  const auto wanted = static_cast<size_t>(count);
  if (wanted <= values_.size()) return;
  const size_t size = std::max(wanted, 2 * values_.size());
  columns_.resize(size);
  values_.resize(size);
}

void SparseMatrix::append(int32_t column, float value) {
  const int64_t at = count() + open_;
  SUPERSTEP_ASSERT(column >= 0 && column < cols_);
  SUPERSTEP_ASSERT(open_ == 0 || columns_[static_cast<size_t>(at - 1)] < column);
  reserve(at + 1);
  columns_[static_cast<size_t>(at)] = column;
  values_[static_cast<size_t>(at)] = value;
  ++open_;
}

void SparseMatrix::end_row() { end_row(open_); }

SparseMatrix::Room SparseMatrix::room(int64_t count) {
  reserve(this->count() + count);
  return {columns_.data() + this->count(), values_.data() + this->count()};
}

void SparseMatrix::end_row(int64_t n) {
  SUPERSTEP_ASSERT(n >= 0 && count() + n <= static_cast<int64_t>(values_.size()));
  offsets_.push_back(count() + n);
  open_ = 0;
}

SparseMatrix::Parts SparseMatrix::assign(int64_t rows, int64_t cols, int64_t count) {
  start(rows, cols);
  reserve(count);
  offsets_.assign(static_cast<size_t>(rows) + 1, 0);
  offsets_.back() = count;
  const auto n = static_cast<size_t>(count);
  return {offsets_, std::span(columns_).first(n), std::span(values_).first(n)};
}

}  // namespace superstep
