// A line of metrics.jsonl.
#pragma once

#include <string>

namespace superstep::cluster {

struct RoundDone;

/// The round as a JSON object without a line break: event, phase, epoch, superstep, the report's
/// measures (rows, loss, ...), seconds, compute_seconds, wait_seconds, bytes_in, bytes_out,
/// workers.
std::string metrics_line(const RoundDone& done);

}  // namespace superstep::cluster
