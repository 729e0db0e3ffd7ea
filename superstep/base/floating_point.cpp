#include "superstep/base/floating_point.h"

#include <xmmintrin.h>

namespace superstep {
namespace {
constexpr unsigned kFlushToZero = 1U << 15, kDenormalsAreZero = 1U << 6, kRoundingMask = 3U << 13;
}

FloatingPointScope::FloatingPointScope() : saved_(_mm_getcsr()) {
  _mm_setcsr((saved_ & ~kRoundingMask) | kFlushToZero | kDenormalsAreZero);
}

FloatingPointScope::~FloatingPointScope() { _mm_setcsr(saved_); }

}  // namespace superstep
