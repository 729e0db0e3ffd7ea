// A dense layer: y = f(x W + b), with W (inputs, outputs) and b (outputs).
//
//   Dense hidden({.inputs = 784, .outputs = 500, .activation = Activation::kSigmoid});
//   Dense top({.inputs = 500, .outputs = 10, .zero_init = true});   // scores for a softmax
//
// docs/layers/dense.md has the derivatives and where the initial weights come from.
#pragma once

#include <string_view>

#include "superstep/kernels/activation.h"
#include "superstep/layers/layer.h"

namespace superstep::layers {

using kernels::Activation;

/// "linear", "sigmoid", "tanh", "relu".
std::string_view to_string(Activation activation);
/// The inverse; throws ConfigError that lists the names.
Activation parse_activation(std::string_view name);

class Dense : public Layer {
 public:
  struct Options {
    int64_t inputs = 0;
    int64_t outputs = 0;
    Activation activation = Activation::kLinear;
    bool zero_init = false;  ///< Weights start at zero: for the top layer below a softmax.
  };
  static constexpr int kWeight = 0, kBias = 1;  ///< Tensors, counted from `first`.

  /// Throws ConfigError unless both sizes are at least 1.
  explicit Dense(const Options& options);

  [[nodiscard]] std::vector<TensorInit> tensors() const override;
  [[nodiscard]] int64_t inputs() const override { return options_.inputs; }
  [[nodiscard]] int64_t outputs() const override { return options_.outputs; }
  [[nodiscard]] const Options& options() const { return options_; }
  void forward(const ParamSet& params, int first, const Features& x, Matrix y,
               const Pass& pass) const override;
  void backward(const ParamSet& params, int first, const Features& x, ConstMatrix y, Matrix dy,
                Matrix dx, const Pass& pass, GradSink& sink) const override;
  [[nodiscard]] std::string describe() const override;

 private:
  Options options_;
};

}  // namespace superstep::layers
