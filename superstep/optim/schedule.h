// How the learning rate changes over the minibatches of a phase.
//
//   schedule_rate(Schedule::kLinear, 0.5, 0, 0, 0, 1000)      // 0.5: the first of 1000
//   schedule_rate(Schedule::kLinear, 0.5, 0, 0, 750, 1000)    // 0.125
//   schedule_rate(Schedule::kCosine, 0.5, 0.1, 100, 550, 1000)
//
// With x, the share of the steps after the warm-up that are done, and f, the final share:
//
//   constant       base
//   linear         base (1 - (1 - f) x)
//   cosine         base (f + (1 - f) (1 + cos(pi x)) / 2)    one half period (Loshchilov and
//                                                            Hutter, "SGDR", 2017, eq. 5)
//   exponential    base f^x
//
// f base would be reached in the step after the last. In a warm-up of n steps the rate rises evenly
// from base / (n + 1), so that step n, the first after it, has base (Goyal et al., "Accurate, large
// minibatch SGD", 2017).
//
// The last bits of cosine and exponential are the C library's; optimizers round rates to float.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace superstep::optim {

enum class Schedule { kConstant, kLinear, kCosine, kExponential };

/// The names of the schedules, in the order of the enumeration.
inline constexpr std::array kSchedules = {"constant", "linear", "cosine", "exponential"};

/// One of kSchedules; else a ConfigError that lists them.
Schedule parse_schedule(std::string_view name);

/// The rate of step `step` of `steps`, counted from 0. `final_share` is from 0 to 1; with
/// kExponential, 0 is a ConfigError. A warm-up of all steps or more is never over.
double schedule_rate(Schedule schedule, double base, double final_share, int64_t warmup_steps,
                     int64_t step, int64_t steps);

}  // namespace superstep::optim
