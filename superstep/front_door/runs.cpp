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

cluster::RunFolder create_numbered(const fs::path& runs) {
  for (int64_t n = 1;; ++n) {
    const fs::path run = runs / std::to_string(n);
    if (io::exists(run.string())) continue;
    auto folder = cluster::RunFolder::create(run.string());
    // A link that cannot be made (some file systems have none) is no reason to stop.
    std::error_code error;
    fs::remove(runs / kLatest, error);
    fs::create_directory_symlink(std::to_string(n), runs / kLatest, error);
    return folder;
  }
}

}  // namespace

cluster::RunFolder open_run(const Job& job, bool resume) {
  const fs::path runs = fs::path("runs") / job.job.name;
  if (!resume)
    return job.output.dir.empty() ? create_numbered(runs)
                                  : cluster::RunFolder::create(job.output.dir);
  const std::string path = job.output.dir.empty() ? find_run(runs.string()) : job.output.dir;
  if (path.empty()) throw ConfigError("{}: no run here to resume", runs.string());
  if (io::exists((fs::path(path) / kModelFile).string()))
    throw ConfigError("{}: this run is finished; train without --resume for a new one", path);
  return cluster::RunFolder::open(path);
}

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
  const auto is_run = [](const fs::path& folder) { return io::exists((folder / kJobFile).string()); };
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
    throw ConfigError("{}: this run has no model yet; go on with it by\n  superstep train {} --resume",
                      run, run);
  return model.string();
}

}  // namespace superstep
