#include "superstep/cluster/run_folder.h"

#include <filesystem>

#include "superstep/base/error.h"
#include "superstep/io/file.h"

namespace superstep::cluster {
namespace fs = std::filesystem;
namespace {

std::string attempt_file(const std::string& path, int64_t attempt) {
  return fmt::format("{}/attempt-{}", path, attempt);
}

// Claims the first attempt above those that are there.
int64_t claim(const std::string& path) {
  for (int64_t attempt = 1;; ++attempt)
    if (io::create_exclusive(attempt_file(path, attempt))) return attempt;
}

}  // namespace

RunFolder RunFolder::create(const std::string& path) {
  io::make_folder(path);
  // Whoever creates attempt-1 owns the new run.
  if (!io::create_exclusive(attempt_file(path, 1)))
    throw ConfigError(
        "{}: this output folder holds a run already; go on with it by --resume, or name another "
        "folder with --set output.dir=...",
        path);
  return {path, 1};
}

RunFolder RunFolder::open(const std::string& path) {
  if (!fs::is_directory(path)) throw ConfigError("{}: no such run to resume", path);
  if (!fs::exists(attempt_file(path, 1)))
    throw ConfigError("{}: this folder holds no run to resume", path);
  return {path, claim(path)};
}

RunFolder::RunFolder(std::string path, int64_t attempt)
    : path_(std::move(path)),
      attempt_(attempt),
      metrics_(std::make_unique<io::AppendFile>(file("metrics.jsonl"))) {}

std::string RunFolder::file(std::string_view name) const {
  return fmt::format("{}/{}", path_, name);
}

void RunFolder::check_claim() const {
  if (fs::exists(attempt_file(path_, attempt_ + 1)))
    throw Error(fmt::format("{}: attempt {} has taken this run over; this one (attempt {}) stops",
                            path_, attempt_ + 1, attempt_));
}

void RunFolder::append_metrics(std::string_view line) {
  // A later attempt writes to the same file.
  check_claim();
  check_claim();  // two attempts would write their lines into each other
  metrics_->write(fmt::format("{}\n", line));
}

}  // namespace superstep::cluster
