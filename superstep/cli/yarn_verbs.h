// What can be asked of an application on YARN by its id: status, logs, kill. The client of the
// package (engines/yarn.h) answers.
#pragma once

#include <string>
#include <vector>

namespace superstep::cli {

/// Whether this names an application of YARN, and no run of this machine.
bool is_application(const std::string& name);
/// Runs the client with these words in place of this process. `program`: how this one is started
/// again. Throws ConfigError where there is no package or no configuration of a cluster.
[[noreturn]] void run_client(const std::string& program, const std::vector<std::string>& words);
/// Throws ConfigError, saying what the verb takes, where the name is no application's.
void check_application(const char* verb, const std::string& name);

}  // namespace superstep::cli
