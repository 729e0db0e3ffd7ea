#include "superstep/optim/optimizer.h"

#include "superstep/optim/adagrad.h"
#include "superstep/optim/sgd.h"

namespace superstep::optim {

std::unique_ptr<Optimizer> make_optimizer(std::string_view name) {
  if (name == "sgd") return std::make_unique<Sgd>();
  if (name == "adagrad") return std::make_unique<AdaGrad>();
  throw ConfigError("no optimizer '{}': sgd or adagrad", name);
}

}  // namespace superstep::optim
