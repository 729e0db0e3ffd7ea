// The floating-point state that every primitive runs under, whoever's thread it is.
#pragma once

namespace superstep {

/// While it lives, this thread rounds to nearest even and flushes denormals (FTZ, DAZ); afterwards
/// the thread is as it was.
class FloatingPointScope {
 public:
  FloatingPointScope();
  ~FloatingPointScope();
  FloatingPointScope(const FloatingPointScope&) = delete;
  FloatingPointScope& operator=(const FloatingPointScope&) = delete;

 private:
  unsigned saved_;
};

}  // namespace superstep
