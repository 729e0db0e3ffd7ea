// A restricted Boltzmann machine over features v and a class y together: the top of a deep-belief
// network that knows labels. Binary v (or probabilities), one softmax group y, binary hidden units
// h; tensors W (inputs, hidden), c (hidden), b (inputs), U (classes, hidden), d (classes).
//
//   E(v, y, h) = -b'v - d_y - c'h - v'W h - U_y h,      p(v, y, h) = exp(-E(v, y, h)) / Z
//
//   LabelRbm top({.inputs = 500, .hidden = 2000, .classes = 10});
//   top.hidden_mean_and_sample(params, first, v, labels, key, row_numbers, mean, h, context);
//   top.visible_mean(params, first, h, v, context);      // and label_mean: one Gibbs step
//
// Labels are rows of `classes` numbers: a 1 among zeros, or probabilities. b and d may start from
// initial_visible_bias (units.h) of binary and of softmax units.
//
// As a Layer its output is the score of each class, log p(y | v) up to a constant of the row: put a
// softmax cross-entropy on it, and the machine is trained to discriminate (b has no part in that).
// The score is exact, not sampled; it costs rows x classes x hidden sigmoids. Hinton, Osindero and
// Teh, "A fast learning algorithm for deep belief nets", 2006; Larochelle and Bengio,
// "Classification using discriminative restricted Boltzmann machines", 2008.
#pragma once

#include "superstep/layers/layer.h"

namespace superstep::layers {

class LabelRbm : public Layer {
 public:
  struct Options {
    int64_t inputs = 0;
    int64_t hidden = 0;
    int64_t classes = 0;
    float weight_scale = 0.01F;  ///< Standard deviation of the initial W and U.
  };
  /// Counted from `first`: "weight", "bias", "visible_bias", "label_weight", "label_bias".
  static constexpr int kWeight = 0, kBias = 1, kVisibleBias = 2, kLabelWeight = 3, kLabelBias = 4;

  /// Throws ConfigError unless inputs and hidden are at least 1 and classes at least 2.
  explicit LabelRbm(const Options& options);

  [[nodiscard]] std::vector<TensorInit> tensors() const override;
  [[nodiscard]] int64_t inputs() const override { return options_.inputs; }
  [[nodiscard]] int64_t outputs() const override { return options_.classes; }
  [[nodiscard]] const Options& options() const { return options_; }
  /// y = scores: (rows, inputs) -> (rows, classes), log p(class | x) + a number of the row, in
  /// nats.
  void forward(const ParamSet& params, int first, const Features& x, Matrix y,
               const Pass& pass) const override;
  void backward(const ParamSet& params, int first, const Features& x, ConstMatrix y, Matrix dy,
                Matrix dx, const Pass& pass, GradSink& sink) const override;
  /// "label rbm 500 + 10 classes -> 2000".
  [[nodiscard]] std::string describe() const override;

  /// h = p(h = 1 | v, labels): (rows, inputs) and (rows, classes) -> (rows, hidden).
  void hidden_mean(const ParamSet& params, int first, const Features& v, ConstMatrix labels,
                   Matrix h, kernels::Context& context) const;
  /// The same into `mean`, and a state of 0 and 1 drawn into `sample`. No overlap.
  void hidden_mean_and_sample(const ParamSet& params, int first, const Features& v,
                              ConstMatrix labels, RngKey key, std::span<const int64_t> row_numbers,
                              Matrix mean, Matrix sample, kernels::Context& context) const;
  /// v = p(v = 1 | h): (rows, hidden) -> (rows, inputs). States: kernels::sample_bernoulli.
  void visible_mean(const ParamSet& params, int first, ConstMatrix h, Matrix v,
                    kernels::Context& context) const;
  /// labels = p(class | h): (rows, hidden) -> (rows, classes). States: sample_choice (units.h).
  void label_mean(const ParamSet& params, int first, ConstMatrix h, Matrix labels,
                  kernels::Context& context) const;
  /// out[r] = F(v_r, y_r) in nats, with p(v, y) = exp(-F(v, y)) / Z; one value a row.
  void free_energy(const ParamSet& params, int first, const Features& v, ConstMatrix labels,
                   std::span<double> out, kernels::Context& context) const;

 private:
  void feature_input(const ParamSet& params, int first, const Features& v, Matrix x,
                     kernels::Context& context) const;
  void joint_input(const ParamSet& params, int first, const Features& v, ConstMatrix labels,
                   Matrix x, kernels::Context& context) const;
  Options options_;
};

}  // namespace superstep::layers
