// How a run stands: what `superstep status` says. Whoever runs a job writes it as status.json into
// the run's folder; it is shown as text, JSON, Prometheus metrics or a page from there.
//
//   Status status = status_from_json(text, "runs/digits/1/status.json");
//   fmt::print("{}", status_text(status, unix_now));
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "superstep/report/html.h"
#include "superstep/report/metrics.h"
#include "superstep/report/over_training.h"

namespace superstep::report {

struct WorkerStatus {
  int64_t worker = 0;  ///< Its number; one that joins again has a new one.
  std::string host{};
  int64_t threads = 1;
  bool here = true;                           ///< False: lost.
  std::vector<int64_t> replicas{};            ///< That it holds: computes, or is about to hand in.
  int64_t units = 0;                          ///< Its results that counted.
  double compute_seconds = 0;                 ///< Summed over its threads.
  int64_t read_here = 0, read_elsewhere = 0;  ///< Bytes from HDFS, from its own host or not.
  double heard = 0;                           ///< When it said something last, in Unix time.
  std::vector<int64_t> busy{};  ///< Percent of its threads, a bin each; -1: not there (timeline.h).
};

/// Something that happened, for the timeline.
struct StatusEvent {
  double time = 0;      ///< Unix time.
  std::string what{};   ///< "joined", "lost", "backup", "released".
  int64_t worker = -1;  ///< -1: of no one worker.
  int64_t count = 1;
};

/// All figures are of this attempt: since the run began, or was last gone on with.
struct Status {
  std::string state = "running";  ///< Or "stopped", "finished", "failed", "lost".
  std::string message{};          ///< Why it failed.
  std::string job{}, run{};       ///< The job's name; the run's folder, as the reader names it.
  std::string host{};             ///< Where the coordinator is, or was ...
  int64_t process = 0;            ///< ... and its process.
  int64_t attempt = 1;
  double started = 0, updated = 0;  ///< Unix time of this attempt's begin, and of this status.
  std::string model{};              ///< "dbn 64-256-128-10".
  int64_t replicas = 0;
  std::string phase{};  ///< Empty before the first superstep.
  int64_t epoch = 0,
          epochs = 0;     ///< Epochs of the phase that are done, and that there are at most.
  int64_t superstep = 0;  ///< Supersteps of the job that are done.
  std::map<std::string, double>
      measures{};    ///< The newest loss, error, valid_loss ... of the phase.
  int64_t rows = 0;  ///< Learned from.
  std::optional<double> rows_per_second{};       ///< Lately.
  double seconds = 0;                            ///< In supersteps, on the wall.
  double compute_seconds = 0, wait_seconds = 0;  ///< Summed over threads; moving counts as waiting.
  double transfer_seconds = 0;  ///< Of transfers over a network, summed; several run at once.
  int64_t bytes_in = 0, bytes_out = 0;  ///< Seen from the coordinator; 0 in one process.
  int64_t read_here = 0,
          read_elsewhere = 0;  ///< Bytes that workers have had from HDFS, from their hosts or not.
  std::optional<double> phase_seconds_left{};  ///< At most, where it may stop early.
  bool may_stop_early = false;
  std::map<std::string, int64_t> leases{};  ///< granted, released, backups ...: docs/cluster.md.
  int64_t workers_lost = 0;
  std::vector<WorkerStatus> workers{};  ///< Those that are here, and the last that were lost.
  double bin_seconds = 1;             ///< Of WorkerStatus::busy; the first bin begins at `started`.
  std::vector<StatusEvent> events{};  ///< The last ones.

  [[nodiscard]] bool running() const { return state == "running"; }
};

/// One object, documented in docs/status.md.
std::string status_json(const Status& status);
/// `name` stands for the text in errors. Throws DataError for what is no status, or one of a later
/// version.
Status status_from_json(std::string_view text, std::string_view name);

/// What there is to say, as label and text, and the workers; `now` in Unix time.
std::vector<std::pair<std::string, std::string>> status_facts(const Status& status, double now);
Table workers_table(const Status& status, double now);

/// For a terminal, a line each; `now` in Unix time.
std::string status_text(const Status& status, double now);

/// Prometheus' text exposition format, version 0.0.4.
std::string status_prometheus(const Status& status);

/// A page that holds all it shows, and loads itself again while the run goes on; its links name
/// files beside it. `metrics`: for curves, the lines that close epochs; `drawn`: first-layer
/// filters.
std::string status_page(const Status& status, std::span<const MetricLine> metrics,
                        const OverTraining& drawn);
/// Seconds after which the page loads itself again.
inline constexpr int kReloadSeconds = 5;

}  // namespace superstep::report
