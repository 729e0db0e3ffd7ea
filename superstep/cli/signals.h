// The first SIGINT or SIGTERM asks to stop; the second ends at once.
#pragma once

#include <stop_token>
#include <string>

namespace superstep::cli {

/// Call before any thread is started. `says` is what a person is told who asks to stop.
std::stop_token stop_on_signals(
    std::string says = "stopping after this superstep; once more to stop at once");

/// The exit code that says which signal asked to stop: 128 and its number; 0 if none did.
int code_of_signal();

}  // namespace superstep::cli
