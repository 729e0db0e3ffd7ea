// A local rule: how the gradients of a replica's minibatch move its parameters.
//
//   auto optimizer = make_optimizer("sgd");
//   const std::vector<TensorRule> rules = {{.param = 0, .l2 = 2e-4, .max_norm = 4}, {.param = 1}};
//   optimizer->bind(params, state, rules, context);              // once a work unit
//   for (each minibatch) {
//     GradSink& sink = optimizer->begin({.learning_rate = 0.1, .momentum = 0.9, .number = t});
//     ... forward, loss, backward into the sink ...
//     optimizer->end();
//   }
//   optimizer->unbind();
//
// Its state (a velocity, roots of second moments) are tensors of the parameters' shapes, kept in
// ParamSets of the caller, so that they travel and are averaged over the replicas as parameters
// are. After the first step of a size nothing is allocated. Formulas: docs/optimizers.md.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "superstep/kernels/context.h"
#include "superstep/tensor/batch.h"
#include "superstep/tensor/param_set.h"

namespace superstep::optim {

/// What holds for one minibatch.
struct Step {
  double learning_rate = 0;
  double momentum = 0;   ///< Read by "sgd" and "nesterov".
  double clip_norm = 0;  ///< The loss's gradient of all trained tensors together is scaled down to
                         ///< this norm, before l1 and l2 are added (Pascanu, Mikolov and Bengio,
                         ///< "On the difficulty of training recurrent neural networks", 2013); 0:
                         ///< it is not.
  int64_t number = 1;    ///< Minibatches since the state was fresh, from 1: the t of "adam".
};

/// What holds for one tensor over a work unit.
struct TensorRule {
  int param = 0;    ///< Its index in the ParamSet.
  double rate = 1;  ///< Times the step's learning rate; 0 leaves the tensor and its state alone.
  double l1 = 0;    ///< The gradient gets l2 w + l1 sign(w), with sign(0) = 0.
  double l2 = 0;    ///< See l1.
  double max_norm = 0;  ///< After a step each column (the weights into one unit) has at most this
                        ///< norm (Hinton et al., "Improving neural networks by preventing
                        ///< co-adaptation of feature detectors", 2012); 0: any. In a
                        ///< bias each number is a column.
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// One set of state tensors a prefix: "velocity" for a tensor "velocity.layer.0.weight". Fresh
  /// state is zero.
  [[nodiscard]] virtual std::vector<std::string> state_prefixes() const = 0;

  /// Begins a work unit: `params` and `state` (one a prefix, in its order, with tensors of the
  /// same shapes) are moved in place until unbind. A tensor without a rule is frozen, as one with
  /// rate 0: its gradient is dropped unlooked at. A tensor has one rule at most (an assertion).
  /// `rules` are copied; all else outlives the binding.
  virtual void bind(ParamSet& params, std::span<ParamSet> state, std::span<const TensorRule> rules,
                    kernels::Context& context) = 0;
  /// Begins a minibatch. The gradients of its mean loss go to the sink; a tensor that was handed
  /// over may have moved already. The sink is valid until end.
  virtual GradSink& begin(const Step& step) = 0;
  /// Ends the minibatch: now every trained tensor has moved, one without a gradient included.
  virtual void end() = 0;
  /// Ends the work unit: the state is as it travels.
  virtual void unbind() = 0;
};

/// The names that make_optimizer knows; each has a header of its name.
inline constexpr std::array kOptimizers = {"sgd", "nesterov", "adagrad", "rmsprop", "adam"};

/// One of kOptimizers; else a ConfigError that lists them.
std::unique_ptr<Optimizer> make_optimizer(std::string_view name);

}  // namespace superstep::optim
