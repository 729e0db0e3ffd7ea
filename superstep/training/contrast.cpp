#include "superstep/training/contrast.h"

#include <algorithm>
#include <vector>

#include "superstep/kernels/elementwise.h"

namespace superstep::training {

Matrix second_half(Matrix stacked) {
  const int64_t n = stacked.rows / 2;
  return {stacked.data + n * stacked.stride, n, stacked.cols, stacked.stride};
}

void mean_difference(ConstMatrix stacked, std::span<float> out) {
  const int64_t n = stacked.rows / 2;
  std::vector<float> above(out.size());
  kernels::column_sums(stacked.head(n), above);
  kernels::column_sums({stacked.data + n * stacked.stride, n, stacked.cols, stacked.stride}, out);
  for (size_t j = 0; j < out.size(); ++j) out[j] = (out[j] - above[j]) / static_cast<float>(n);
}

void mean_difference(const SparseView& data, ConstMatrix model, std::span<float> out) {
  SUPERSTEP_ASSERT(data.rows == model.rows && data.cols == model.cols);
  kernels::column_sums(model, out);
  for (int64_t r = 0; r < data.rows; ++r) {
    const auto columns = data.row_columns(r);
    const auto values = data.row_values(r);
    for (size_t i = 0; i < columns.size(); ++i) out[static_cast<size_t>(columns[i])] -= values[i];
  }
  for (float& value : out) value /= static_cast<float>(model.rows);
}

void weigh_halves(Matrix stacked) {
  const int64_t n = stacked.rows / 2;
  const float weight = 1.0F / static_cast<float>(n);
  kernels::scale(-weight, stacked.head(n), stacked.head(n));
  kernels::scale(weight, second_half(stacked), second_half(stacked));
}

void one_hot(std::span<const int32_t> labels, Matrix y) {
  SUPERSTEP_ASSERT(static_cast<int64_t>(labels.size()) == y.rows);
  for (int64_t r = 0; r < y.rows; ++r) {
    std::ranges::fill(y.row(r), 0.0F);
    y.row(r)[static_cast<size_t>(labels[static_cast<size_t>(r)])] = 1.0F;
  }
}

}  // namespace superstep::training
