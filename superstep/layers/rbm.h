// A restricted Boltzmann machine: visible units v and hidden units h of some kind (units.h),
// tensors W (visible, hidden), c (hidden) and b (visible).
//
//   E(v, h) = A(v) + B(h) - v'W h,      p(v, h) = exp(-E(v, h)) / Z
//
//   visible   A(v)            E[v | h], a = b + W h    a state
//   binary    -b'v            sigmoid(a)               0 or 1
//   gaussian  |v - b|^2 / 2   a                        a + N(0, 1)
//   linear    |v - b|^2 / 2   a                        a: the mean goes on without noise
//   softmax   -b'v            N softmax(a)             counts of N choices; N is the row's sum
//
//   hidden    B(h)            mean, x = c + v W        a state
//   binary    -c'h            sigmoid(x)               0 or 1
//   gaussian  |h|^2 / 2 - c'h x                        x + N(0, 1)
//   softmax   -c'h            softmax(x)               one 1 among zeros
//   rectified none            max(0, x)                max(0, x + N(0, sigmoid(x)))
//
//   Rbm rbm({.visible = 784, .hidden = 500});
//   rbm.hidden_mean_and_sample(params, first, v, key, row_numbers, mean, h, context);
//   rbm.visible_mean(params, first, h, v, context);
//
// Above softmax units c counts N times (c'h becomes N c'h, x = N c + v W), so that documents of any
// length share one model (replicated softmax: Salakhutdinov and Hinton 2009); one choice among the
// columns is N = 1. Softmax rows are counts, not negative; those of the other kinds may be any
// number, but Gaussian and linear columns should be standardised, for the variance is 1.
//
// Limits: with Gaussian units on both sides p exists only while every singular value of W is below
// 1, and a chain diverges beyond: keep the rate small and the weights decaying. Rectified hidden
// units (each stands for a row of binary ones with shifted biases) have no free energy in closed
// form.
//
// As a Layer its output is the mean of h, as when the stack of a deep-belief network is finetuned
// by backpropagation; b has no part in that. Contrastive divergence is a learner, not a layer: it
// lives in training/. Smolensky 1986; Hinton, "Training products of experts by minimizing
// contrastive divergence", 2002; "A practical guide to training RBMs", 2010 (initial values; 13:
// other units); Welling, Rosen-Zvi and Hinton 2005 (kinds in general); Nair and Hinton 2010
// (rectified).
#pragma once

#include "superstep/layers/layer.h"
#include "superstep/layers/units.h"

namespace superstep::layers {

class Rbm : public Layer {
 public:
  struct Options {
    int64_t visible = 0;
    int64_t hidden = 0;
    Units visible_units = Units::kBinary;  ///< Binary, gaussian, softmax or linear.
    Units hidden_units = Units::kBinary;   ///< Binary, rectified, gaussian or softmax.
    float weight_scale = 0.01F;            ///< Standard deviation of the initial weights.
    /// A fourth tensor "generative_weight" (visible, hidden), zero at first, takes the place of W
    /// in visible_mean alone: up-down finetuning unties the two (Hinton, Osindero and Teh 2006).
    bool untied = false;
  };
  /// Counted from `first`.
  static constexpr int kWeight = 0, kBias = 1, kVisibleBias = 2, kGenerativeWeight = 3;

  /// Throws ConfigError unless both sizes are at least 1 and both kinds are among the above.
  explicit Rbm(const Options& options);

  [[nodiscard]] std::vector<TensorInit> tensors() const override;
  [[nodiscard]] int64_t inputs() const override { return options_.visible; }
  [[nodiscard]] int64_t outputs() const override { return options_.hidden; }
  [[nodiscard]] const Options& options() const { return options_; }
  void forward(const ParamSet& params, int first, const Features& x, Matrix y,
               const Pass& pass) const override;
  void backward(const ParamSet& params, int first, const Features& x, ConstMatrix y, Matrix dy,
                Matrix dx, const Pass& pass, GradSink& sink) const override;
  /// "rbm 784 binary -> 500 binary".
  [[nodiscard]] std::string describe() const override;

  /// h = the mean of the hidden units given v: (rows, visible) -> (rows, hidden).
  void hidden_mean(const ParamSet& params, int first, const Features& v, Matrix h,
                   kernels::Context& context) const;
  /// The same into `mean`, and a state drawn into `sample`, both (rows, hidden). One call, for the
  /// noise of rectified units needs more than their mean. Neither may overlap v or the other.
  void hidden_mean_and_sample(const ParamSet& params, int first, const Features& v, RngKey key,
                              std::span<const int64_t> row_numbers, Matrix mean, Matrix sample,
                              kernels::Context& context) const;
  /// v = E[v | h]: (rows, hidden) -> (rows, visible). `totals` holds N a row for softmax units (see
  /// row_totals); empty: 1. The other kinds do not read it.
  void visible_mean(const ParamSet& params, int first, ConstMatrix h, Matrix v,
                    kernels::Context& context, std::span<const float> totals = {}) const;
  /// A state drawn from the mean of visible units. Softmax units: N choices, N being the sum of the
  /// means. Linear units: the mean. No overlap.
  void sample_visible(ConstMatrix mean, RngKey key, std::span<const int64_t> row_numbers,
                      Matrix sample) const;

  /// Whether free_energy exists: for all but rectified hidden units.
  [[nodiscard]] bool has_free_energy() const { return options_.hidden_units != Units::kRectified; }
  /// out[r] = F(v_r) in nats, with p(v) = exp(-F(v)) / Z; one value a row. Softmax units: of the N
  /// choices in one given order, so only rows of the same N compare. Throws Error without one.
  void free_energy(const ParamSet& params, int first, const Features& v, std::span<double> out,
                   kernels::Context& context) const;
  /// The visible bias that a unit of this mean over the data starts from: see units.h.
  [[nodiscard]] float initial_visible_bias(double mean) const;

 private:
  [[nodiscard]] double visible_energy(const Features& v, int64_t r, std::span<const float> b) const;
  void hidden_input(const ParamSet& params, int first, const Features& v, Matrix x,
                    kernels::Context& context) const;
  Options options_;
};

}  // namespace superstep::layers
