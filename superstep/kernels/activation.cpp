#include "superstep/kernels/activation.h"

#include "superstep/kernels/split.h"
#include "superstep/kernels/vector/table.h"

namespace superstep::kernels {

void bias_activate(Activation f, std::span<const float> bias, Matrix y) {
  SUPERSTEP_ASSERT(y.cols == static_cast<int64_t>(bias.size()));
  if (y.cols == 0) return;
  split_rows(y, [&](const Part& part) {
    table().activate(f, bias.data(), y.row_range(part.begin, part.end));
  });
}

void bias_sigmoid_sample(std::span<const float> bias, RngKey key,
                         std::span<const int64_t> row_numbers, Matrix y, Matrix state) {
  SUPERSTEP_ASSERT(y.rows == state.rows && y.cols == state.cols);
  SUPERSTEP_ASSERT(y.rows == static_cast<int64_t>(row_numbers.size()));
  SUPERSTEP_ASSERT(y.cols == static_cast<int64_t>(bias.size()) && y.cols <= kMostColumns);
  split_rows(
      y,
      [&](const Part& part) {
        table().bias_sigmoid_sample(bias.data(), {key.value(), share(row_numbers, part).data()},
                                    y.row_range(part.begin, part.end),
                                    state.row_range(part.begin, part.end));
      },
      kFewestRandom);
}

void activation_backward(Activation f, ConstMatrix y, Matrix dy, std::span<float> sums) {
  SUPERSTEP_ASSERT(y.rows == dy.rows && y.cols == dy.cols);
  SUPERSTEP_ASSERT(y.cols == static_cast<int64_t>(sums.size()));
  split_columns(dy, [&](const Part& part) {
    const Matrix d = dy.col_range(part.begin, part.end);
    float* sum = share(sums, part).data();
    if (f == Activation::kLinear)
      table().column_sums(d, sum);
    else
      table().activation_backward(f, y.col_range(part.begin, part.end), d, sum);
  });
}

void dropout(double rate, RngKey key, std::span<const int64_t> row_numbers, ConstMatrix x,
             Matrix y) {
  SUPERSTEP_ASSERT(x.rows == y.rows && x.cols == y.cols && x.cols <= kMostColumns);
  SUPERSTEP_ASSERT(static_cast<int64_t>(row_numbers.size()) == x.rows && rate >= 0 && rate < 1);
  const auto limit = static_cast<float>(rate), kept = static_cast<float>(1.0 / (1.0 - rate));
  split_rows(
      x,
      [&](const Part& part) {
        table().dropout(limit, kept, {key.value(), share(row_numbers, part).data()},
                        x.row_range(part.begin, part.end), y.row_range(part.begin, part.end));
      },
      kFewestRandom);
}

}  // namespace superstep::kernels
