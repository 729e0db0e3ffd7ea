// A restricted Boltzmann machine: visible units v (binary, or Gaussian of unit variance), binary
// hidden units h, tensors W (visible, hidden), c (hidden) and b (visible).
//
//   E(v, h) = -b'v - c'h - v'W h                      binary
//   E(v, h) = |v - b|^2 / 2 - c'h - v'W h             Gaussian
//   p(v, h) = exp(-E(v, h)) / Z
//
//   Rbm rbm({.visible = 784, .hidden = 500});
//   rbm.hidden_probabilities(params, first, v, h, context);
//
// As a Layer its output is p(h = 1 | v), as when the stack of a deep-belief network is finetuned
// by backpropagation; b has no part in that. Contrastive divergence is a learner, not a layer: it
// lives in train/. Smolensky 1986; Hinton, "Training products of experts by minimizing
// contrastive divergence", 2002; "A practical guide to training RBMs", 2010 (initial values).
#pragma once

#include <string_view>

#include "superstep/layers/layer.h"

namespace superstep::layers {

enum class Visible { kBinary, kGaussian };

/// "binary", "gaussian".
std::string_view to_string(Visible visible);
/// The inverse; throws ConfigError that lists the names.
Visible parse_visible(std::string_view name);

class Rbm : public Layer {
 public:
  struct Options {
    int64_t visible = 0;
    int64_t hidden = 0;
    Visible visible_kind = Visible::kBinary;
    float weight_scale = 0.01F;  ///< Standard deviation of the initial weights.
  };
  static constexpr int kWeight = 0, kBias = 1, kVisibleBias = 2;  ///< Counted from `first`.

  /// Throws ConfigError unless both sizes are at least 1.
  explicit Rbm(const Options& options);

  [[nodiscard]] std::vector<TensorInit> tensors() const override;
  [[nodiscard]] int64_t inputs() const override { return options_.visible; }
  [[nodiscard]] int64_t outputs() const override { return options_.hidden; }
  [[nodiscard]] const Options& options() const { return options_; }
  void forward(const ParamSet& params, int first, ConstMatrix x, Matrix y,
               const Pass& pass) const override;
  void backward(const ParamSet& params, int first, ConstMatrix x, ConstMatrix y, Matrix dy,
                Matrix dx, const Pass& pass, GradSink& sink) const override;
  [[nodiscard]] std::string describe() const override;

  /// h = p(h = 1 | v): (rows, visible) -> (rows, hidden).
  void hidden_probabilities(const ParamSet& params, int first, ConstMatrix v, Matrix h,
                            kernels::Context& context) const;
  /// v = E[v | h]: (rows, hidden) -> (rows, visible); of binary units the probability of a 1.
  void visible_mean(const ParamSet& params, int first, ConstMatrix h, Matrix v,
                    kernels::Context& context) const;
  /// out[r] = F(v_r) in nats, with p(v) = exp(-F(v)) / Z; one value a row.
  void free_energy(const ParamSet& params, int first, ConstMatrix v, std::span<double> out,
                   kernels::Context& context) const;
  /// The visible bias that a unit of this mean over the data starts from: log(m / (1 - m)) with m
  /// kept within [0.01, 0.99] for binary units, the mean for Gaussian ones.
  [[nodiscard]] float initial_visible_bias(double mean) const;

 private:
  Options options_;
};

}  // namespace superstep::layers
