// A layer: a function of rows with parameters, and its derivative.
//
//   Dense layer({.inputs = 784, .outputs = 500, .activation = Activation::kSigmoid});
//   layer.forward(params, first, x, y, pass);
//   layer.backward(params, first, x, y, dy, dx, pass, sink);
//
// A layer holds sizes and choices, no numbers: its tensors are consecutive in a ParamSet, from
// index `first` on, in the order of tensors(). It knows one device, no workers, no optimizer.
// Every layer's test calls check_layer (layers/check_layer.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "superstep/base/rng.h"
#include "superstep/kernels/context.h"
#include "superstep/tensor/batch.h"
#include "superstep/tensor/param_set.h"

namespace superstep::layers {

enum class Mode { kTrain, kEvaluate };

/// What goes with a batch through all layers.
struct Pass {
  Mode mode;
  RngKey key;                            ///< Folded by the caller with what names this layer.
  std::span<const int64_t> row_numbers;  ///< One a row of x.
  kernels::Context& context;
};

/// How a fresh tensor is filled.
enum class Fill { kZero, kNormal, kUniform };

struct TensorInit {
  std::string name;  ///< Relative: "weight", "bias".
  Shape shape;
  Fill fill = Fill::kZero;
  float scale = 0;  ///< Standard deviation of kNormal; kUniform draws from [-scale, scale).
};

class Layer {
 public:
  virtual ~Layer() = default;

  [[nodiscard]] virtual std::vector<TensorInit> tensors() const = 0;
  /// Columns of x and of y.
  [[nodiscard]] virtual int64_t inputs() const = 0;
  [[nodiscard]] virtual int64_t outputs() const = 0;

  /// y from x: (rows, inputs) -> (rows, outputs). x may be sparse: then y differs from that of the
  /// same rows written out by rounding alone. Throws Error when a size does not fit.
  virtual void forward(const ParamSet& params, int first, const Features& x, Matrix y,
                       const Pass& pass) const = 0;

  /// From dy, the gradient of the loss at y, to the gradient at x and at the tensors.
  ///
  /// x and y are those of forward, under the same pass. dy may be overwritten. dx has the size of
  /// x, or no data: not wanted. dx is whole before the first tensor's gradient goes to the sink,
  /// for the sink may move that tensor at once. A tensor without an influence on y is not handed
  /// over.
  virtual void backward(const ParamSet& params, int first, const Features& x, ConstMatrix y,
                        Matrix dy, Matrix dx, const Pass& pass, GradSink& sink) const = 0;

  /// "dense 784 -> 500, sigmoid".
  [[nodiscard]] virtual std::string describe() const = 0;
};

/// Fills a tensor as `init` says. The numbers depend on the key and on the tensor's name.
void initialize(const TensorInit& init, RngKey key, std::span<float> values);

/// Throws Error unless `matrix` has `cols` columns: "[rbm 784 binary -> 500] x must be (rows, 784),
/// got (64, 780)".
void expect_columns(const Layer& layer, const char* what, const Features& matrix, int64_t cols);

}  // namespace superstep::layers
