#include "superstep/cli/yarn_verbs.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "superstep/base/error.h"
#include "superstep/engines/yarn.h"

namespace superstep::cli {

bool is_application(const std::string& name) { return name.starts_with("application_"); }

void check_application(const char* verb, const std::string& name) {
  if (!is_application(name))
    throw ConfigError(
        "{}: wanted an application's id (application_...), got {}; a run of this machine is "
        "stopped by "
        "Ctrl-C or SIGTERM, and says what it does on standard error",
        verb, name);
}

void run_client(const std::string& program, const std::vector<std::string>& words) {
  std::vector<std::string> command = engines::yarn_client_command(program, words);
  std::vector<char*> arguments;
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execvp(arguments.front(), arguments.data());
  throw FileError("cannot start {}: {}; set JAVA_HOME", command.front(), std::strerror(errno));
}

}  // namespace superstep::cli
