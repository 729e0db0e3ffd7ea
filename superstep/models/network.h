// A network: layers one after another, their tensors named in one ParamSet, and what to compute
// forwards and backwards through some or all of them. It knows nothing of workers or of training.
//
//   Network net = make_network(config, inputs, outputs);
//   ParamSet params = net.initial(RngKey(seed));
//   Network::Workspace work;
//   ConstMatrix z = net.forward(params, x, work, pass);     // (rows, outputs): logits or values
//   net.backward(params, x, dz, work, pass, sink);
//
// Tensors are named "layer.<i>.<name>", i from 0.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "superstep/layers/layer.h"
#include "superstep/models/config.h"
#include "superstep/tensor/param_set.h"

namespace superstep::models {

class Network {
 public:
  /// Activations and gradients between the layers; settles after the first batch. One a lane.
  struct Workspace {
    std::vector<Tensor> activations, gradients;
    std::vector<Tensor> thinned;    // inputs of layers, some left out
    SparseMatrix thinned_features;  // the same of rows without zeros
  };

  explicit Network(std::vector<std::unique_ptr<layers::Layer>> layers);

  [[nodiscard]] int size() const { return static_cast<int>(layers_.size()); }
  [[nodiscard]] const layers::Layer& layer(int i) const { return *layers_.at(index(i)); }
  /// The index in the ParamSet of layer i's first tensor.
  [[nodiscard]] int first(int i) const { return firsts_.at(index(i)); }
  /// Indices of the tensors of layer i.
  [[nodiscard]] std::vector<int> tensors(int i) const;
  [[nodiscard]] int64_t inputs() const { return layers_.front()->inputs(); }
  [[nodiscard]] int64_t outputs() const { return layers_.back()->outputs(); }
  [[nodiscard]] const std::shared_ptr<const ParamLayout>& layout() const { return layout_; }
  /// "64-256-128-10".
  [[nodiscard]] std::string describe() const;

  /// Fresh tensors, each filled by the key folded with its name.
  [[nodiscard]] ParamSet initial(RngKey key) const;

  /// The output of layer `end` - 1 for inputs x (rows, inputs) of layer 0; x itself, which
  /// then is dense, for `end` = 0.
  /// The view lies in the workspace, until the next call.
  ConstMatrix forward(const ParamSet& params, const Features& x, int end, Workspace& work,
                      const layers::Pass& pass) const;
  ConstMatrix forward(const ParamSet& params, const Features& x, Workspace& work,
                      const layers::Pass& pass) const {
    return forward(params, x, size(), work, pass);
  }
  /// Through all layers, with inverted dropout of the inputs of layer i at rate dropout[i]; which
  /// are left out follows from pass.key, the layer, the row's number and the column.
  ConstMatrix forward(const ParamSet& params, const Features& x, Workspace& work,
                      const layers::Pass& pass, std::span<const double> dropout) const;
  /// After forward() through all layers for the same x, pass and dropout: hands the gradients of
  /// all tensors to the sink, for dz (rows, outputs) the gradient at the output. dz is used as
  /// scratch.
  void backward(const ParamSet& params, const Features& x, Matrix dz, Workspace& work,
                const layers::Pass& pass, GradSink& sink,
                std::span<const double> dropout = {}) const;

 private:
  [[nodiscard]] static bool is_thinned(std::span<const double> dropout, int i) {
    return !dropout.empty() && dropout[index(i)] > 0;
  }
  static size_t index(int i) { return static_cast<size_t>(i); }

  std::vector<std::unique_ptr<layers::Layer>> layers_;
  std::vector<int> firsts_;
  std::vector<layers::TensorInit> inits_;  // of all tensors, named in full
  std::shared_ptr<const ParamLayout> layout_;
};

/// The network of a config for rows of `inputs` features and `outputs` classes or targets (ignored
/// where the kind has no output layer).
Network make_network(const ModelConfig& config, int64_t inputs, int64_t outputs);

}  // namespace superstep::models
