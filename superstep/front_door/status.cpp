#include <signal.h>

#include <cerrno>
#include <chrono>
#include <filesystem>

#include "superstep/base/host.h"
#include "superstep/front_door/runs.h"
#include "superstep/front_door/status_file.h"
#include "superstep/io/file.h"
#include "superstep/superstep.h"

namespace superstep {
namespace fs = std::filesystem;

namespace front_door {
namespace {

// The status is written once a second. Its writer may wait for a disk or a core, and the clocks and
// caches of a shared folder differ; a coordinator that dies is started again within a few seconds.
constexpr double kSilentHere = 5, kSilentElsewhere = 60;

bool is_gone(const report::Status& status, double now) {
  const double silent = now - status.updated;
  if (silent > kSilentElsewhere) return true;
  const bool ended = status.host == machine_name() &&
                     ::kill(static_cast<pid_t>(status.process), 0) != 0 && errno == ESRCH;
  return ended && silent > kSilentHere;
}

}  // namespace

double unix_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

report::Status read_status(const std::string& path) {
  if (!io::exists(path)) throw FileError("{}: no such file or folder", path);
  const std::string run = find_run(path);
  if (run.empty())
    throw ConfigError("{}: this folder holds no run (wanted job.toml in it, or a run in latest)",
                      path);
  const std::string file = (fs::path(run) / kStatusFile).string();
  const bool finished = io::exists((fs::path(run) / kModelFile).string());
  if (!io::exists(file))
    throw ConfigError(
        "{}: no such file; {}", file,
        finished
            ? "this run is finished, and was made before Superstep wrote one; see its report.html"
            : "this run never began, or was made before Superstep wrote one");
  report::Status status = report::status_from_json(io::read_file(file), file);
  status.run = run;
  if (status.running() && is_gone(status, unix_now()))
    status.state = finished ? "finished" : "lost";
  return status;
}

std::vector<report::MetricLine> read_epochs(const std::string& run) {
  const std::string file = (fs::path(run) / "metrics.jsonl").string();
  if (!io::exists(file)) return {};
  std::vector<report::MetricLine> lines = report::read_metrics_file(file);
  std::erase_if(lines, [](const report::MetricLine& line) {
    return line.event != "epoch" && line.event != "phase";
  });
  return lines;
}

}  // namespace front_door

StatusAnswer status(const std::string& run, StatusForm form) {
  const report::Status read = front_door::read_status(run);
  StatusAnswer answer{.text = {}, .running = read.running()};
  switch (form) {
    case StatusForm::kText:
      answer.text = report::status_text(read, front_door::unix_now());
      break;
    case StatusForm::kJson:
      answer.text = report::status_json(read) + "\n";
      break;
    case StatusForm::kPrometheus:
      answer.text = report::status_prometheus(read);
      break;
    case StatusForm::kPage:
      answer.text = report::status_page(
          read, front_door::read_epochs(read.run),
          report::read_over_training((fs::path(read.run) / front_door::kPictureFolder).string()));
      break;
  }
  return answer;
}

}  // namespace superstep
