#include "superstep/kernels/elementwise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "superstep/kernels/activation.h"
#include "superstep/kernels/split.h"
#include "superstep/kernels/vector/table.h"

namespace superstep::kernels {
namespace {

template <class A, class B>
void expect_same_size(const A& a, const B& b) {
  SUPERSTEP_ASSERT(a.rows == b.rows && a.cols == b.cols);
}

void activate(Activation f, Matrix y) {
  split_matrices([&](Matrix part) { table().activate(f, nullptr, part); }, y);
}

void backward(Activation f, ConstMatrix y, Matrix dy) {
  expect_same_size(y, dy);
  split_matrices(
      [&](ConstMatrix out, Matrix d) { table().activation_backward(f, out, d, nullptr); }, y, dy);
}

}  // namespace

void copy(ConstMatrix x, Matrix y) {
  expect_same_size(x, y);
  split_matrices(
      [](ConstMatrix from, Matrix to) {
        for (int64_t r = 0; r < from.rows; ++r) std::ranges::copy(from.row(r), to.row(r).begin());
      },
      x, y);
}

void scale(float a, ConstMatrix x, Matrix y) {
  expect_same_size(x, y);
  split_matrices([&](ConstMatrix from, Matrix to) { table().scale(a, from, to); }, x, y);
}

void axpy(float a, std::span<const float> x, std::span<float> y) {
  SUPERSTEP_ASSERT(x.size() == y.size());
  split_elements(static_cast<int64_t>(x.size()), [&](const Part& part) {
    table().axpy(a, x.data() + part.begin, y.data() + part.begin, part.end - part.begin);
  });
}

void subtract(ConstMatrix a, ConstMatrix b, Matrix c) {
  expect_same_size(a, b);
  expect_same_size(a, c);
  split_matrices(table().subtract, a, b, c);
}

void add_row(Matrix y, std::span<const float> row) { bias_activate(Activation::kLinear, row, y); }

void column_sums(ConstMatrix x, std::span<float> sums) {
  SUPERSTEP_ASSERT(x.cols == static_cast<int64_t>(sums.size()));
  split_columns(x, [&](const Part& part) {
    table().column_sums(x.col_range(part.begin, part.end), share(sums, part).data());
  });
}

void sigmoid(Matrix y) { activate(Activation::kSigmoid, y); }
void tanh(Matrix y) { activate(Activation::kTanh, y); }
void relu(Matrix y) { activate(Activation::kRelu, y); }

void sigmoid_backward(ConstMatrix y, Matrix dy) { backward(Activation::kSigmoid, y, dy); }
void tanh_backward(ConstMatrix y, Matrix dy) { backward(Activation::kTanh, y, dy); }
void relu_backward(ConstMatrix y, Matrix dy) { backward(Activation::kRelu, y, dy); }

void softmax_rows(Matrix y) {
  split_rows(y, [&](const Part& part) { table().softmax_rows(y.row_range(part.begin, part.end)); });
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
  SUPERSTEP_ASSERT(p.cols <= kMostColumns);
  split_rows(
      p,
      [&](const Part& part) {
        table().sample_bernoulli(p.row_range(part.begin, part.end),
                                 {key.value(), share(row_numbers, part).data()},
                                 out.row_range(part.begin, part.end));
      },
      kFewestRandom);
}

void add_normal(ConstMatrix mean, RngKey key, std::span<const int64_t> row_numbers, Matrix out) {
  expect_same_size(mean, out);
  SUPERSTEP_ASSERT(mean.rows == static_cast<int64_t>(row_numbers.size()));
  split_rows(
      mean,
      [&](const Part& part) {
        for (int64_t r = part.begin; r < part.end; ++r) {
          fill_normal(key, static_cast<uint64_t>(row_numbers[static_cast<size_t>(r)]), out.row(r));
          table().axpy(1.0F, mean.row(r).data(), out.row(r).data(), mean.cols);
        }
      },
      kFewestRandom);
}

double squared_distance(ConstMatrix a, ConstMatrix b) {
  expect_same_size(a, b);
  return table().squared_distance(a, b);
}

}  // namespace superstep::kernels
