#include "superstep/models/network.h"

#include "superstep/kernels/activation.h"
#include "superstep/kernels/sparse.h"
#include "superstep/layers/dense.h"
#include "superstep/layers/label_rbm.h"
#include "superstep/layers/rbm.h"

namespace superstep::models {

using layers::Layer;
using layers::Pass;

namespace {

RngKey dropout_key(const Pass& pass, int layer) {
  return pass.key.fold("dropout").fold(static_cast<uint64_t>(layer));
}

// Inputs of layer i, some left out.
Features thinned(bool sparse, int i, const Network::Workspace& work) {
  if (sparse) return work.thinned_features;
  return work.thinned[static_cast<size_t>(i)].matrix();
}

Features thin(double rate, int i, const Features& input, Network::Workspace& work,
              const Pass& pass) {
  const RngKey key = dropout_key(pass, i);
  if (input.is_sparse()) {
    kernels::dropout(pass.context, rate, key, pass.row_numbers, input.sparse(),
                     work.thinned_features);
  } else {
    Tensor& out = work.thinned[static_cast<size_t>(i)];
    out.resize(input.shape());
    kernels::dropout(rate, key, pass.row_numbers, input.dense(), out.matrix());
  }
  return thinned(input.is_sparse(), i, work);
}

}  // namespace

Network::Network(std::vector<std::unique_ptr<Layer>> layers) : layers_(std::move(layers)) {
  SUPERSTEP_ASSERT(!layers_.empty());
  std::vector<ParamSpec> specs;
  for (int i = 0; i < size(); ++i) {
    SUPERSTEP_ASSERT(i == 0 || layer(i).inputs() == layer(i - 1).outputs());
    firsts_.push_back(static_cast<int>(specs.size()));
    for (layers::TensorInit init : layer(i).tensors()) {
      init.name = fmt::format("layer.{}.{}", i, init.name);
      specs.push_back({init.name, init.shape});
      inits_.push_back(std::move(init));
    }
  }
  layout_ = std::make_shared<const ParamLayout>(std::move(specs));
}

std::vector<int> Network::tensors(int i) const {
  const int end = i + 1 < size() ? first(i + 1) : layout_->size();
  std::vector<int> out;
  for (int t = first(i); t < end; ++t) out.push_back(t);
  return out;
}

std::string Network::describe() const {
  std::string text = std::to_string(inputs());
  for (const auto& layer : layers_) text += fmt::format("-{}", layer->outputs());
  return text;
}

ParamSet Network::initial(RngKey key) const {
  ParamSet params(layout_);
  for (int t = 0; t < layout_->size(); ++t) {
    layers::initialize(inits_[index(t)], key, params.values(t));
  }
  return params;
}

ConstMatrix Network::forward(const ParamSet& params, const Features& x, int end, Workspace& work,
                             const Pass& pass) const {
  work.activations.resize(layers_.size());
  Features input = x;
  for (int i = 0; i < end; ++i) {
    Tensor& output = work.activations[index(i)];
    output.resize({x.rows(), layer(i).outputs()});
    layer(i).forward(params, first(i), input, output.matrix(), pass);
    input = output.matrix();
  }
  return input.dense();
}

ConstMatrix Network::forward(const ParamSet& params, const Features& x, Workspace& work,
                             const Pass& pass, std::span<const double> dropout) const {
  if (dropout.empty()) return forward(params, x, size(), work, pass);
  SUPERSTEP_ASSERT(dropout.size() == layers_.size());
  work.activations.resize(layers_.size());
  work.thinned.resize(layers_.size());
  Features input = x;
  for (int i = 0; i < size(); ++i) {
    if (is_thinned(dropout, i)) input = thin(dropout[index(i)], i, input, work, pass);
    Tensor& output = work.activations[index(i)];
    output.resize({x.rows(), layer(i).outputs()});
    layer(i).forward(params, first(i), input, output.matrix(), pass);
    input = output.matrix();
  }
  return input.dense();
}

void Network::backward(const ParamSet& params, const Features& x, Matrix dz, Workspace& work,
                       const Pass& pass, GradSink& sink, std::span<const double> dropout) const {
  work.gradients.resize(layers_.size());
  Matrix dy = dz;
  for (int i = size() - 1; i >= 0; --i) {
    const ConstMatrix y = std::as_const(work.activations[index(i)]).matrix();
    Matrix dx;  // of the data: not wanted
    Features input = x;
    if (i > 0) {
      input = std::as_const(work.activations[index(i - 1)]).matrix();
      work.gradients[index(i - 1)].resize({x.rows(), layer(i).inputs()});
      dx = work.gradients[index(i - 1)].matrix();
    }
    if (is_thinned(dropout, i)) input = thinned(input.is_sparse(), i, work);
    layer(i).backward(params, first(i), input, y, dy, dx, pass, sink);
    // What was left out on the way up has no gradient; the rest was enlarged.
    if (i > 0 && is_thinned(dropout, i))
      kernels::dropout(dropout[index(i)], dropout_key(pass, i), pass.row_numbers, dx, dx);
    dy = dx;
  }
}

Network make_network(const ModelConfig& config, int64_t inputs, int64_t outputs) {
  using layers::Rbm, layers::Dense;
  std::vector<std::unique_ptr<Layer>> stack;
  int64_t width = inputs;
  // A generative net's uppermost machine has the label beside its features.
  const bool label_on_top = config.generative && config.has_output();
  const size_t machines = config.hidden.size() - (label_on_top ? 1 : 0);
  layers::Units visible = layers::parse_units(config.visible);
  const layers::Units hidden_units = layers::parse_units(config.hidden_units);
  for (size_t k = 0; k < machines; ++k) {
    const int64_t hidden = config.hidden[k];
    if (config.pretrained()) {
      stack.push_back(std::make_unique<Rbm>(Rbm::Options{.visible = width,
                                                         .hidden = hidden,
                                                         .visible_units = visible,
                                                         .hidden_units = hidden_units,
                                                         .untied = config.generative}));
      // Only the lowest machine sees data; those above see the means of hidden units.
      visible = layers::visible_above(hidden_units);
    } else {
      stack.push_back(std::make_unique<Dense>(
          Dense::Options{.inputs = width,
                         .outputs = hidden,
                         .activation = layers::parse_activation(config.activation)}));
    }
    width = hidden;
  }
  if (label_on_top)
    stack.push_back(std::make_unique<layers::LabelRbm>(layers::LabelRbm::Options{
        .inputs = width, .hidden = config.hidden.back(), .classes = outputs}));
  else if (config.has_output())  // begins at zero: every class is as likely as another
    stack.push_back(std::make_unique<Dense>(
        Dense::Options{.inputs = width, .outputs = outputs, .zero_init = true}));
  return Network(std::move(stack));
}

}  // namespace superstep::models
