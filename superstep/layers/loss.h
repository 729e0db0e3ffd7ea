// Losses: how far the scores z of the last layer (linear) are from the labels or targets.
//
//   auto loss = make_loss("softmax_cross_entropy");
//   sum += loss->evaluate(z, batch, &dz);     // nats, summed over the rows
//   loss->predict(z);                         // z becomes probabilities
//
// Label and target say what is right; the activation that belongs to a loss (softmax, sigmoid,
// none) is part of it, so that value and gradient are stable for any finite score.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "superstep/tensor/batch.h"

namespace superstep::layers {

class Loss {
 public:
  virtual ~Loss() = default;

  /// The SUM of the loss over the rows of z (rows, outputs), in double, from first row to last.
  /// With `dz` (of z's size; it may be z) also the gradient of the MEAN over the rows.
  /// Throws Error when the batch lacks what the loss compares with, or its size differs.
  virtual double evaluate(ConstMatrix z, const Batch& batch, Matrix* dz) const = 0;

  /// Turns scores into predictions, in place: probabilities, or expected targets.
  virtual void predict(Matrix z) const = 0;

  /// Its name in make_loss.
  [[nodiscard]] virtual std::string_view name() const = 0;
};

/// -log softmax(z)[label], in nats, times the weight of the label's class. Reads batch.labels.
class SoftmaxCrossEntropy : public Loss {
 public:
  /// One weight a class, finite and not negative; empty: all 1. The mean stays one over rows:
  /// weights that average 1 over the training rows keep the size of a step. Throws ConfigError.
  explicit SoftmaxCrossEntropy(std::vector<float> class_weights = {});

  double evaluate(ConstMatrix z, const Batch& batch, Matrix* dz) const override;
  void predict(Matrix z) const override;
  [[nodiscard]] std::string_view name() const override { return "softmax_cross_entropy"; }

 private:
  std::vector<float> class_weights_;
};

/// |z - target|^2 / 2, summed over the outputs. Reads batch.targets.
class SquaredError : public Loss {
 public:
  double evaluate(ConstMatrix z, const Batch& batch, Matrix* dz) const override;
  void predict(Matrix z) const override;
  [[nodiscard]] std::string_view name() const override { return "squared_error"; }
};

/// -t log s - (1 - t) log(1 - s) with s = sigmoid(z) and a target t in [0, 1], summed over the
/// outputs, in nats. Reads batch.targets.
class SigmoidCrossEntropy : public Loss {
 public:
  double evaluate(ConstMatrix z, const Batch& batch, Matrix* dz) const override;
  void predict(Matrix z) const override;
  [[nodiscard]] std::string_view name() const override { return "sigmoid_cross_entropy"; }
};

/// Throws ConfigError that lists the names.
std::unique_ptr<Loss> make_loss(std::string_view name);

}  // namespace superstep::layers
