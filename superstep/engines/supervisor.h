// The process engine: starts a coordinator and its workers as processes of this machine, and starts
// again what dies. It decides nothing about the job: what to do it hears from the coordinator, over
// the pipe protocol that all engines speak (docs/pipe-protocol.md).
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "superstep/engines/child_process.h"

namespace superstep::engines {

struct SupervisorOptions {
  std::vector<std::string> coordinator;  ///< How it is started.
  std::vector<std::string> worker;       ///< Likewise; "--coordinator", ADDRESS follow.
  ChildProcess::Environment environment;
  std::string job;  ///< What a coordinator hears first: the event "job", JSON.
  std::function<void(const std::string&)>
      on_event;  ///< Hears events not meant for an engine: JSON.
  std::stop_token stop;
  /// A coordinator that dies so often without a round between ends the job; so do workers that end
  /// by themselves so often, or that are killed 20 times as often.
  int most_deaths = 5;
  /// Seconds that workers may take to end by themselves once the job is done.
  double farewell = 5;
};

/// Runs a job to its end and returns the coordinator's last word: event "done" or "failed". Throws
/// Error where coordinator or workers die again and again. Leaves no process behind.
std::string supervise(const SupervisorOptions& options);

}  // namespace superstep::engines
