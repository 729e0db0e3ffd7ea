// Any bytes as Metronome records end in rows or in an error of ours; what a scan says of them
// holds.
#include <cstddef>
#include <cstdint>

#include "superstep/base/error.h"
#include "superstep/data/formats/memory_stream.h"
#include "superstep/data/formats/metronome.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace superstep;
  using data::Outputs;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const bool skip_bad : {false, true}) {
    for (const Outputs outputs : {Outputs::kNone, Outputs::kClass, Outputs::kValue}) {
      try {
        data::MemoryStream first(bytes), again(bytes), sample(bytes);
        data::is_metronome(sample);
        const auto found = data::scan_metronome(first, "fuzz", skip_bad);
        const data::Records records = data::parse_metronome(
            again, "fuzz",
            {.columns = found.feature + 1, .outputs = outputs, .skip_bad = skip_bad});
        // Every well-formed row is there, but where its outputs are no label.
        SUPERSTEP_ASSERT(records.rows <= found.rows);
        if (outputs == Outputs::kNone) SUPERSTEP_ASSERT(records.rows == found.rows);
        const auto codes = static_cast<int64_t>(records.label_codes.size());
        SUPERSTEP_ASSERT(codes == (outputs == Outputs::kNone ? 0 : records.rows));
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
  }
  return 0;
}
