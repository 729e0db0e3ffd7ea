#include "superstep/optim/optimizer.h"

#include <fmt/ranges.h>

#include "superstep/optim/adagrad.h"
#include "superstep/optim/adam.h"
#include "superstep/optim/nesterov.h"
#include "superstep/optim/rmsprop.h"
#include "superstep/optim/sgd.h"

namespace superstep::optim {

std::unique_ptr<Optimizer> make_optimizer(std::string_view name) {
  if (name == "sgd") return std::make_unique<Sgd>();
  if (name == "nesterov") return std::make_unique<Nesterov>();
  if (name == "adagrad") return std::make_unique<AdaGrad>();
  if (name == "rmsprop") return std::make_unique<RmsProp>();
  if (name == "adam") return std::make_unique<Adam>();
  throw ConfigError("no optimizer '{}': {}", name, fmt::join(kOptimizers, ", "));
}

}  // namespace superstep::optim
