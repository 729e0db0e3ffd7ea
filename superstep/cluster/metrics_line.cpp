#include "superstep/cluster/metrics_line.h"

#include <algorithm>
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
    if (value == static_cast<double>(static_cast<int64_t>(value)))
      line[name] = static_cast<int64_t>(value);
    else
      line[name] = value;
  }
  line["seconds"] = done.seconds;
  line["compute_seconds"] = done.compute_seconds;
  line["wait_seconds"] = std::max(0.0, done.seconds * done.lanes - done.compute_seconds);
  line["bytes_in"] = 0;  // in one process nothing is moved
  line["bytes_out"] = 0;
  line["workers"] = done.lanes;
  return line.dump();
}

}  // namespace superstep::cluster
