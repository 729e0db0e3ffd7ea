#include "superstep/layers/rbm.h"

#include <algorithm>
#include <cmath>

#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/matmul.h"

namespace superstep::layers {

using kernels::Op;

std::string_view to_string(Visible visible) {
  return visible == Visible::kBinary ? "binary" : "gaussian";
}

Visible parse_visible(std::string_view name) {
  if (name == "binary") return Visible::kBinary;
  if (name == "gaussian") return Visible::kGaussian;
  throw ConfigError("no visible units '{}': binary or gaussian", name);
}

Rbm::Rbm(const Options& options) : options_(options) {
  if (options.visible < 1 || options.hidden < 1)
    throw ConfigError("an RBM needs at least 1 visible and 1 hidden unit, got {} and {}",
                      options.visible, options.hidden);
}

std::vector<TensorInit> Rbm::tensors() const {
  return {{"weight", {options_.visible, options_.hidden}, Fill::kNormal, options_.weight_scale},
          {"bias", {options_.hidden}},
          {"visible_bias", {options_.visible}}};
}

// p(h_j = 1 | v) = sigmoid(c_j + (v W)_j)
void Rbm::hidden_probabilities(const ParamSet& params, int first, ConstMatrix v, Matrix h,
                               kernels::Context& context) const {
  expect_columns(*this, "v", v, options_.visible);
  expect_columns(*this, "h", h, options_.hidden);
  kernels::matmul(context, v, Op::kPlain, params.matrix(first + kWeight), Op::kPlain, h, 0);
  kernels::add_row(h, params.values(first + kBias));
  kernels::sigmoid(h);
}

// Binary: p(v_i = 1 | h) = sigmoid(b_i + (h W^T)_i). Gaussian: v_i | h ~ N(b_i + (h W^T)_i, 1).
void Rbm::visible_mean(const ParamSet& params, int first, ConstMatrix h, Matrix v,
                       kernels::Context& context) const {
  expect_columns(*this, "h", h, options_.hidden);
  expect_columns(*this, "v", v, options_.visible);
  kernels::matmul(context, h, Op::kPlain, params.matrix(first + kWeight), Op::kTransposed, v,
                  0);
  kernels::add_row(v, params.values(first + kVisibleBias));
  if (options_.visible_kind == Visible::kBinary) kernels::sigmoid(v);
}

// F(v) = -log sum over h of exp(-E(v, h))
//      = -b'v - sum over j of log(1 + exp(c_j + (v W)_j))                 binary
//      = |v - b|^2 / 2 - sum over j of log(1 + exp(c_j + (v W)_j))        Gaussian
void Rbm::free_energy(const ParamSet& params, int first, ConstMatrix v, std::span<double> out,
                      kernels::Context& context) const {
  expect_columns(*this, "v", v, options_.visible);
  SUPERSTEP_ASSERT(v.rows == static_cast<int64_t>(out.size()));
  const kernels::Scratch memory = context.scratch(v.rows * options_.hidden);
  const Matrix input = memory.matrix(v.rows, options_.hidden);
  kernels::matmul(context, v, Op::kPlain, params.matrix(first + kWeight), Op::kPlain, input, 0);
  kernels::add_row(input, params.values(first + kBias));
  const std::span<const float> b = params.values(first + kVisibleBias);
  for (int64_t r = 0; r < v.rows; ++r) {
    double energy = 0;
    const std::span<const float> row = v.row(r);
    for (size_t i = 0; i < row.size(); ++i) {
      const double v_i = row[i], b_i = b[i];
      energy +=
          options_.visible_kind == Visible::kBinary ? -b_i * v_i : (v_i - b_i) * (v_i - b_i) / 2;
    }
    for (const float x : input.row(r)) energy -= kernels::softplus(x);
    out[static_cast<size_t>(r)] = energy;
  }
}

float Rbm::initial_visible_bias(double mean) const {
  if (options_.visible_kind == Visible::kGaussian) return static_cast<float>(mean);
  const double m = std::clamp(mean, 0.01, 0.99);
  return static_cast<float>(std::log(m / (1.0 - m)));
}

void Rbm::forward(const ParamSet& params, int first, ConstMatrix x, Matrix y,
                  const Pass& pass) const {
  hidden_probabilities(params, first, x, y, pass.context);
}

void Rbm::backward(const ParamSet& params, int first, ConstMatrix x, ConstMatrix y, Matrix dy,
                   Matrix dx, const Pass& pass, GradSink& sink) const {
  expect_columns(*this, "dy", dy, options_.hidden);
  // With a = x W + c: da = dy y (1 - y)
  kernels::sigmoid_backward(y, dy);
  // dx = da W^T
  if (dx.data != nullptr)
    kernels::matmul(pass.context, dy, Op::kPlain, params.matrix(first + kWeight), Op::kTransposed,
                    dx, 0);
  // dW = x^T da
  sink.add_product(first + kWeight, x, dy);
  // dc = the sum of da over the rows
  const kernels::Scratch sums = pass.context.scratch(options_.hidden);
  kernels::column_sums(dy, sums.values());
  sink.add(first + kBias, sums.values());
}

std::string Rbm::describe() const {
  return fmt::format("rbm {} {} -> {}", options_.visible, to_string(options_.visible_kind),
                     options_.hidden);
}

}  // namespace superstep::layers
