#include "superstep/front_door/runs.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "superstep/base/hash.h"
#include "superstep/io/file.h"
#include "superstep/superstep.h"

namespace superstep {
namespace fs = std::filesystem;

namespace front_door {
namespace {

std::string first_free(const fs::path& runs) {
  int64_t n = 1;
  while (io::exists((runs / std::to_string(n)).string())) ++n;
  return std::to_string(n);
}

// A link that cannot be made (some file systems have none) is no reason to stop.
void link_latest(const fs::path& runs, const std::string& number) {
  std::error_code error;
  fs::remove(runs / kLatest, error);
  fs::create_directory_symlink(number, runs / kLatest, error);
}

cluster::RunFolder create_numbered(const fs::path& runs) {
  const std::string number = first_free(runs);
  auto folder = cluster::RunFolder::create((runs / number).string());
  link_latest(runs, number);
  return folder;
}

// Where the job's runs are numbered, when it names no folder.
fs::path numbered_runs(const Job& job) { return fs::path("runs") / job.job.name; }

std::string run_to_resume(const Job& job) {
  const fs::path runs = numbered_runs(job);
  const std::string path = job.output.dir.empty() ? find_run(runs.string()) : job.output.dir;
  if (path.empty()) throw ConfigError("{}: no run here to resume", runs.string());
  return path;
}

}  // namespace

std::string run_path(const Job& job, bool resume) {
  const auto from_anywhere = [](const std::string& path) {
    return path.find("://") == std::string::npos ? fs::absolute(path).lexically_normal().string()
                                                 : path;
  };
  if (resume) return from_anywhere(run_to_resume(job));
  if (!job.output.dir.empty()) return from_anywhere(job.output.dir);
  const fs::path runs = numbered_runs(job);
  const std::string number = first_free(runs);
  std::error_code error;
  fs::create_directories(runs, error);
  link_latest(runs, number);
  return from_anywhere((runs / number).string());
}

cluster::RunFolder open_run(const Job& job, bool resume) {
  if (!resume)
    return job.output.dir.empty() ? create_numbered(numbered_runs(job))
                                  : cluster::RunFolder::create(job.output.dir);
  const std::string path = run_to_resume(job);
  if (io::exists((fs::path(path) / kModelFile).string()))
    throw ConfigError("{}: this run is finished; train without --resume for a new one", path);
  return cluster::RunFolder::open(path);
}

bool is_begun(const std::string& run) { return io::exists((fs::path(run) / "attempt-1").string()); }

TrainResult result_of_run(const std::string& path) {
  const std::string text = io::read_file((fs::path(path) / "metrics.jsonl").string());
  const size_t newline = text.rfind('\n', text.size() < 2 ? 0 : text.size() - 2);
  const std::string last = text.substr(newline == std::string::npos ? 0 : newline + 1);
  try {
    const auto line = nlohmann::ordered_json::parse(last);
    TrainResult result;
    result.finished = line.at("event") == "end";
    result.run = path;
    result.model = (fs::path(path) / kModelFile).string();
    result.report = (fs::path(path) / kReportFile).string();
    result.sha256 = line.at("sha256").get<std::string>();
    result.metrics = training::Metrics::from_json(line.at("metrics").dump());
    result.metrics_rows = line.at("metrics_rows").get<std::string>();
    result.best_epoch = line.at("best_epoch").get<int64_t>();
    result.epochs = line.at("epoch").get<int64_t>();
    result.reproducible = line.at("reproducible").get<bool>();
    result.first_superstep = line.at("superstep").get<int64_t>();
    return result;
  } catch (const nlohmann::ordered_json::exception&) {
    throw DataError("{}/metrics.jsonl: the last line is not the end of a run", path);
  }
}

std::string sha256_of(const std::string& path) {
  const std::string bytes = io::read_file(path);
  return sha256_hex(bytes.data(), bytes.size());
}

std::string find_run(const std::string& path) {
  const auto is_run = [](const fs::path& folder) {
    return io::exists((folder / kJobFile).string());
  };
  if (is_run(path)) return path;
  const fs::path latest = fs::path(path) / kLatest;
  if (!is_run(latest)) return {};
  std::error_code error;
  const fs::path target = fs::read_symlink(latest, error);
  return error ? latest.string() : (fs::path(path) / target).string();
}

}  // namespace front_door

std::string find_model(const std::string& path) {
  if (!io::exists(path)) throw FileError("{}: no such file or folder", path);
  if (!io::is_folder(path)) return path;
  const std::string run = front_door::find_run(path);
  if (run.empty())
    throw ConfigError("{}: this folder holds no run (wanted job.toml in it, or a run in latest)",
                      path);
  const fs::path model = fs::path(run) / front_door::kModelFile;
  if (!io::exists(model.string()))
    throw ConfigError(
        "{}: this run has no model yet; go on with it by\n  superstep train {} --resume", run, run);
  return model.string();
}

}  // namespace superstep
