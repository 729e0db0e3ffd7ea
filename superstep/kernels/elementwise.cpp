#include "superstep/kernels/elementwise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "superstep/kernels/activation.h"
#include "superstep/kernels/vector/table.h"

namespace superstep::kernels {
namespace {

template <class A, class B>
void expect_same_size(const A& a, const B& b) {
  SUPERSTEP_ASSERT(a.rows == b.rows && a.cols == b.cols);
}

// Rows that lie one behind another, as one row: vectors then do not end with each.
template <class M>
M one_row(const M& m) {
  return {m.data, 1, m.rows * m.cols};
}
template <class... M>
bool have_no_gaps(const M&... m) {
  return ((m.stride == m.cols) && ...);
}

void activate(Activation f, Matrix y) {
  table().activate(f, nullptr, have_no_gaps(y) ? one_row(y) : y);
}

void backward(Activation f, ConstMatrix y, Matrix dy) {
  expect_same_size(y, dy);
  table().activation_backward(f, y, dy, nullptr);
}

}  // namespace

void copy(ConstMatrix x, Matrix y) {
  expect_same_size(x, y);
  for (int64_t r = 0; r < x.rows; ++r) std::ranges::copy(x.row(r), y.row(r).begin());
}

void scale(float a, ConstMatrix x, Matrix y) {
  expect_same_size(x, y);
  if (have_no_gaps(x, y)) return table().scale(a, one_row(x), one_row(y));
  table().scale(a, x, y);
}

void axpy(float a, std::span<const float> x, std::span<float> y) {
  SUPERSTEP_ASSERT(x.size() == y.size());
  table().axpy(a, x.data(), y.data(), static_cast<int64_t>(x.size()));
}

void subtract(ConstMatrix a, ConstMatrix b, Matrix c) {
  expect_same_size(a, b);
  expect_same_size(a, c);
  if (have_no_gaps(a, b, c)) return table().subtract(one_row(a), one_row(b), one_row(c));
  table().subtract(a, b, c);
}

void add_row(Matrix y, std::span<const float> row) { bias_activate(Activation::kLinear, row, y); }

void column_sums(ConstMatrix x, std::span<float> sums) {
  SUPERSTEP_ASSERT(x.cols == static_cast<int64_t>(sums.size()));
  table().column_sums(x, sums.data());
}

void sigmoid(Matrix y) { activate(Activation::kSigmoid, y); }
void tanh(Matrix y) { activate(Activation::kTanh, y); }
void relu(Matrix y) { activate(Activation::kRelu, y); }

void sigmoid_backward(ConstMatrix y, Matrix dy) { backward(Activation::kSigmoid, y, dy); }
void tanh_backward(ConstMatrix y, Matrix dy) { backward(Activation::kTanh, y, dy); }
void relu_backward(ConstMatrix y, Matrix dy) { backward(Activation::kRelu, y, dy); }

void softmax_rows(Matrix y) { table().softmax_rows(y); }

double log_sum_exp(std::span<const float> row) {
  if (row.empty()) return -std::numeric_limits<double>::infinity();
  const double largest = *std::ranges::max_element(row);
  double sum = 0;
  for (const float value : row) sum += std::exp(static_cast<double>(value) - largest);
  return largest + std::log(sum);
}

double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }

void sample_bernoulli(ConstMatrix p, RngKey key, std::span<const int64_t> row_numbers, Matrix out) {
  expect_same_size(p, out);
  SUPERSTEP_ASSERT(p.rows == static_cast<int64_t>(row_numbers.size()));
  SUPERSTEP_ASSERT(p.cols <= kMostColumns);
  table().sample_bernoulli(p, {key.value(), row_numbers.data()}, out);
}

void add_normal(ConstMatrix mean, RngKey key, std::span<const int64_t> row_numbers, Matrix out) {
  expect_same_size(mean, out);
  SUPERSTEP_ASSERT(mean.rows == static_cast<int64_t>(row_numbers.size()));
  for (int64_t r = 0; r < mean.rows; ++r) {
    fill_normal(key, static_cast<uint64_t>(row_numbers[static_cast<size_t>(r)]), out.row(r));
    axpy(1.0F, mean.row(r), out.row(r));
  }
}

double squared_distance(ConstMatrix a, ConstMatrix b) {
  expect_same_size(a, b);
  return table().squared_distance(a, b);
}

}  // namespace superstep::kernels
