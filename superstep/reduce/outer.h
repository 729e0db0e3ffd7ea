// Outer rules: how the mean change of a superstep moves the global state.
//
//   auto rule = make_outer_rule("nesterov", 0.5, 0.7);
//   move_by_mean(*rule, sum, tensor, shared.values(tensor), outer.values(tensor));
//
// `average` is iterative reduce (parameter averaging):    w += d
// `nesterov` is block momentum in Nesterov's form:        v = mu v + d;  w += rate (d + mu v)
// (Chen and Huo, "Scalable training of deep learning machines by incremental block training with
// intra-block parallel optimization and blockwise model-update filtering", ICASSP 2016; SlowMo,
// 2020; DiLoCo, 2023.) In the long run it multiplies a steady change by rate / (1 - mu).
//
// All is computed in double and rounded to float once, so the result depends on nothing but the
// numbers.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "superstep/reduce/exact_sum.h"

namespace superstep::reduce {

class OuterRule {
 public:
  virtual ~OuterRule() = default;
  /// Whether a momentum tensor for each trained tensor lives in State::outer (zeros at first).
  [[nodiscard]] virtual bool has_momentum() const = 0;
  /// Moves one tensor by its mean change; all spans have its size, but `momentum` is empty where
  /// has_momentum() is false.
  virtual void move(std::span<float> value, std::span<float> momentum,
                    std::span<const double> mean) const = 0;
};

/// Moves a tensor by what `tensor` of the sum comes to, piece by piece: the means in double never
/// leave the cache. `value` and `momentum` are as in OuterRule::move.
void move_by_mean(const OuterRule& rule, const ExactSum& sum, int tensor, std::span<float> value,
                  std::span<float> momentum);

/// Throws ConfigError for an unknown name (listing the valid ones), a momentum outside [0, 1) or a
/// rate that is not positive. `average` has no use for momentum and rate.
std::unique_ptr<OuterRule> make_outer_rule(std::string_view name, double momentum, double rate);

/// The valid names.
std::span<const std::string_view> outer_rule_names();

}  // namespace superstep::reduce
