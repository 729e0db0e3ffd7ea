// Training with workers in other processes: the three parts that such a job is made of.
#include <nlohmann/json.hpp>

#include "superstep/base/host.h"
#include "superstep/base/log.h"
#include "superstep/cluster/transport/client.h"
#include "superstep/engines/local.h"
#include "superstep/engines/remote.h"
#include "superstep/engines/supervisor.h"
#include "superstep/front_door/pipe.h"
#include "superstep/front_door/runs.h"
#include "superstep/front_door/stages.h"
#include "superstep/front_door/tokens.h"
#include "superstep/front_door/train_on.h"
#include "superstep/io/file.h"

namespace superstep {
namespace transport = cluster::transport;

namespace {

constexpr const char* kLoopback = "127.0.0.1:0";

transport::Link link_of(const Credentials& credentials, bool shares_memory) {
  return {.secret = credentials.secret, .tls = credentials.tls, .shares_memory = shares_memory};
}

// A container counts what its coordinator has mapped of its workers as the coordinator's own.
bool shares_memory(const engines::EngineConfig& engine) {
  return engine.shared_memory && engine.kind != "yarn";
}

// "" where there is no such file, or it cannot be read at the moment.
std::string first_line(const std::string& path) {
  try {
    if (path.empty()) return {};
    const std::string text = io::read_file(path);
    return text.substr(0, text.find('\n'));
  } catch (const FileError& error) {
    log::debug("{}", error.what());
    return {};
  }
}

}  // namespace

TrainResult coordinate(Job& job, const CoordinateOptions& options) {
  const auto make_engine = [&](int64_t attempt) {
    auto engine = std::make_unique<engines::RemoteEngine>(
        transport::ServerOptions{.listen = options.listen,
                                 .link = link_of(options.credentials, shares_memory(job.engine)),
                                 .job_id = options.job_id.empty() ? job.job.name : options.job_id,
                                 .attempt = attempt},
        front_door::lanes_of(job));
    if (options.listening) options.listening(engine->address());
    return engine;
  };
  return front_door::train_on(make_engine, job, options.train);
}

void work(const WorkOptions& options) {
  const std::string coordinator =
      options.coordinator.empty() ? first_line(options.coordinator_file) : options.coordinator;
  if (coordinator.empty())
    throw ConfigError(
        "worker: nobody to work for{}; wanted --coordinator host:port, or "
        "--coordinator-file RUN/address of a run that has a coordinator",
        options.coordinator_file.empty()
            ? ""
            : fmt::format(": {} says no address", options.coordinator_file));
  if (!options.host.empty()) set_host_name(options.host);  // for what is read from HDFS, too
  std::string reason;
  const std::jthread tokens = front_door::carry_tokens();
  front_door::Stages stages;
  const transport::WorkEnd end = transport::work(
      {.coordinator = coordinator,
       .elsewhere = [&] { return first_line(options.coordinator_file); },
       .link = link_of(options.credentials, /*shares_memory=*/true),  // if the coordinator does
       .lanes = options.lanes == 0 ? engines::default_lanes() : options.lanes,
       .patience = options.patience,
       .stop = options.stop},
      [&](const cluster::Stage& stage) {
        front_door::StageProgram made = stages.make(stage);
        return transport::MadeProgram{std::move(made.program), std::move(made.identity)};
      },
      &reason);
  switch (end) {
    case transport::WorkEnd::kDone:
    case transport::WorkEnd::kStopped:
      return;
    case transport::WorkEnd::kRefused:
      throw Error(fmt::format("{} refused this worker: {}", coordinator, reason));
    case transport::WorkEnd::kLost:
      break;
  }
  throw Error(fmt::format("no coordinator at {} for {:.0f} s: {}", options.coordinator,
                          options.patience, reason));
}

TrainResult front_door::train_in_processes(Job& job, const TrainOptions& options) {
  front_door::make_paths_absolute(job);
  job.engine.workers = front_door::lanes_of(job);
  const nlohmann::json told{
      {"event", "job"},
      {"job", job.document.to_toml(/*with_comments=*/false, /*only_changed=*/true)},
      {"id", make_credentials(kLoopback, false).secret},
      {"resume", options.resume},
      {"listen", kLoopback}};
  TrainListener silent;
  TrainListener& listener = options.listener ? *options.listener : silent;
  const std::string last = engines::supervise(
      {.coordinator = {options.program, "coordinator", "--supervised"},
       .worker = {options.program, "worker", "--supervised", "--threads",
                  fmt::format("{}", job.engine.threads)},
       .environment = {{kCredentialsVariable, make_credentials(kLoopback, false).to_text()}},
       .job = told.dump(),
       .on_event = [&](const std::string& event) { front_door::hear(event, listener); },
       .stop = options.stop});
  front_door::throw_failure(last);
  return front_door::result_of(last);
}

}  // namespace superstep
