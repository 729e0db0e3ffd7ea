#include "superstep/kernels/activation.h"

#include <vector>

#include "superstep/kernels/elementwise.h"

namespace superstep::kernels {

void bias_activate(Activation f, std::span<const float> bias, Matrix y) {
  add_row(y, bias);
  switch (f) {
    case Activation::kLinear:
      return;
    case Activation::kSigmoid:
      return sigmoid(y);
    case Activation::kTanh:
      return tanh(y);
    case Activation::kRelu:
      return relu(y);
  }
}

void bias_sigmoid_sample(std::span<const float> bias, RngKey key,
                         std::span<const int64_t> row_numbers, Matrix y, Matrix state) {
  bias_activate(Activation::kSigmoid, bias, y);
  sample_bernoulli(y, key, row_numbers, state);
}

void activation_backward(Activation f, ConstMatrix y, Matrix dy, std::span<float> sums) {
  switch (f) {
    case Activation::kLinear:
      break;
    case Activation::kSigmoid:
      sigmoid_backward(y, dy);
      break;
    case Activation::kTanh:
      tanh_backward(y, dy);
      break;
    case Activation::kRelu:
      relu_backward(y, dy);
      break;
  }
  column_sums(dy, sums);
}

void dropout(double rate, RngKey key, std::span<const int64_t> row_numbers, ConstMatrix x,
             Matrix y) {
  SUPERSTEP_ASSERT(x.rows == y.rows && x.cols == y.cols);
  SUPERSTEP_ASSERT(static_cast<int64_t>(row_numbers.size()) == x.rows && rate >= 0 && rate < 1);
  std::vector<float> uniform(static_cast<size_t>(x.cols));
  const auto limit = static_cast<float>(rate), kept = static_cast<float>(1.0 / (1.0 - rate));
  for (int64_t r = 0; r < x.rows; ++r) {
    fill_uniform(key, static_cast<uint64_t>(row_numbers[static_cast<size_t>(r)]), uniform);
    for (size_t j = 0; j < uniform.size(); ++j)
      y.row(r)[j] = uniform[j] < limit ? 0.0F : x.row(r)[j] * kept;
  }
}

}  // namespace superstep::kernels
