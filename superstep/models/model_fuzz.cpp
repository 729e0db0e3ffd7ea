// Any bytes as a model file end in a model or in DataError. A model that was read is written to the
// same bytes as what is read from those, describes itself and answers a row.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "superstep/models/model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace superstep;
  using models::Model;
  try {
    const Model model = Model::from_bytes({reinterpret_cast<const char*>(data), size}, "fuzz");
    const Bytes once = model.to_bytes();
    SUPERSTEP_ASSERT(Model::from_bytes(once, "once").to_bytes() == once);
    SUPERSTEP_ASSERT(!model.network().describe().empty());
    const std::vector<double> row(static_cast<size_t>(model.schema().columns), 0.5);
    const size_t answers = model.predict(row).size();
    SUPERSTEP_ASSERT(answers == static_cast<size_t>(model.network().outputs()));
  } catch (const DataError&) {
  }
  return 0;
}
