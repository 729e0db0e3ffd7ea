// The worker's end of the network: dials a coordinator, computes what it leases, and comes back
// after a lost connection, until the job is done.
//
//   std::string reason;
//   const WorkEnd end = work({.coordinator = "10.0.0.7:4100", .link = {.secret = secret}},
//                            [&](const Stage& stage) { return make_program(stage); }, &reason);
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "superstep/cluster/transport/options.h"
#include "superstep/reduce/program.h"

namespace superstep::cluster::transport {

struct ClientOptions {
  std::string coordinator;  ///< host:port
  /// Where else the coordinator may be, host:port or empty: asked when it does not answer there.
  std::function<std::string()> elsewhere = {};
  Link link = {};
  int lanes = 1;
  double patience = 120;  ///< Seconds without a coordinator before the worker gives up.
  double heartbeat = 5;   ///< Seconds between two signs of life.
  std::string host = {};  ///< How it is named in messages and counted by the schedule; empty:
                          ///< host_name() (base/host.h).
  std::stop_token stop = {};
};

struct MadeProgram {
  std::shared_ptr<const reduce::Program> program;  ///< Keeps alive whatever it needs.
  Bytes identity;  ///< Of all that decides results: hash of config, data and build.
};

enum class WorkEnd {
  kDone,     ///< The coordinator said that the job is done.
  kRefused,  ///< The coordinator wants nothing from this worker: secret, version, job, identity;
             ///< or the worker could not make the program.
  kLost,     ///< No coordinator for `patience` seconds.
  kStopped,  ///< The stop token asked.
};

/// Works until the job is done. `make` is called for each stage; what it made is kept for as long
/// as the stage is the same, over lost connections too. If it throws, the worker is of no use to
/// this stage: the coordinator is told, and the answer is kRefused. `reason` (may be null) says
/// why, for people. Throws ConfigError where the address or the certificates cannot be used.
WorkEnd work(const ClientOptions& options, const std::function<MadeProgram(const Stage&)>& make,
             std::string* reason = nullptr);

}  // namespace superstep::cluster::transport
