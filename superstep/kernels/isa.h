// Which vector instructions our own kernels run with.
//
//   kernels::set_isa(kernels::Isa::kAvx2);       // before the first product, for the whole process
//   kernels::isa_name(kernels::isa());           // "avx2"
//
// Each loop of kernels/vector/ is compiled three times, and the widest that this processor has is
// taken at the first call. All three give the same bits: no fused multiply-add, no approximate
// reciprocal, and sums whose order does not depend on the width. (The bits of a NaN are not
// promised.) Products of dense matrices are oneDNN's, and differ between instruction sets.
#pragma once

#include <array>
#include <string_view>

namespace superstep::kernels {

enum class Isa {
  kPortable,  ///< The compiler's baseline for x86-64: SSE2, 4 floats a vector.
  kAvx2,      ///< 8 floats a vector.
  kAvx512,    ///< 16 floats a vector: AVX-512 F, VL, DQ and BW.
};

inline constexpr std::array kIsas = {Isa::kPortable, Isa::kAvx2, Isa::kAvx512};

/// "portable", "avx2" or "avx512".
std::string_view isa_name(Isa isa);
/// Whether this processor and operating system have it.
bool isa_is_available(Isa isa);
/// The widest that is there.
Isa widest_isa();
/// What the kernels run with now.
Isa isa();
/// From now on, for all threads; a ConfigError where the processor lacks it. Before the process'
/// first product it also limits oneDNN (to SSE4.1, AVX2, or AVX-512 without bfloat16 and AMX),
/// which cannot change any more afterwards: its products then stay as they are.
void set_isa(Isa isa);
/// The same for products, too: a ConfigError where it is too late to limit oneDNN. Machines with
/// the same pinned instructions compute the same bits.
void pin_isa(Isa isa);

#ifndef SUPERSTEP_MINIMAL
namespace cpu {
/// Limits oneDNN; without effect once it has compiled a product.
void limit_isa(Isa isa);
/// What oneDNN's products run with; from this call on it cannot be limited any more.
Isa isa_of_products();
}  // namespace cpu
#endif

}  // namespace superstep::kernels
