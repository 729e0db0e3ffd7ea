// Checks the derivative of any layer or loss against central differences.
//
//   const GradientReport report = check_layer(layer, {.rows = 3});
//   EXPECT_LT(report.largest_error, 1e-3) << report.where;
//
// The outputs of backward are filled with NaN first, so that an entry that was never written is
// found. After dlib's test_layer. Cost: two forward passes for each element of x and the tensors,
// so keep them few; float32 bounds what can be seen to an error of about 1e-4.
#pragma once

#include <string>

#include "superstep/layers/layer.h"
#include "superstep/layers/loss.h"

namespace superstep::layers {

struct CheckOptions {
  int64_t rows = 3;
  uint64_t seed = 1;  ///< Of x, the tensors and the weights of the outputs.
  Mode mode = Mode::kTrain;
  float tensor_scale = 0.5F;  ///< Standard deviation of the tensors; x has 1.
};

struct GradientReport {
  /// The largest |backward - central difference|, divided by the largest derivative of the same
  /// tensor; infinity if an entry was not written or is not finite.
  double largest_error = 0;
  std::string where;     ///< "weight[17]: backward 0.25, differences 0.5".
  int64_t compared = 0;  ///< Number of elements compared.
  int64_t kinks = 0;     ///< Left out: the slopes on both sides differ, as at the 0 of a relu.
};

/// Compares the gradients of sum(r * y), with random r, at x and at every tensor.
GradientReport check_layer(const Layer& layer, const CheckOptions& options = {});

/// Compares the gradient at z of the mean loss over the batch.
GradientReport check_loss(const Loss& loss, ConstMatrix z, const Batch& batch);

}  // namespace superstep::layers
