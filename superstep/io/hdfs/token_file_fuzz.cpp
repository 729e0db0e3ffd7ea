// Any bytes: a token comes out, or a DataError.
#include <cstdint>
#include <string_view>

#include "superstep/base/error.h"
#include "superstep/io/hdfs/token_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    superstep::io::hdfs::hdfs_token_of({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const superstep::DataError&) {
  }
  return 0;
}
