#include "superstep/kernels/elementwise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "superstep/kernels/math.h"

namespace superstep::kernels {
namespace {

template <class A, class B>
void expect_same_size(const A& a, const B& b) {
  SUPERSTEP_ASSERT(a.rows == b.rows && a.cols == b.cols);
}

// y[i] = f(y[i]).
template <class F>
void map(Matrix y, F f) {
  for (int64_t r = 0; r < y.rows; ++r)
    for (float& value : y.row(r)) value = f(value);
}

// dy[i] = f(y[i], dy[i]). The compiler checks once a row that the rows do not overlap.
template <class F>
void map_backward(ConstMatrix y, Matrix dy, F f) {
  expect_same_size(y, dy);
  for (int64_t r = 0; r < y.rows; ++r) {
    const float* y_row = y.row(r).data();
    float* dy_row = dy.row(r).data();
    for (int64_t j = 0; j < y.cols; ++j) dy_row[j] = f(y_row[j], dy_row[j]);
  }
}

}  // namespace

void copy(ConstMatrix x, Matrix y) {
  expect_same_size(x, y);
  for (int64_t r = 0; r < x.rows; ++r) std::ranges::copy(x.row(r), y.row(r).begin());
}

void scale(float a, ConstMatrix x, Matrix y) {
  expect_same_size(x, y);
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* x_row = x.row(r).data();
    float* y_row = y.row(r).data();
    for (int64_t j = 0; j < x.cols; ++j) y_row[j] = a * x_row[j];
  }
}

void axpy(float a, std::span<const float> x, std::span<float> y) {
  SUPERSTEP_ASSERT(x.size() == y.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] += a * x[i];
}

void subtract(ConstMatrix a, ConstMatrix b, Matrix c) {
  expect_same_size(a, b);
  expect_same_size(a, c);
  for (int64_t r = 0; r < a.rows; ++r) {
    const float* a_row = a.row(r).data();
    const float* b_row = b.row(r).data();
    float* c_row = c.row(r).data();
    for (int64_t j = 0; j < a.cols; ++j) c_row[j] = a_row[j] - b_row[j];
  }
}

void add_row(Matrix y, std::span<const float> row) {
  SUPERSTEP_ASSERT(y.cols == static_cast<int64_t>(row.size()));
  for (int64_t r = 0; r < y.rows; ++r) axpy(1.0F, row, y.row(r));
}

void column_sums(ConstMatrix x, std::span<float> sums) {
  SUPERSTEP_ASSERT(x.cols == static_cast<int64_t>(sums.size()));
  std::ranges::fill(sums, 0.0F);
  for (int64_t r = 0; r < x.rows; ++r) axpy(1.0F, x.row(r), sums);
}

void sigmoid(Matrix y) {
  map(y, [](float value) { return kernels::sigmoid(value); });
}

void tanh(Matrix y) {
  map(y, [](float value) { return kernels::tanh(value); });
}

// NaN stays NaN, so that it is found where updates are checked.
void relu(Matrix y) {
  map(y, [](float value) { return value < 0.0F ? 0.0F : value; });
}

void sigmoid_backward(ConstMatrix y, Matrix dy) {
  map_backward(y, dy, [](float value, float d) { return d * (value * (1.0F - value)); });
}

void tanh_backward(ConstMatrix y, Matrix dy) {
  map_backward(y, dy, [](float value, float d) { return d * (1.0F - value * value); });
}

void relu_backward(ConstMatrix y, Matrix dy) {
  map_backward(y, dy, [](float value, float d) { return value == 0.0F ? 0.0F : d; });
}

void softmax_rows(Matrix y) {
  for (int64_t r = 0; r < y.rows; ++r) {
    const std::span<float> row = y.row(r);
    if (row.empty()) continue;
    const float largest = *std::ranges::max_element(row);
    for (float& value : row) value = kernels::exp(value - largest);
    float sum = 0;
    for (const float value : row) sum += value;
    for (float& value : row) value /= sum;
  }
}

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
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* p_row = p.row(r).data();
    float* out_row = out.row(r).data();
    fill_uniform(key, static_cast<uint64_t>(row_numbers[static_cast<size_t>(r)]), out.row(r));
    for (int64_t j = 0; j < p.cols; ++j) out_row[j] = out_row[j] < p_row[j] ? 1.0F : 0.0F;
  }
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
  double sum = 0;
  for (int64_t r = 0; r < a.rows; ++r) {
    const float* a_row = a.row(r).data();
    const float* b_row = b.row(r).data();
    for (int64_t j = 0; j < a.cols; ++j) {
      const double difference = static_cast<double>(a_row[j]) - static_cast<double>(b_row[j]);
      sum += difference * difference;
    }
  }
  return sum;
}

}  // namespace superstep::kernels
