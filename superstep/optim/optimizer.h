// A local rule: how the gradients of a replica's minibatch move its parameters.
//
//   auto optimizer = make_optimizer("sgd");
//   optimizer->bind(params, state, trained, context);            // once a work unit
//   for (each minibatch) {
//     GradSink& sink = optimizer->begin({.learning_rate = 0.1, .momentum = 0.9});
//     ... forward, loss, backward into the sink ...
//     optimizer->end();
//   }
//   optimizer->unbind();
//
// Its state (a velocity, roots of second moments) are tensors of the parameters' shapes, kept in
// ParamSets of the caller, so that they travel and are averaged as parameters are. After the first
// step of a size nothing is allocated.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "superstep/kernels/context.h"
#include "superstep/tensor/batch.h"
#include "superstep/tensor/param_set.h"

namespace superstep::optim {

struct Step {
  double learning_rate = 0;
  double momentum = 0;  ///< Read by "sgd" alone.
  double l2 = 0;        ///< The gradient gets l2 * w, on tensors of rank 2 (weights) only.
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// One set of state tensors a prefix: "velocity" for a tensor "velocity.layer.0.weight". Fresh
  /// state is zero.
  [[nodiscard]] virtual std::vector<std::string> state_prefixes() const = 0;

  /// Begins a work unit: `params` and `state` (one a prefix, in its order, with tensors of the
  /// same shapes) are moved in place until unbind. Only tensors in `trained` move: the gradient of
  /// another is dropped unlooked at. All of these outlive the binding.
  virtual void bind(ParamSet& params, std::span<ParamSet> state, std::span<const int> trained,
                    kernels::Context& context) = 0;
  /// Begins a minibatch. The gradients of its mean loss go to the sink; a tensor that was handed
  /// over may have moved already. The sink is valid until end.
  virtual GradSink& begin(const Step& step) = 0;
  /// Ends the minibatch: now every trained tensor has moved.
  virtual void end() = 0;
  /// Ends the work unit: the state is as it travels.
  virtual void unbind() = 0;
};

/// "sgd" (optim/sgd.h) or "adagrad" (optim/adagrad.h); else a ConfigError that lists them.
std::unique_ptr<Optimizer> make_optimizer(std::string_view name);

}  // namespace superstep::optim
