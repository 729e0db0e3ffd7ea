#include "superstep/kernels/activation.h"

#include "superstep/kernels/vector/table.h"

namespace superstep::kernels {

void bias_activate(Activation f, std::span<const float> bias, Matrix y) {
  SUPERSTEP_ASSERT(y.cols == static_cast<int64_t>(bias.size()));
  if (y.cols > 0) table().activate(f, bias.data(), y);
}

void bias_sigmoid_sample(std::span<const float> bias, RngKey key,
                         std::span<const int64_t> row_numbers, Matrix y, Matrix state) {
  SUPERSTEP_ASSERT(y.rows == state.rows && y.cols == state.cols);
  SUPERSTEP_ASSERT(y.rows == static_cast<int64_t>(row_numbers.size()));
  SUPERSTEP_ASSERT(y.cols == static_cast<int64_t>(bias.size()) && y.cols <= kMostColumns);
  table().bias_sigmoid_sample(bias.data(), {key.value(), row_numbers.data()}, y, state);
}

void activation_backward(Activation f, ConstMatrix y, Matrix dy, std::span<float> sums) {
  SUPERSTEP_ASSERT(y.rows == dy.rows && y.cols == dy.cols);
  SUPERSTEP_ASSERT(y.cols == static_cast<int64_t>(sums.size()));
  if (f == Activation::kLinear) return table().column_sums(dy, sums.data());
  if (y.cols > 0) table().activation_backward(f, y, dy, sums.data());
}

void dropout(double rate, RngKey key, std::span<const int64_t> row_numbers, ConstMatrix x,
             Matrix y) {
  SUPERSTEP_ASSERT(x.rows == y.rows && x.cols == y.cols && x.cols <= kMostColumns);
  SUPERSTEP_ASSERT(static_cast<int64_t>(row_numbers.size()) == x.rows && rate >= 0 && rate < 1);
  table().dropout(static_cast<float>(rate), static_cast<float>(1.0 / (1.0 - rate)),
                  {key.value(), row_numbers.data()}, x, y);
}

}  // namespace superstep::kernels
