#include "superstep/engines/yarn.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "superstep/base/error.h"

namespace superstep::engines {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int kTick = 100;  // milliseconds: the longest that a request to stop waits

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string find_java() {
  const fs::path java = fs::path(variable("JAVA_HOME")) / "bin/java";
  return !variable("JAVA_HOME").empty() && fs::exists(java) ? java.string() : "java";
}

// The first line that a command of the shell prints; "" where it fails.
std::string first_line_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (!pipe) return {};
  std::string text;
  for (int c = 0; (c = std::fgetc(pipe.get())) != EOF && c != '\n';) text += static_cast<char>(c);
  return text;
}

std::string hadoop_class_path(const fs::path& jars) {
  if (std::string given = variable("SUPERSTEP_HADOOP_CLASSPATH"); !given.empty()) return given;
  // The shell expands the variable itself, so that no character of it means anything else.
  std::string said = first_line_of(
      R"("${HADOOP_HOME:+$HADOOP_HOME/bin/}hadoop" classpath 2> /dev/null < /dev/null)");
  if (!said.empty()) return said;
  std::string conf = variable("HADOOP_CONF_DIR");
  if (conf.empty()) conf = "/etc/hadoop/conf";
  if (!fs::exists(fs::path(conf) / "core-site.xml"))
    throw ConfigError(
        "engine yarn: no core-site.xml in {}; set HADOOP_CONF_DIR to the folder of the cluster's "
        "configuration, or HADOOP_HOME",
        conf);
  return conf + ":" + (jars / "*").string();
}

}  // namespace

std::vector<std::string> yarn_client_command(const std::string& program,
                                             const std::vector<std::string>& arguments) {
  const fs::path own = fs::weakly_canonical(program);
  const fs::path java = own.parent_path().parent_path() / "java";
  const fs::path jar = java / "superstep-yarn.jar";
  if (!fs::exists(jar))
    throw ConfigError(
        "engine yarn: {} is not of a package with the YARN application (no {}); `make package` "
        "makes "
        "one, see docs/yarn.md",
        own.string(), jar.string());
  std::vector<std::string> command{find_java(),
                                   "-XX:+UseSerialGC",
                                   "-XX:TieredStopAtLevel=1",
                                   "-Xmx256m",
                                   "-cp",
                                   jar.string() + ":" + hadoop_class_path(java / "lib"),
                                   "superstep.yarn.Main"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

std::string run_yarn_client(const YarnClientOptions& options) {
  ChildProcess client(options.command, options.environment);
  client.write_line(options.job);
  bool stop_said = false;
  std::optional<std::string> last_word;
  while (!client.output_ended()) {
    pollfd waiting{client.output(), POLLIN, 0};
    poll(&waiting, 1, kTick);
    if (options.stop.stop_requested() && !stop_said) {
      client.write_line(Json{{"event", "stop"}}.dump());
      stop_said = true;
    }
    for (std::string& line : client.read_lines()) {
      const Json event = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      const std::string name = event.is_object() ? event.value("event", "") : "";
      if (name == "done" || name == "failed" || name == "submitted")
        last_word = std::move(line);
      else if (!name.empty())
        options.on_event(line);
    }
  }
  const ProcessEnd end = client.wait();
  if (!last_word)
    throw Error(fmt::format("the YARN client ended by {} without a result", end.text()));
  return std::move(*last_word);
}

}  // namespace superstep::engines
