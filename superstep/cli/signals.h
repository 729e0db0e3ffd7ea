// The first SIGINT or SIGTERM asks to stop after the superstep under way; the second ends at once.
#pragma once

#include <stop_token>

namespace superstep::cli {

/// Call before any thread is started. The token is asked by training.
std::stop_token stop_on_signals();

}  // namespace superstep::cli
