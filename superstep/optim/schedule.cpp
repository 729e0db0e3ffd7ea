#include "superstep/optim/schedule.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "superstep/base/error.h"

namespace superstep::optim {

Schedule parse_schedule(std::string_view name) {
  const auto found = std::ranges::find(kSchedules, name);
  if (found == kSchedules.end())
    throw ConfigError("no schedule '{}': {}", name, fmt::join(kSchedules, ", "));
  return static_cast<Schedule>(found - kSchedules.begin());
}

double schedule_rate(Schedule schedule, double base, double final_share, int64_t warmup_steps,
                     int64_t step, int64_t steps) {
  SUPERSTEP_ASSERT(step >= 0 && step < steps && warmup_steps >= 0);
  if (schedule == Schedule::kExponential && final_share == 0.0)
    throw ConfigError("an exponential schedule needs a final share above 0, got 0");
  if (step < warmup_steps)
    return base * static_cast<double>(step + 1) / static_cast<double>(warmup_steps + 1);
  const double x =
      static_cast<double>(step - warmup_steps) / static_cast<double>(steps - warmup_steps);
  switch (schedule) {
    case Schedule::kConstant:
      return base;
    case Schedule::kLinear:
      return base * (1.0 - (1.0 - final_share) * x);
    case Schedule::kCosine:
      return base *
             (final_share + (1.0 - final_share) * 0.5 * (1.0 + std::cos(std::numbers::pi * x)));
    case Schedule::kExponential:
      return base * std::pow(final_share, x);
  }
  SUPERSTEP_ASSERT(false);
  return base;
}

}  // namespace superstep::optim
