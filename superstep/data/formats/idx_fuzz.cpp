// Any bytes as IDX end in values or in an error of ours.
#include <cstddef>
#include <cstdint>

#include "superstep/base/error.h"
#include "superstep/data/formats/idx.h"
#include "superstep/data/formats/memory_stream.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace superstep;
  data::MemoryStream in({reinterpret_cast<const char*>(data), size});
  try {
    const data::IdxHeader header = data::read_idx_header(in, "fuzz.idx");
    const auto values = data::read_idx_values(in, "fuzz.idx", header, static_cast<int64_t>(size));
    SUPERSTEP_ASSERT(static_cast<int64_t>(values.size()) == header.rows * header.columns);
  } catch (const Error&) {
  }
  return 0;
}
