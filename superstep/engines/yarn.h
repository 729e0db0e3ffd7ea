// The client of the YARN application, a Java program of the relocatable package (java/yarn). It
// submits a job and follows it, and speaks the pipe protocol as a coordinator does
// (docs/pipe-protocol.md); what is decided about containers is decided by the application master.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "superstep/engines/child_process.h"

namespace superstep::engines {

/// How the client is started with these arguments. `program`: bin/superstep of a package. Java is
/// that of JAVA_HOME, else of PATH. Hadoop's class path is $SUPERSTEP_HADOOP_CLASSPATH; else what
/// `hadoop classpath` says, of HADOOP_HOME or PATH; else $HADOOP_CONF_DIR (or /etc/hadoop/conf) and
/// the jars of the package. Throws ConfigError where the package or Hadoop's configuration is
/// missing.
std::vector<std::string> yarn_client_command(const std::string& program,
                                             const std::vector<std::string>& arguments);

struct YarnClientOptions {
  std::vector<std::string> command;
  ChildProcess::Environment environment;
  std::string job;  ///< What it hears first: the event "job", JSON.
  std::function<void(const std::string&)> on_event;  ///< Hears all events but the last word: JSON.
  std::stop_token stop;
};

/// Runs the client to its end and returns its last word: event "done", "failed" or, where it was
/// told not to follow the job, "submitted". Throws Error where it ends without one.
std::string run_yarn_client(const YarnClientOptions& options);

}  // namespace superstep::engines
