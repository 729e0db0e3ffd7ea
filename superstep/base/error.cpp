#include "superstep/base/error.h"

#include <cstdio>
#include <cstdlib>

namespace superstep::detail {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: a promise of Superstep's own code is broken: %s\n", file, line,
               condition);
  std::abort();
}

}  // namespace superstep::detail
