#include "superstep/layers/dense.h"

#include <array>
#include <cmath>

#include "superstep/kernels/activation.h"
#include "superstep/kernels/matmul.h"
#include "superstep/kernels/sparse.h"

namespace superstep::layers {

using kernels::Op;

namespace {
constexpr std::array<std::string_view, 4> kActivations = {"linear", "sigmoid", "tanh", "relu"};
}

std::string_view to_string(Activation activation) {
  return kActivations.at(static_cast<size_t>(activation));
}

Activation parse_activation(std::string_view name) {
  for (size_t i = 0; i < kActivations.size(); ++i)
    if (name == kActivations[i]) return static_cast<Activation>(i);
  throw ConfigError("no activation '{}': linear, sigmoid, tanh or relu", name);
}

Dense::Dense(const Options& options) : options_(options) {
  if (options.inputs < 1 || options.outputs < 1)
    throw ConfigError("a dense layer needs at least 1 input and 1 output, got {} and {}",
                      options.inputs, options.outputs);
}

std::vector<TensorInit> Dense::tensors() const {
  TensorInit weight{"weight", {options_.inputs, options_.outputs}};
  const auto fans = static_cast<double>(options_.inputs + options_.outputs);
  if (!options_.zero_init) {
    switch (options_.activation) {
      case Activation::kLinear:
      case Activation::kTanh:  // Glorot and Bengio 2010
        weight.fill = Fill::kUniform;
        weight.scale = static_cast<float>(std::sqrt(6.0 / fans));
        break;
      case Activation::kSigmoid:  // the same, for a slope of 1/4 at 0
        weight.fill = Fill::kUniform;
        weight.scale = static_cast<float>(4.0 * std::sqrt(6.0 / fans));
        break;
      case Activation::kRelu:  // He, Zhang, Ren and Sun 2015
        weight.fill = Fill::kNormal;
        weight.scale = static_cast<float>(std::sqrt(2.0 / static_cast<double>(options_.inputs)));
        break;
    }
  }
  return {weight, {"bias", {options_.outputs}}};
}

void Dense::forward(const ParamSet& params, int first, const Features& x, Matrix y,
                    const Pass& pass) const {
  expect_columns(*this, "x", x, options_.inputs);
  expect_columns(*this, "y", y, options_.outputs);
  kernels::multiply(pass.context, x, params.matrix(first + kWeight), y);
  kernels::bias_activate(options_.activation, params.values(first + kBias), y);
}

void Dense::backward(const ParamSet& params, int first, const Features& x, ConstMatrix y, Matrix dy,
                     Matrix dx, const Pass& pass, GradSink& sink) const {
  expect_columns(*this, "dy", dy, options_.outputs);
  // With a = x W + b: da = dy f'(a), and f' is a function of y for each of these f. db is the sum
  // of da over the rows.
  const kernels::Scratch sums = pass.context.scratch(options_.outputs);
  kernels::activation_backward(options_.activation, y, dy, sums.values());
  // dx = da W^T
  if (dx.data != nullptr)
    kernels::matmul(pass.context, dy, Op::kPlain, params.matrix(first + kWeight), Op::kTransposed,
                    dx, 0);
  // dW = x^T da
  sink.add_product_of(first + kWeight, x, dy);
  sink.add(first + kBias, sums.values());
}

std::string Dense::describe() const {
  return fmt::format("dense {} -> {}, {}", options_.inputs, options_.outputs,
                     to_string(options_.activation));
}

}  // namespace superstep::layers
