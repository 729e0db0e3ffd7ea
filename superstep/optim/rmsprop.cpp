#include "superstep/optim/rmsprop.h"

namespace superstep::optim {
namespace {
constexpr float kKept = 0.9F, kEpsilon = 1e-6F;
}

void RmsProp::move(int param, std::span<const float> gradient, const kernels::Descent& descent) {
  kernels::rmsprop_step(weights(param), state(0, param), gradient, descent, kKept, kEpsilon);
}

}  // namespace superstep::optim
