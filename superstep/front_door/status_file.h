// status.json in a run's folder, and whether who wrote it is still there.
#pragma once

#include <string>
#include <vector>

#include "superstep/report/metrics.h"
#include "superstep/report/status.h"

namespace superstep::front_door {

inline constexpr const char* kStatusFile = "status.json";
inline constexpr const char* kStatusPage = "status.html";

double unix_now();

/// The status of a run, or of the latest in a folder of runs. A run that says it is running while
/// nobody can be writing any more is "finished" where its model is there, else "lost". Throws
/// ConfigError where there is no run or no status of it, DataError where the file is damaged.
report::Status read_status(const std::string& run);

/// The lines of metrics.jsonl that close an epoch; none where the file is not there.
std::vector<report::MetricLine> read_epochs(const std::string& run);

}  // namespace superstep::front_door
