#include "superstep/tensor/sparse_matrix.h"

#include <algorithm>
#include <limits>

#include "superstep/base/team.h"

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

void SparseMatrix::append_row(std::span<const float> values) {
  const auto cols = static_cast<int64_t>(values.size());
  SUPERSTEP_ASSERT(cols == cols_);
  const auto [columns, held] = room(cols + 1);  // one more: each is written before it is counted
  int64_t n = 0;
  for (int64_t j = 0; j < cols; ++j) {
    columns[n] = static_cast<int32_t>(j);
    held[n] = values[static_cast<size_t>(j)];
    n += held[n] != 0.0F ? 1 : 0;
  }
  end_row(n);
}

void SparseMatrix::append_row(const SparseView& from, int64_t r) {
  SUPERSTEP_ASSERT(from.cols == cols_);
  const int64_t n = from.offsets[r + 1] - from.offsets[r];
  const auto [columns, values] = room(n);
  std::copy_n(from.columns + from.offsets[r], n, columns);
  std::copy_n(from.values + from.offsets[r], n, values);
  end_row(n);
}

void SparseMatrix::append_rows(const SparseView& from) {
  SUPERSTEP_ASSERT(from.cols == cols_);
  if (from.rows == 0) return;
  const int64_t first = from.offsets[0], before = count();
  const auto [columns, values] = room(from.count());
  std::copy_n(from.columns + first, from.count(), columns);
  std::copy_n(from.values + first, from.count(), values);
  for (int64_t r = 1; r <= from.rows; ++r) offsets_.push_back(before + from.offsets[r] - first);
}

void SparseMatrix::assign_rows(const SparseView& from, std::span<const int64_t> rows) {
  start(static_cast<int64_t>(rows.size()), from.cols);
  for (const int64_t row : rows) {
    SUPERSTEP_ASSERT(row >= 0 && row < from.rows);
    offsets_.push_back(count() + from.offsets[row + 1] - from.offsets[row]);
  }
  reserve(count());
  constexpr int64_t kFewestElements = 8192;
  const auto n = static_cast<int64_t>(rows.size());
  split(n, {.fewest = n * kFewestElements / std::max<int64_t>(count(), 1)}, [&](const Part& part) {
    for (auto r = static_cast<size_t>(part.begin); r < static_cast<size_t>(part.end); ++r) {
      const int64_t to = offsets_[r], size = offsets_[r + 1] - to;
      std::copy_n(from.columns + from.offsets[rows[r]], size, columns_.data() + to);
      std::copy_n(from.values + from.offsets[rows[r]], size, values_.data() + to);
    }
  });
}

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
