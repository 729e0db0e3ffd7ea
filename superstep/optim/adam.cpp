#include "superstep/optim/adam.h"

namespace superstep::optim {
namespace {

constexpr double kFirstKept = 0.9, kSecondKept = 0.999;

// x^n for n >= 0 in plain products: the same bits with any C library.
double power(double x, int64_t n) {
  double result = 1;
  for (; n > 0; n /= 2, x *= x)
    if (n % 2 == 1) result *= x;
  return result;
}

}  // namespace

GradSink& Adam::begin(const Step& step) {
  SUPERSTEP_ASSERT(step.number >= 1);
  first_correction_ = 1.0 / (1.0 - power(kFirstKept, step.number));
  second_correction_ = 1.0 / (1.0 - power(kSecondKept, step.number));
  return BufferedOptimizer::begin(step);
}

void Adam::move(int param, std::span<const float> gradient, const kernels::Descent& descent) {
  kernels::Descent corrected = descent;
  corrected.rate = static_cast<float>(step().learning_rate * rule(param).rate * first_correction_);
  kernels::adam_step(weights(param), state(0, param), state(1, param), gradient, corrected,
                     {.first_kept = static_cast<float>(kFirstKept),
                      .second_kept = static_cast<float>(kSecondKept),
                      .epsilon = 1e-8F,
                      .second_correction = static_cast<float>(second_correction_)});
}

}  // namespace superstep::optim
