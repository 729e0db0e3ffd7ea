// Any bytes as a sum end in success or DataError; a sum that was read is written as the same bytes,
// and its values are finite and within what its updates can have come to.
#include <cmath>
#include <cstdint>

#include "superstep/base/error.h"
#include "superstep/reduce/exact_sum.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace reduce = superstep::reduce;
  // As in exact_sum_test.cpp: a mean over 8 rows and a sum over 2 units, with padding after both.
  reduce::UpdateSpec spec =
      reduce::UpdateSpec::means(std::make_shared<const superstep::ParamLayout>(
          std::vector<superstep::ParamSpec>{{"weight", {5, 7}}, {"count", {3}}}));
  spec.rules[1].combine = reduce::Combine::kSum;
  try {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto sum = reduce::ExactSum::from_bytes(spec, 8, 2, bytes);
    SUPERSTEP_ASSERT(sum.to_bytes() == bytes);
    for (size_t i = 0; i < 35; ++i) SUPERSTEP_ASSERT(std::fabs(sum.value(0, i)) <= 1025);
    for (size_t i = 0; i < 3; ++i) SUPERSTEP_ASSERT(std::fabs(sum.value(1, i)) <= 2049);
  } catch (const superstep::DataError&) {
  }
  return 0;
}
