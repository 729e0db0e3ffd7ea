#include "superstep/layers/label_rbm.h"

#include <algorithm>

#include "superstep/kernels/activation.h"
#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/matmul.h"
#include "superstep/kernels/sparse.h"
#include "superstep/layers/softplus.h"

namespace superstep::layers {

using kernels::Activation;
using kernels::Op;

LabelRbm::LabelRbm(const Options& options) : options_(options) {
  if (options.inputs < 1 || options.hidden < 1 || options.classes < 2)
    throw ConfigError(
        "a label RBM needs at least 1 input, 1 hidden unit and 2 classes, got {}, {} and {}",
        options.inputs, options.hidden, options.classes);
}

std::vector<TensorInit> LabelRbm::tensors() const {
  const int64_t inputs = options_.inputs, hidden = options_.hidden, classes = options_.classes;
  return {{"weight", {inputs, hidden}, Fill::kNormal, options_.weight_scale},
          {"bias", {hidden}},
          {"visible_bias", {inputs}},
          {"label_weight", {classes, hidden}, Fill::kNormal, options_.weight_scale},
          {"label_bias", {classes}}};
}

// x = v W
void LabelRbm::feature_input(const ParamSet& params, int first, const Features& v, Matrix x,
                             kernels::Context& context) const {
  expect_columns(*this, "v", v, options_.inputs);
  expect_columns(*this, "h", x, options_.hidden);
  kernels::multiply(context, v, params.matrix(first + kWeight), x);
}

// x = v W + y U
void LabelRbm::joint_input(const ParamSet& params, int first, const Features& v, ConstMatrix labels,
                           Matrix x, kernels::Context& context) const {
  expect_columns(*this, "labels", labels, options_.classes);
  SUPERSTEP_ASSERT(labels.rows == v.rows());
  feature_input(params, first, v, x, context);
  kernels::matmul(context, labels, Op::kPlain, params.matrix(first + kLabelWeight), Op::kPlain, x,
                  1);
}

// p(h_j = 1 | v, y) = sigmoid(c_j + (v W)_j + (y U)_j)
void LabelRbm::hidden_mean(const ParamSet& params, int first, const Features& v, ConstMatrix labels,
                           Matrix h, kernels::Context& context) const {
  joint_input(params, first, v, labels, h, context);
  kernels::bias_activate(Activation::kSigmoid, params.values(first + kBias), h);
}

void LabelRbm::hidden_mean_and_sample(const ParamSet& params, int first, const Features& v,
                                      ConstMatrix labels, RngKey key,
                                      std::span<const int64_t> row_numbers, Matrix mean,
                                      Matrix sample, kernels::Context& context) const {
  joint_input(params, first, v, labels, mean, context);
  kernels::bias_sigmoid_sample(params.values(first + kBias), key, row_numbers, mean, sample);
}

// p(v_i = 1 | h) = sigmoid(b_i + (h W^T)_i)
void LabelRbm::visible_mean(const ParamSet& params, int first, ConstMatrix h, Matrix v,
                            kernels::Context& context) const {
  expect_columns(*this, "h", h, options_.hidden);
  expect_columns(*this, "v", v, options_.inputs);
  kernels::matmul(context, h, Op::kPlain, params.matrix(first + kWeight), Op::kTransposed, v, 0);
  kernels::bias_activate(Activation::kSigmoid, params.values(first + kVisibleBias), v);
}

// p(y | h) = softmax(d + h U^T)
void LabelRbm::label_mean(const ParamSet& params, int first, ConstMatrix h, Matrix labels,
                          kernels::Context& context) const {
  expect_columns(*this, "h", h, options_.hidden);
  expect_columns(*this, "labels", labels, options_.classes);
  kernels::matmul(context, h, Op::kPlain, params.matrix(first + kLabelWeight), Op::kTransposed,
                  labels, 0);
  kernels::add_row(labels, params.values(first + kLabelBias));
  kernels::softmax_rows(labels);
}

// F(v, y) = -b'v - d'y - sum over j of log(1 + exp(c_j + (v W)_j + (y U)_j))
void LabelRbm::free_energy(const ParamSet& params, int first, const Features& v, ConstMatrix labels,
                           std::span<double> out, kernels::Context& context) const {
  SUPERSTEP_ASSERT(v.rows() == static_cast<int64_t>(out.size()));
  const kernels::Scratch memory = context.scratch(v.rows() * options_.hidden);
  const Matrix input = memory.matrix(v.rows(), options_.hidden);
  joint_input(params, first, v, labels, input, context);
  kernels::add_row(input, params.values(first + kBias));
  const auto b = params.values(first + kVisibleBias), d = params.values(first + kLabelBias);
  for (int64_t r = 0; r < v.rows(); ++r) {
    double energy = 0;
    if (v.is_sparse()) {
      const auto columns = v.sparse().row_columns(r);
      const auto values = v.sparse().row_values(r);
      for (size_t k = 0; k < columns.size(); ++k)
        energy -= double{b[static_cast<size_t>(columns[k])]} * double{values[k]};
    } else {
      for (size_t i = 0; i < b.size(); ++i) energy -= double{b[i]} * double{v.dense().row(r)[i]};
    }
    for (size_t y = 0; y < d.size(); ++y) energy -= double{d[y]} * double{labels.row(r)[y]};
    out[static_cast<size_t>(r)] = energy - sum_softplus(input.row(r));
  }
}

// score_y = d_y + sum over j of log(1 + exp(a_yj)) with a_yj = c_j + (x W)_j + U_yj
void LabelRbm::forward(const ParamSet& params, int first, const Features& x, Matrix y,
                       const Pass& pass) const {
  expect_columns(*this, "y", y, options_.classes);
  const kernels::Scratch memory = pass.context.scratch(x.rows() * options_.hidden);
  const Matrix input = memory.matrix(x.rows(), options_.hidden);
  feature_input(params, first, x, input, pass.context);
  kernels::add_row(input, params.values(first + kBias));
  const ConstMatrix u = params.matrix(first + kLabelWeight);
  const std::span<const float> d = params.values(first + kLabelBias);
  const kernels::Scratch row = pass.context.scratch(options_.hidden);
  for (int64_t r = 0; r < x.rows(); ++r) {
    for (int64_t k = 0; k < options_.classes; ++k) {
      std::ranges::copy(input.row(r), row.values().begin());
      kernels::axpy(1.0F, u.row(k), row.values());
      y.row(r)[k] = static_cast<float>(double{d[k]} + sum_softplus(row.values()));
    }
  }
}

void LabelRbm::backward(const ParamSet& params, int first, const Features& x, ConstMatrix y,
                        Matrix dy, Matrix dx, const Pass& pass, GradSink& sink) const {
  expect_columns(*this, "y", y, options_.classes);
  expect_columns(*this, "dy", dy, options_.classes);
  const int64_t hidden = options_.hidden, classes = options_.classes;
  kernels::Context& context = pass.context;
  const kernels::Scratch input_memory = context.scratch(x.rows() * hidden);
  const Matrix input = input_memory.matrix(x.rows(), hidden);
  feature_input(params, first, x, input, context);
  kernels::add_row(input, params.values(first + kBias));
  const ConstMatrix u = params.matrix(first + kLabelWeight);

  // With s = sigmoid(a_yj): da_j = sum over y of dy_y s; dU_yj = the sum of dy_y s over the rows
  const kernels::Scratch da_memory = context.scratch(x.rows() * hidden);
  const Matrix da = da_memory.matrix(x.rows(), hidden);
  const kernels::Scratch du_memory = context.scratch(classes * hidden);
  const Matrix du = du_memory.matrix(classes, hidden);
  std::ranges::fill(da_memory.values(), 0.0F);
  std::ranges::fill(du_memory.values(), 0.0F);
  const kernels::Scratch row = context.scratch(hidden);
  for (int64_t r = 0; r < x.rows(); ++r) {
    for (int64_t k = 0; k < classes; ++k) {
      std::ranges::copy(input.row(r), row.values().begin());
      kernels::axpy(1.0F, u.row(k), row.values());
      kernels::sigmoid(row.matrix(1, hidden));
      kernels::axpy(dy.row(r)[k], row.values(), da.row(r));
      kernels::axpy(dy.row(r)[k], row.values(), du.row(k));
    }
  }
  // dx = da W^T
  if (dx.data != nullptr)
    kernels::matmul(context, da, Op::kPlain, params.matrix(first + kWeight), Op::kTransposed, dx,
                    0);
  // dW = x^T da; dc = the sum of da, dd that of dy, over the rows
  sink.add_product_of(first + kWeight, x, da);
  const kernels::Scratch sums = context.scratch(std::max(hidden, classes));
  const auto dc = sums.values().first(static_cast<size_t>(hidden));
  kernels::column_sums(da, dc);
  sink.add(first + kBias, dc);
  sink.add(first + kLabelWeight, du_memory.values());
  const auto dd = sums.values().first(static_cast<size_t>(classes));
  kernels::column_sums(dy, dd);
  sink.add(first + kLabelBias, dd);
}

std::string LabelRbm::describe() const {
  return fmt::format("label rbm {} + {} classes -> {}", options_.inputs, options_.classes,
                     options_.hidden);
}

}  // namespace superstep::layers
