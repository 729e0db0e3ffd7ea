#include "superstep/kernels/isa.h"

#include <atomic>

#include "superstep/base/error.h"
#include "superstep/kernels/vector/table.h"

namespace superstep::kernels {
namespace {

std::atomic<Isa>& current() {
  static std::atomic<Isa> isa = widest_isa();
  return isa;
}

}  // namespace

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::kPortable:
      return "portable";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      break;
  }
  return "avx512";
}

bool isa_is_available(Isa isa) {
  switch (isa) {
    case Isa::kPortable:
      return true;
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") != 0;
    case Isa::kAvx512:
      break;
  }
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512bw") != 0;
}

Isa widest_isa() {
  if (isa_is_available(Isa::kAvx512)) return Isa::kAvx512;
  return isa_is_available(Isa::kAvx2) ? Isa::kAvx2 : Isa::kPortable;
}

Isa isa() { return current().load(std::memory_order_relaxed); }

void set_isa(Isa isa) {
  if (!isa_is_available(isa))
    throw ConfigError("this processor has no {}: wanted {} or less", isa_name(isa),
                      isa_name(widest_isa()));
  current().store(isa, std::memory_order_relaxed);
#ifndef SUPERSTEP_MINIMAL
  cpu::limit_isa(isa);
#endif
}

void pin_isa(Isa isa) {
  set_isa(isa);
#ifndef SUPERSTEP_MINIMAL
  if (const Isa products = cpu::isa_of_products(); products != isa)
    throw ConfigError(
        "this process has computed products with {} already: wanted {}, which only a process can "
        "that has not computed yet",
        isa_name(products), isa_name(isa));
#endif
}

const Table& table() {
  switch (isa()) {
    case Isa::kPortable:
      return portable::kTable;
    case Isa::kAvx2:
      return avx2::kTable;
    case Isa::kAvx512:
      break;
  }
  return avx512::kTable;
}

}  // namespace superstep::kernels
