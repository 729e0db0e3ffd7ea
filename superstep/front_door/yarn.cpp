// Training with coordinator and workers in containers of a Hadoop cluster.
#include "superstep/engines/yarn.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "superstep/base/log.h"
#include "superstep/front_door/pipe.h"
#include "superstep/front_door/runs.h"
#include "superstep/front_door/train_on.h"

namespace superstep {
namespace {

using Json = nlohmann::json;

// Where the data to learn from lie on a file system that knows hosts: containers are asked for
// there.
std::vector<std::string> data_elsewhere(const Job& job) {
  std::vector<std::string> places;
  for (const std::string& place : {job.data.train.rows, job.data.train.labels})
    if (place.find("://") != std::string::npos) places.push_back(place);
  return places;
}

// What the application master is to ask the cluster for.
Json wishes(const Job& job) {
  const engines::EngineConfig& engine = job.engine;
  return {
      {"name", job.job.name},
      {"run", job.output.dir},
      {"data", data_elsewhere(job)},
      {"memory", engine.memory},
      {"cores", engine.cores == 0 ? engine.threads : engine.cores},
      {"threads", engine.threads},
      {"queue", engine.queue},
      {"priority", engine.priority},
      {"tags", engine.tags},
      {"node_label", engine.node_label},
      {"staging", engine.staging},
      {"principal", engine.principal},
      {"keytab", engine.keytab.empty() ? "" : std::filesystem::absolute(engine.keytab).string()}};
}

}  // namespace

TrainResult front_door::train_on_yarn(Job& job, const TrainOptions& options) {
  namespace fs = std::filesystem;
  const std::vector<std::string> command =
      engines::yarn_client_command(options.program, {"submit"});
  front_door::make_paths_absolute(job);
  job.output.dir = front_door::run_path(job, options.resume);
  const Json told{{"event", "job"},
                  {"job", job.document.to_toml(/*with_comments=*/false, /*only_changed=*/true)},
                  {"id", make_credentials_for_any_host(false).secret},
                  {"resume", options.resume},
                  {"listen", "0.0.0.0:0"},
                  {"detach", options.detach},
                  {"package", fs::path(options.program).parent_path().parent_path().string()},
                  {"engine", wishes(job)}};
  TrainListener silent;
  TrainListener& listener = options.listener ? *options.listener : silent;
  const std::string last = engines::run_yarn_client(
      {.command = command,
       .environment = {{kCredentialsVariable,
                        make_credentials_for_any_host(job.engine.tls).to_hex()}},
       .job = told.dump(),
       .on_event =
           [&](const std::string& event) {
             const Json said = Json::parse(event);
             if (said.at("event") == "note") log::info("{}", said.at("text").get<std::string>());
             front_door::hear(event, listener);
           },
       .stop = options.stop});
  front_door::throw_failure(last);
  const Json word = Json::parse(last);
  if (word.at("event") != "submitted") return front_door::result_of(last);
  TrainResult result;
  result.run = job.output.dir;
  result.application = word.at("application").get<std::string>();
  return result;
}

}  // namespace superstep
