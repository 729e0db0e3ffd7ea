#include "superstep/tensor/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace superstep {

std::string Shape::to_string() const { return fmt::format("({})", fmt::join(sizes_, ", ")); }

}  // namespace superstep
