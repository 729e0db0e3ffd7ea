#include "superstep/optim/adagrad.h"

namespace superstep::optim {
namespace {
constexpr float kEpsilon = 1e-6F;
}

void AdaGrad::move(int param, std::span<const float> gradient, const kernels::Descent& descent) {
  kernels::adagrad_step(weights(param), state(0, param), gradient, descent, kEpsilon);
}

}  // namespace superstep::optim
