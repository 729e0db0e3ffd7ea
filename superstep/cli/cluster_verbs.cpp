#include "superstep/cli/cluster_verbs.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "superstep/base/log.h"
#include "superstep/cli/signals.h"
#include "superstep/engines/child_process.h"
#include "superstep/front_door/pipe.h"
#include "superstep/front_door/runs.h"
#include "superstep/io/file.h"

namespace superstep::cli {
namespace {

constexpr int kDone = 0, kFailed = 1, kStopped = 75;

constexpr const char* kSupervisedHelp =
    "Started by an engine: ends when standard input does (docs/pipe-protocol.md)";

// From the environment, else from a file; none where neither is given.
std::optional<Credentials> find_credentials(const std::string& path) {
  if (!path.empty() && std::filesystem::exists(path)) return Credentials::read(path);
  if (const char* text = std::getenv(kCredentialsVariable))
    return Credentials::from_text(text, kCredentialsVariable);
  return std::nullopt;
}

[[noreturn]] void end_as_an_orphan() {
  // The engine is gone: nobody wants what is being done, and a later attempt may be under way.
  _exit(kFailed);
}

}  // namespace

void add_coordinator_options(CLI::App& command, CoordinatorArguments& arguments) {
  command
      .add_option("--listen", arguments.listen, "host:port for workers; port 0: any that is free")
      ->capture_default_str();
  command.add_option("--credentials", arguments.credentials,
                     "The file with the job's secret, for the workers; it is made where there is "
                     "none [superstep.credentials]");
  command.add_flag("--supervised", arguments.supervised, kSupervisedHelp);
}

TrainResult coordinate_by_hand(Job& job, const CoordinatorArguments& arguments,
                               const TrainOptions& options) {
  const std::string path =
      arguments.credentials.empty() ? "superstep.credentials" : arguments.credentials;
  std::optional<Credentials> credentials = find_credentials(path);
  if (!credentials) {
    credentials = make_credentials(arguments.listen, job.engine.tls);
    credentials->write(path);
  }
  return coordinate(job, {.listen = arguments.listen,
                          .credentials = *credentials,
                          .listening =
                              [&](const std::string& address) {
                                std::cerr << fmt::format(
                                    "listening; start workers, here or elsewhere, each by\n"
                                    "  superstep worker --coordinator {} --credentials {}\n",
                                    address, path);
                              },
                          .train = options});
}

int coordinate_supervised() {
  using Json = nlohmann::json;
  static std::stop_source stop;
  std::string first;
  if (!std::getline(std::cin, first)) end_as_an_orphan();
  engines::watch_parent(
      [](const std::string& line) {
        const auto event = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
        if (event.is_object() && event.value("event", "") == "stop") stop.request_stop();
      },
      end_as_an_orphan);
  // A cluster may send it to all processes of a container: it is the engine that says when to stop.
  std::signal(SIGTERM, SIG_IGN);
  front_door::PipeTeller teller(std::cout);
  try {
    const Json told = Json::parse(first);
    Job job;
    job.load_text(told.at("job").get<std::string>(), "the engine's job");
    if (told.contains("folder")) job.set("output.dir=" + told.at("folder").get<std::string>());
    const bool resume = told.at("resume").get<bool>() ||
                        (told.value("again", false) && front_door::is_begun(job.output.dir));
    const std::optional<Credentials> credentials = find_credentials("");
    if (!credentials) throw ConfigError("{} is not set", kCredentialsVariable);
    // It may have died between its last deed and its last word.
    if (resume && io::exists(job.output.dir + "/" + front_door::kModelFile)) {
      teller.done(front_door::result_of_run(job.output.dir));
      return kDone;
    }
    teller.want_for(job.engine);
    const TrainResult result = coordinate(
        job, {.listen = told.at("listen").get<std::string>(),
              .job_id = told.at("id").get<std::string>(),
              .credentials = *credentials,
              .listening = [&](const std::string& a) { teller.listening(a); },
              .train = {.resume = resume, .stop = stop.get_token(), .listener = &teller}});
    teller.done(result);
    return result.finished ? kDone : kStopped;
  } catch (const std::exception& error) {
    teller.failed(error);
    return kFailed;
  }
}

void add_worker_options(CLI::App& command, WorkerArguments& arguments) {
  command.add_option("--coordinator", arguments.work.coordinator,
                     "host:port to dial; or give --coordinator-file alone");
  command.add_option("--coordinator-file", arguments.work.coordinator_file,
                     "A file that says where a later coordinator is, host:port: RUN/address, if "
                     "this machine sees the run's folder");
  command.add_option("--credentials", arguments.credentials,
                     "The file with the job's secret, copied from the coordinator's machine "
                     "[superstep.credentials]");
  command.add_option("--threads", arguments.work.lanes, "Units computed at once [one a core]")
      ->check(CLI::Range(1, 4096));
  command
      .add_option("--patience", arguments.work.patience,
                  "Seconds without a coordinator before the worker gives up")
      ->capture_default_str();
  command.add_option("--host", arguments.work.host,
                     "What HDFS calls this machine, if not as it does itself: rows are read where "
                     "they lie [$NM_HOST, else the machine's name]");
  command.add_flag("--supervised", arguments.supervised, kSupervisedHelp);
}

int work_until_done(WorkerArguments arguments) {
  arguments.work.stop = stop_on_signals("leaving; once more to stop at once");
  if (arguments.supervised) engines::watch_parent([](const std::string&) {}, end_as_an_orphan);
  const std::string path = arguments.supervised            ? ""
                           : arguments.credentials.empty() ? "superstep.credentials"
                                                           : arguments.credentials;
  const std::optional<Credentials> credentials = find_credentials(path);
  if (!credentials)
    throw ConfigError("{}: no such file; the coordinator makes it, copy it here, or set {}", path,
                      kCredentialsVariable);
  arguments.work.credentials = *credentials;
  work(arguments.work);
  return code_of_signal();
}

}  // namespace superstep::cli
