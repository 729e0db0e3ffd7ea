// Any bytes as a safetensors file end in success or DataError; what was read is written and read
// back as the same.
#include <cstdint>

#include "superstep/io/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace io = superstep::io;
  try {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const io::SafeTensors file = io::from_bytes(bytes, "fuzz");
    const superstep::Bytes again = io::to_bytes(file);
    SUPERSTEP_ASSERT(io::to_bytes(io::from_bytes(again, "again")) == again);
  } catch (const superstep::DataError&) {
  }
  return 0;
}
