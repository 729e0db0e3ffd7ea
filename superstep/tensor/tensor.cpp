#include "superstep/tensor/tensor.h"

namespace superstep {

std::pair<int64_t, int64_t> matrix_sizes(const Shape& shape) {
  if (shape.rank() == 0) return {1, 1};
  if (shape.rank() == 1) return {1, shape[0]};
  // Not count / shape[0]: a matrix of no rows keeps its columns.
  int64_t cols = 1;
  for (size_t axis = 1; axis < shape.rank(); ++axis) cols *= shape[axis];
  return {shape[0], cols};
}

Matrix Tensor::matrix() {
  const auto [rows, cols] = matrix_sizes(shape_);
  return {values_.data(), rows, cols};
}

ConstMatrix Tensor::matrix() const {
  const auto [rows, cols] = matrix_sizes(shape_);
  return {values_.data(), rows, cols};
}

void Tensor::resize(Shape shape) {
  shape_ = std::move(shape);
  values_.resize(static_cast<size_t>(shape_.count()));
}

}  // namespace superstep
