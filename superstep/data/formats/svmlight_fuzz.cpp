// Any bytes as SVMLight end in rows or in an error of ours; what a scan says of them holds.
#include <cstddef>
#include <cstdint>

#include "superstep/base/error.h"
#include "superstep/data/formats/memory_stream.h"
#include "superstep/data/formats/svmlight.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace superstep;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const bool skip_bad : {false, true}) {
    try {
      data::MemoryStream first(bytes), again(bytes), sample(bytes);
      data::is_svmlight(sample);
      const auto found = data::scan_svmlight(first, "fuzz.svm", skip_bad);
      const int64_t begin = found.lowest < 0 ? 0 : found.lowest;
      const data::Records records = data::parse_svmlight(
          again, "fuzz.svm",
          {.first = begin, .columns = found.highest - begin + 1, .skip_bad = skip_bad});
      // Every good row is there, for no index is beyond what was found.
      SUPERSTEP_ASSERT(records.rows == found.rows);
      SUPERSTEP_ASSERT(static_cast<int64_t>(records.label_codes.size()) == records.rows);
      const auto& values = std::get<data::SparseValues>(records.values);
      for (int64_t r = 0; r < records.rows; ++r) {
        int32_t last = -1;
        for (const int32_t column : values.row(r).columns) {
          SUPERSTEP_ASSERT(column > last && column < records.columns);
          last = column;
        }
        SUPERSTEP_ASSERT(records.line_of(r) > r);
      }
    } catch (const Error&) {
    }
  }
  return 0;
}
