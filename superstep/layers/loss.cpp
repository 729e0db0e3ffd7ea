#include "superstep/layers/loss.h"

#include <cmath>
#include <utility>

#include "superstep/base/error.h"
#include "superstep/kernels/elementwise.h"

namespace superstep::layers {
namespace {

void expect_rows(const Loss& loss, ConstMatrix z, const Batch& batch, const Matrix* dz) {
  if (z.rows != batch.rows())
    throw Error(fmt::format("[{}] z must have {} rows, got {}", loss.name(), batch.rows(),
                            z.shape().to_string()));
  SUPERSTEP_ASSERT(dz == nullptr || (dz->rows == z.rows && dz->cols == z.cols));
}

ConstMatrix targets_of(const Loss& loss, ConstMatrix z, const Batch& batch) {
  if (batch.targets.shape() != z.shape())
    throw Error(fmt::format("[{}] the batch must have targets of {}, got {}", loss.name(),
                            z.shape().to_string(), batch.targets.shape().to_string()));
  return batch.targets.matrix();
}

}  // namespace

SoftmaxCrossEntropy::SoftmaxCrossEntropy(std::vector<float> class_weights)
    : class_weights_(std::move(class_weights)) {
  for (size_t k = 0; k < class_weights_.size(); ++k)
    if (!std::isfinite(class_weights_[k]) || class_weights_[k] < 0)
      throw ConfigError("the weight of class {} must be finite and at least 0, got {}", k,
                        class_weights_[k]);
}

// loss = w (log sum exp z - z[label]); dz = w (softmax(z) - one at the label) / rows, w the weight
// of the label's class
double SoftmaxCrossEntropy::evaluate(ConstMatrix z, const Batch& batch, Matrix* dz) const {
  expect_rows(*this, z, batch, dz);
  if (static_cast<int64_t>(batch.labels.size()) != z.rows)
    throw Error(fmt::format("[{}] the batch must have {} labels, got {}", name(), z.rows,
                            batch.labels.size()));
  if (!class_weights_.empty() && static_cast<int64_t>(class_weights_.size()) != z.cols)
    throw Error(fmt::format("[{}] there must be {} class weights, got {}", name(), z.cols,
                            class_weights_.size()));
  const auto weight = [&](int32_t label) {
    return class_weights_.empty() ? 1.0F : class_weights_[static_cast<size_t>(label)];
  };
  double sum = 0;
  for (int64_t r = 0; r < z.rows; ++r) {
    const int32_t label = batch.labels[static_cast<size_t>(r)];
    SUPERSTEP_ASSERT(label >= 0 && label < z.cols);
    sum += double{weight(label)} *
           (kernels::log_sum_exp(z.row(r)) - static_cast<double>(z.row(r)[label]));
  }
  if (dz == nullptr) return sum;
  if (dz->data != z.data) kernels::copy(z, *dz);
  kernels::softmax_rows(*dz);
  const float share = 1.0F / static_cast<float>(z.rows);
  for (int64_t r = 0; r < z.rows; ++r) {
    const int32_t label = batch.labels[static_cast<size_t>(r)];
    const std::span<float> row = dz->row(r);
    row[static_cast<size_t>(label)] -= 1.0F;
    for (float& value : row) value *= weight(label) * share;
  }
  return sum;
}

void SoftmaxCrossEntropy::predict(Matrix z) const { kernels::softmax_rows(z); }

// loss = |z - t|^2 / 2; dz = (z - t) / rows
double SquaredError::evaluate(ConstMatrix z, const Batch& batch, Matrix* dz) const {
  expect_rows(*this, z, batch, dz);
  const ConstMatrix t = targets_of(*this, z, batch);
  const double sum = kernels::squared_distance(z, t) / 2;
  if (dz == nullptr) return sum;
  kernels::subtract(z, t, *dz);
  kernels::scale(1.0F / static_cast<float>(z.rows), *dz, *dz);
  return sum;
}

void SquaredError::predict(Matrix) const {}

// loss = log(1 + exp(z)) - t z; dz = (sigmoid(z) - t) / rows
double SigmoidCrossEntropy::evaluate(ConstMatrix z, const Batch& batch, Matrix* dz) const {
  expect_rows(*this, z, batch, dz);
  const ConstMatrix t = targets_of(*this, z, batch);
  double sum = 0;
  for (int64_t r = 0; r < z.rows; ++r) {
    const std::span<const float> z_row = z.row(r), t_row = t.row(r);
    for (size_t j = 0; j < z_row.size(); ++j)
      sum += kernels::softplus(z_row[j]) - double{t_row[j]} * double{z_row[j]};
  }
  if (dz == nullptr) return sum;
  if (dz->data != z.data) kernels::copy(z, *dz);
  kernels::sigmoid(*dz);
  kernels::subtract(*dz, t, *dz);
  kernels::scale(1.0F / static_cast<float>(z.rows), *dz, *dz);
  return sum;
}

void SigmoidCrossEntropy::predict(Matrix z) const { kernels::sigmoid(z); }

std::unique_ptr<Loss> make_loss(std::string_view name) {
  if (name == "softmax_cross_entropy") return std::make_unique<SoftmaxCrossEntropy>();
  if (name == "squared_error") return std::make_unique<SquaredError>();
  if (name == "sigmoid_cross_entropy") return std::make_unique<SigmoidCrossEntropy>();
  throw ConfigError("no loss '{}': softmax_cross_entropy, squared_error or sigmoid_cross_entropy",
                    name);
}

}  // namespace superstep::layers
