// The tokens of a file system for a job that outlives them.
#pragma once

#include <thread>

namespace superstep::front_door {

/// The environment variable by which an engine tells its workers: "SECONDS PATH".
constexpr const char* kTokensVariable = "SUPERSTEP_TOKENS";

/// Where kTokensVariable is set: every so many seconds lays the file that it names, in which the
/// engine keeps the newest tokens, over $HADOOP_TOKEN_FILE_LOCATION, from which this process takes
/// its own. What fails is tried again; it ends with the thread's stop token. Throws ConfigError for
/// another text.
std::jthread carry_tokens();

}  // namespace superstep::front_door
