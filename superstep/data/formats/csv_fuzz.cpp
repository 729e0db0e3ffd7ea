// Any bytes as CSV end in records or in an error of ours.
#include <cstddef>
#include <cstdint>

#include "superstep/base/error.h"
#include "superstep/data/formats/csv.h"
#include "superstep/data/formats/memory_stream.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace superstep;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const bool skip : {false, true}) {
    try {
      data::MemoryStream sample(bytes), all(bytes);
      data::CsvSniff sniff = data::sniff_csv(sample, "fuzz.csv", {});
      if (sniff.empty) return 0;
      data::DataConfig config;
      if (sniff.fields > 1) config.label = "0";
      const data::CsvPlan plan = data::plan_csv(std::move(sniff), "fuzz.csv", config, nullptr);
      const data::Records records = data::parse_csv(all, "fuzz.csv", plan, plan.sniff.header, skip);
      const auto& values = std::get<std::vector<double>>(records.values);
      SUPERSTEP_ASSERT(static_cast<int64_t>(values.size()) == records.rows * records.columns);
    } catch (const Error&) {
    }
  }
  return 0;
}
