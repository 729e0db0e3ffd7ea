// Any bytes as one of the things that model files and blobs hold: the first byte says which. What
// is read is written to the same bytes as what is read from those.
#include <cstddef>
#include <cstdint>

#include "superstep/base/error.h"
#include "superstep/data/scaling.h"
#include "superstep/data/target.h"

namespace {

template <class T>
void round_trip(std::string_view bytes) {
  const superstep::Bytes once = T::from_bytes(bytes, "fuzz").to_bytes();
  SUPERSTEP_ASSERT(T::from_bytes(once, "fuzz").to_bytes() == once);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace superstep;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    switch (data[0] % 6) {
      case 0:
        round_trip<data::Schema>(bytes);
        break;
      case 1:
        round_trip<data::SplitIndex>(bytes);
        break;
      case 2:
        round_trip<data::RowIndex>(bytes);
        break;
      case 3:
        round_trip<data::Target>(bytes);
        break;
      case 4:
        round_trip<data::Scaling>(bytes);
        break;
      default:
        round_trip<data::Statistics>(bytes);
        break;
    }
  } catch (const Error&) {
  }
  return 0;
}
