#include "superstep/layers/rbm.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "superstep/kernels/activation.h"
#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/matmul.h"
#include "superstep/kernels/sparse.h"
#include "superstep/layers/softplus.h"

namespace superstep::layers {

using kernels::Activation;
using kernels::Op;

namespace {

// What follows the bias; softmax, which takes whole rows, comes after kLinear.
Activation activation_of(Units units) {
  switch (units) {
    case Units::kBinary:
      return Activation::kSigmoid;
    case Units::kRectified:
      return Activation::kRelu;
    default:
      return Activation::kLinear;
  }
}

// From dy at y = softmax(x) to the gradient at x: dx_j = y_j (dy_j - sum over k of dy_k y_k)
void softmax_backward(ConstMatrix y, Matrix dy) {
  for (int64_t r = 0; r < y.rows; ++r) {
    const std::span<const float> y_row = y.row(r);
    const std::span<float> dy_row = dy.row(r);
    double mean = 0;
    for (size_t j = 0; j < y_row.size(); ++j) mean += double{dy_row[j]} * double{y_row[j]};
    for (size_t j = 0; j < y_row.size(); ++j)
      dy_row[j] = y_row[j] * (dy_row[j] - static_cast<float>(mean));
  }
}

// Of softmax units a = x W + N c with N = the sum of x: dc = the sum of N da over the rows, and
// each column of dx gains da c'.
void counted_bias_backward(const Features& x, ConstMatrix da, std::span<const float> c,
                           std::span<float> dc, Matrix dx, kernels::Context& context) {
  std::ranges::fill(dc, 0.0F);
  const kernels::Scratch totals = context.scratch(x.rows());
  row_totals(x, totals.values());
  for (int64_t r = 0; r < x.rows(); ++r) {
    kernels::axpy(totals.values()[static_cast<size_t>(r)], da.row(r), dc);
    if (dx.data == nullptr) continue;
    double product = 0;
    for (size_t j = 0; j < c.size(); ++j) product += double{da.row(r)[j]} * double{c[j]};
    for (float& value : dx.row(r)) value += static_cast<float>(product);
  }
}

}  // namespace

Rbm::Rbm(const Options& options) : options_(options) {
  if (options.visible < 1 || options.hidden < 1)
    throw ConfigError("an RBM needs at least 1 visible and 1 hidden unit, got {} and {}",
                      options.visible, options.hidden);
  if (options.visible_units == Units::kRectified)
    throw ConfigError("visible units are binary, gaussian, softmax or linear, got {}",
                      to_string(options.visible_units));
  if (options.hidden_units == Units::kLinear)
    throw ConfigError("hidden units are binary, rectified, gaussian or softmax, got {}",
                      to_string(options.hidden_units));
}

std::vector<TensorInit> Rbm::tensors() const {
  std::vector<TensorInit> all = {
      {"weight", {options_.visible, options_.hidden}, Fill::kNormal, options_.weight_scale},
      {"bias", {options_.hidden}},
      {"visible_bias", {options_.visible}}};
  if (options_.untied) all.push_back({"generative_weight", {options_.visible, options_.hidden}});
  return all;
}

// x = v W, and (N - 1) c of softmax units: every caller adds c once, with what follows it.
void Rbm::hidden_input(const ParamSet& params, int first, const Features& v, Matrix x,
                       kernels::Context& context) const {
  expect_columns(*this, "v", v, options_.visible);
  expect_columns(*this, "h", x, options_.hidden);
  kernels::multiply(context, v, params.matrix(first + kWeight), x);
  if (options_.visible_units != Units::kSoftmax) return;
  const kernels::Scratch totals = context.scratch(v.rows());
  row_totals(v, totals.values());
  for (int64_t r = 0; r < v.rows(); ++r)
    kernels::axpy(totals.values()[static_cast<size_t>(r)] - 1.0F, params.values(first + kBias),
                  x.row(r));
}

void Rbm::hidden_mean(const ParamSet& params, int first, const Features& v, Matrix h,
                      kernels::Context& context) const {
  hidden_input(params, first, v, h, context);
  kernels::bias_activate(activation_of(options_.hidden_units), params.values(first + kBias), h);
  if (options_.hidden_units == Units::kSoftmax) kernels::softmax_rows(h);
}

void Rbm::hidden_mean_and_sample(const ParamSet& params, int first, const Features& v, RngKey key,
                                 std::span<const int64_t> row_numbers, Matrix mean, Matrix sample,
                                 kernels::Context& context) const {
  expect_columns(*this, "sample", sample, options_.hidden);
  hidden_input(params, first, v, mean, context);
  const std::span<const float> c = params.values(first + kBias);
  switch (options_.hidden_units) {
    case Units::kBinary:
      return kernels::bias_sigmoid_sample(c, key, row_numbers, mean, sample);
    case Units::kRectified:
      kernels::add_row(mean, c);
      return sample_rectified(key, row_numbers, mean, sample);
    case Units::kSoftmax:
      kernels::add_row(mean, c);
      kernels::softmax_rows(mean);
      return sample_choice(mean, key, row_numbers, sample);
    case Units::kGaussian:
    case Units::kLinear:
      kernels::add_row(mean, c);
      return kernels::add_normal(mean, key, row_numbers, sample);
  }
}

void Rbm::visible_mean(const ParamSet& params, int first, ConstMatrix h, Matrix v,
                       kernels::Context& context, std::span<const float> totals) const {
  expect_columns(*this, "h", h, options_.hidden);
  expect_columns(*this, "v", v, options_.visible);
  const int weight = first + (options_.untied ? kGenerativeWeight : kWeight);
  kernels::matmul(context, h, Op::kPlain, params.matrix(weight), Op::kTransposed, v, 0);
  kernels::bias_activate(activation_of(options_.visible_units), params.values(first + kVisibleBias),
                         v);
  if (options_.visible_units != Units::kSoftmax) return;
  kernels::softmax_rows(v);
  if (totals.empty()) return;
  SUPERSTEP_ASSERT(v.rows == static_cast<int64_t>(totals.size()));
  for (int64_t r = 0; r < v.rows; ++r)
    for (float& value : v.row(r)) value *= totals[static_cast<size_t>(r)];
}

void Rbm::sample_visible(ConstMatrix mean, RngKey key, std::span<const int64_t> row_numbers,
                         Matrix sample) const {
  expect_columns(*this, "mean", mean, options_.visible);
  expect_columns(*this, "sample", sample, options_.visible);
  switch (options_.visible_units) {
    case Units::kBinary:
      return kernels::sample_bernoulli(mean, key, row_numbers, sample);
    case Units::kGaussian:
      return kernels::add_normal(mean, key, row_numbers, sample);
    case Units::kSoftmax:
      return sample_counts(mean, key, row_numbers, sample);
    case Units::kLinear:
    case Units::kRectified:
      return kernels::copy(mean, sample);
  }
}

// A(v) of row r.
double Rbm::visible_energy(const Features& v, int64_t r, std::span<const float> b) const {
  const bool squares =
      options_.visible_units == Units::kGaussian || options_.visible_units == Units::kLinear;
  const auto term = [squares](double v_i, double b_i) {
    return squares ? (v_i - b_i) * (v_i - b_i) / 2 : -b_i * v_i;
  };
  double energy = 0;
  if (!v.is_sparse()) {
    const std::span<const float> row = v.dense().row(r);
    for (size_t i = 0; i < row.size(); ++i) energy += term(double{row[i]}, double{b[i]});
    return energy;
  }
  // What a row of zeros has, and what each value changes of it.
  if (squares)
    for (const float b_i : b) energy += term(0, double{b_i});
  const auto columns = v.sparse().row_columns(r);
  const auto values = v.sparse().row_values(r);
  for (size_t k = 0; k < columns.size(); ++k) {
    const double b_i = b[static_cast<size_t>(columns[k])];
    energy += term(double{values[k]}, b_i) - term(0, b_i);
  }
  return energy;
}

// F(v) = -log of the sum (of Gaussian units the integral) over h of exp(-E(v, h))
//      = A(v) - G(x) with x = c + v W and
// G(x) = sum over j of log(1 + exp(x_j))              binary
//      = |x|^2 / 2 + hidden log(2 pi) / 2             Gaussian
//      = log sum over j of exp(x_j)                   softmax
void Rbm::free_energy(const ParamSet& params, int first, const Features& v, std::span<double> out,
                      kernels::Context& context) const {
  SUPERSTEP_ASSERT(v.rows() == static_cast<int64_t>(out.size()));
  if (!has_free_energy())
    throw Error(
        fmt::format("[{}] rectified hidden units have no free energy in closed form", describe()));
  const kernels::Scratch memory = context.scratch(v.rows() * options_.hidden);
  const Matrix input = memory.matrix(v.rows(), options_.hidden);
  hidden_input(params, first, v, input, context);
  kernels::add_row(input, params.values(first + kBias));
  const std::span<const float> b = params.values(first + kVisibleBias);
  for (int64_t r = 0; r < v.rows(); ++r) {
    const std::span<const float> x = input.row(r);
    double energy = visible_energy(v, r, b);
    if (options_.hidden_units == Units::kBinary) {
      energy -= sum_softplus(x);
    } else if (options_.hidden_units == Units::kSoftmax) {
      energy -= kernels::log_sum_exp(x);
    } else {
      for (const float x_j : x) energy -= double{x_j} * double{x_j} / 2;
      energy -= static_cast<double>(x.size()) * std::log(2 * std::numbers::pi) / 2;
    }
    out[static_cast<size_t>(r)] = energy;
  }
}

float Rbm::initial_visible_bias(double mean) const {
  return layers::initial_visible_bias(options_.visible_units, options_.visible, mean);
}

void Rbm::forward(const ParamSet& params, int first, const Features& x, Matrix y,
                  const Pass& pass) const {
  hidden_mean(params, first, x, y, pass.context);
}

void Rbm::backward(const ParamSet& params, int first, const Features& x, ConstMatrix y, Matrix dy,
                   Matrix dx, const Pass& pass, GradSink& sink) const {
  expect_columns(*this, "dy", dy, options_.hidden);
  const kernels::Scratch sums = pass.context.scratch(options_.hidden);
  // With a = x W + c and y = f(a): da = dy f'(a); dc = the sum of da over the rows
  if (options_.hidden_units == Units::kSoftmax) softmax_backward(y, dy);
  kernels::activation_backward(activation_of(options_.hidden_units), y, dy, sums.values());
  // dx = da W^T
  if (dx.data != nullptr)
    kernels::matmul(pass.context, dy, Op::kPlain, params.matrix(first + kWeight), Op::kTransposed,
                    dx, 0);
  if (options_.visible_units == Units::kSoftmax)
    counted_bias_backward(x, dy, params.values(first + kBias), sums.values(), dx, pass.context);
  // dW = x^T da
  sink.add_product_of(first + kWeight, x, dy);
  sink.add(first + kBias, sums.values());
}

std::string Rbm::describe() const {
  return fmt::format("rbm {} {} -> {} {}", options_.visible, to_string(options_.visible_units),
                     options_.hidden, to_string(options_.hidden_units));
}

}  // namespace superstep::layers
