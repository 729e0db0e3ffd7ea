#include "superstep/optim/nesterov.h"

namespace superstep::optim {

void Nesterov::move(int param, std::span<const float> gradient, const kernels::Descent& descent) {
  kernels::nesterov_step(weights(param), state(0, param), gradient, descent, momentum());
}

}  // namespace superstep::optim
