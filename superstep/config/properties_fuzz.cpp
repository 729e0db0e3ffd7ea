// Any bytes as a property file end in properties or ConfigError: UTF-8, each key once, lines
// ascending.
#include <cstdint>
#include <set>

#include "superstep/base/error.h"
#include "superstep/config/properties.h"
#include "superstep/config/value.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace superstep;
  try {
    std::set<std::string> keys;
    int64_t line = 0;
    for (const config::Property& p :
         config::parse_properties({reinterpret_cast<const char*>(data), size}, "fuzz")) {
      SUPERSTEP_ASSERT(keys.insert(p.key).second);
      SUPERSTEP_ASSERT(p.line > line);
      line = p.line;
      SUPERSTEP_ASSERT(config::is_utf8(p.key) && config::is_utf8(p.value));
    }
  } catch (const ConfigError&) {
  }
  return 0;
}
