#include "superstep/cluster/metrics_line.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "superstep/cluster/coordinator.h"

namespace superstep::cluster {

std::string metrics_line(const RoundDone& done) {
  nlohmann::ordered_json line;
  line["event"] = done.report.event;
  line["phase"] = done.round.phase;
  line["epoch"] = done.round.epoch;
  line["superstep"] = done.round.superstep;
  for (const auto& [name, value] : done.report.measures) {
    // Whole numbers (rows, errors) read better without ".0".
    constexpr double kExact = 9007199254740992.0;  // 2^53; false for NaN, too
    if (std::abs(value) < kExact && value == std::trunc(value))
      line[name] = static_cast<int64_t>(value);
    else
      line[name] = value;
  }
  // A round that only looks at the data (means for the biases of an rbm) has no loss.
  if (!line.contains("loss")) line["loss"] = nullptr;
  line["seconds"] = done.seconds;
  line["compute_seconds"] = done.compute_seconds;
  line["wait_seconds"] = done.wait_seconds();
  line["bytes_in"] = done.bytes_in;
  line["bytes_out"] = done.bytes_out;
  line["workers"] = done.lanes;
  return line.dump();
}

}  // namespace superstep::cluster
