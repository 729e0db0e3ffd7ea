// Tensors of float32: one that owns its elements, and views of matrices that do not.
//
//   Tensor x({100, 784});                 // zeros, aligned to 64 bytes
//   Matrix m = x.matrix();                // a view: (rows, columns, distance between rows)
//   m.row(3)[5] = 1.0F;
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>
#include <span>
#include <vector>

#include "superstep/base/error.h"
#include "superstep/tensor/shape.h"

namespace superstep {

/// Memory on 64-byte boundaries (a cache line, a full vector).
template <class T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t kAlignment{64};
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), kAlignment)); }
  void deallocate(T* p, size_t) { ::operator delete(p, kAlignment); }
  template <class U>
  bool operator==(const AlignedAllocator<U>&) const {
    return true;
  }
};
template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

/// A view of `rows` x `cols` elements; row r begins at data + r * stride.
template <class T>
struct BasicMatrix {
  T* data = nullptr;
  int64_t rows = 0, cols = 0, stride = 0;

  BasicMatrix() = default;
  BasicMatrix(T* d, int64_t r, int64_t c) : data(d), rows(r), cols(c), stride(c) {}
  BasicMatrix(T* d, int64_t r, int64_t c, int64_t s) : data(d), rows(r), cols(c), stride(s) {}
  /// A view that may write is also one that may only read.
  operator BasicMatrix<const T>() const requires(!std::is_const_v<T>) {
    return {data, rows, cols, stride};
  }
  [[nodiscard]] std::span<T> row(int64_t r) const {
    return {data + r * stride, static_cast<size_t>(cols)};
  }
  /// The first `n` rows.
  [[nodiscard]] BasicMatrix head(int64_t n) const { return {data, n, cols, stride}; }
  /// Rows, and columns, from `begin` to before `end`.
  [[nodiscard]] BasicMatrix row_range(int64_t begin, int64_t end) const {
    return {data + begin * stride, end - begin, cols, stride};
  }
  [[nodiscard]] BasicMatrix col_range(int64_t begin, int64_t end) const {
    return {data + begin, rows, end - begin, stride};
  }
  [[nodiscard]] Shape shape() const { return {rows, cols}; }
};
using Matrix = BasicMatrix<float>;
using ConstMatrix = BasicMatrix<const float>;

/// Owns its elements; zeros at first.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Shape shape)
      : shape_(std::move(shape)), values_(static_cast<size_t>(shape_.count())) {}

  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] std::span<float> values() { return values_; }
  [[nodiscard]] std::span<const float> values() const { return values_; }
  /// Rank 2: itself; rank 1: one row; higher: the first axis against the rest.
  [[nodiscard]] Matrix matrix();
  [[nodiscard]] ConstMatrix matrix() const;
  /// Another shape; elements are kept where the count allows and undefined beyond. Memory grows
  /// but never shrinks, so that a workspace settles after the first batches.
  void resize(Shape shape);

 private:
  Shape shape_;
  AlignedVector<float> values_;
};

/// (rows, columns) of a shape seen as a matrix: see Tensor::matrix.
std::pair<int64_t, int64_t> matrix_sizes(const Shape& shape);

}  // namespace superstep
