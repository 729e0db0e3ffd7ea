// The status in Prometheus' text exposition format 0.0.4: each metric with HELP and TYPE once,
// base units (seconds, bytes, ratios), counters that end in _total. Every sample names job and run,
// so that many runs can be collected together. What is unknown is left out.
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "superstep/report/status.h"

namespace superstep::report {
namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '\\' ? "\\\\" : c == '"' ? "\\\"" : c == '\n' ? "\\n" : std::string(1, c);
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

class Exposition {
 public:
  explicit Exposition(Labels common) : common_(std::move(common)) {}
  void metric(std::string_view name, std::string_view type, std::string_view help) {
    name_ = fmt::format("superstep_{}", name);
    out_ += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name_, help, type);
  }
  void sample(double value, const Labels& labels = {}) {
    std::string list;
    for (const Labels* some : {&std::as_const(common_), &labels})
      for (const auto& [name, text] : *some)
        list += fmt::format("{}{}=\"{}\"", list.empty() ? "" : ",", name, escaped(text));
    out_ += fmt::format("{}{{{}}} {}\n", name_, list, number(value));
  }
  void gauge(std::string_view name, std::string_view help, double value) {
    metric(name, "gauge", help);
    sample(value);
  }
  void counter(std::string_view name, std::string_view help, double value) {
    metric(name, "counter", help);
    sample(value);
  }
  std::string take() { return std::move(out_); }

 private:
  Labels common_;
  std::string name_, out_;
};

void tell_measures(const Status& s, Exposition& to) {
  // Their names in metrics.jsonl begin with valid_ where they are of the rows to choose by.
  const auto tell = [&](const std::string& measure, const char* metric, const char* help) {
    const auto train = s.measures.find(measure), valid = s.measures.find("valid_" + measure);
    if (train == s.measures.end() && valid == s.measures.end()) return;
    to.metric(metric, "gauge", help);
    if (train != s.measures.end()) to.sample(train->second, {{"rows", "train"}});
    if (valid != s.measures.end()) to.sample(valid->second, {{"rows", "valid"}});
  };
  tell("loss", "loss", "Newest mean loss of a row.");
  tell("error", "error_ratio", "Newest share of rows taken for a wrong class.");
}

void tell_workers(const Status& s, Exposition& to) {
  double here = 0;
  for (const WorkerStatus& worker : s.workers) here += s.running() && worker.here ? 1 : 0;
  to.gauge("workers", "Workers that are here.", here);
  to.counter("workers_lost_total", "Workers that were lost.", static_cast<double>(s.workers_lost));
  if (here == 0) return;
  const auto each = [&](const char* name, const char* type, const char* help, auto value) {
    to.metric(name, type, help);
    for (const WorkerStatus& worker : s.workers)
      if (worker.here)
        to.sample(static_cast<double>(value(worker)),
                  {{"worker", fmt::format("{}", worker.worker)}, {"host", worker.host}});
  };
  each("worker_threads", "gauge", "Units that a worker computes at once.",
       [](const WorkerStatus& w) { return w.threads; });
  each("worker_held_units", "gauge", "Units that a worker holds.",
       [](const WorkerStatus& w) { return w.replicas.size(); });
  each("worker_units_total", "counter", "Results of a worker that counted.",
       [](const WorkerStatus& w) { return w.units; });
  each("worker_compute_seconds_total", "counter", "Seconds of a worker's threads in units.",
       [](const WorkerStatus& w) { return w.compute_seconds; });
  each("worker_heard_timestamp_seconds", "gauge", "Unix time when a worker was heard last.",
       [](const WorkerStatus& w) { return w.heard; });
}

}  // namespace

std::string status_prometheus(const Status& s) {
  const auto real = [](int64_t n) { return static_cast<double>(n); };
  Exposition to({{"job", s.job}, {"run", s.run}});
  to.metric("run_state", "gauge", "1 for the state that the run is in.");
  for (const char* state : {"running", "stopped", "finished", "failed", "lost"})
    to.sample(s.state == state ? 1 : 0, {{"state", state}});
  to.gauge("attempt", "Starts of the run; counters begin anew with each.", real(s.attempt));
  to.gauge("attempt_start_timestamp_seconds", "Unix time when the attempt began.", s.started);
  to.gauge("updated_timestamp_seconds", "Unix time of this status.", s.updated);
  if (!s.phase.empty()) {
    to.metric("phase_info", "gauge", "1 for the phase of the training.");
    to.sample(1, {{"phase", s.phase}});
  }
  to.gauge("phase_epochs_done", "Epochs of the phase that are done.", real(s.epoch));
  to.gauge("phase_epochs", "Epochs that the phase has at most.", real(s.epochs));
  if (s.running() && s.phase_seconds_left)
    to.gauge("phase_remaining_seconds", "Estimated time to the phase's end, or to its latest end.",
             *s.phase_seconds_left);
  to.gauge("supersteps_done", "Supersteps of the job that are done, over all attempts.",
           real(s.superstep));
  tell_measures(s, to);
  to.counter("rows_total", "Rows learned from.", real(s.rows));
  if (s.rows_per_second)
    to.gauge("rows_per_second", "Rows learned from in a second, lately.", *s.rows_per_second);
  to.counter("superstep_seconds_total", "Seconds in supersteps, on the wall.", s.seconds);
  to.counter("compute_seconds_total", "Seconds of threads in units.", s.compute_seconds);
  to.counter("wait_seconds_total", "Seconds of threads in no unit.", s.wait_seconds);
  to.counter("transfer_seconds_total", "Seconds of transfers, summed; several run at once.",
             s.transfer_seconds);
  to.metric("transfer_bytes_total", "counter", "Bytes moved, seen from the coordinator.");
  to.sample(real(s.bytes_in), {{"direction", "in"}});
  to.sample(real(s.bytes_out), {{"direction", "out"}});
  if (s.read_here + s.read_elsewhere > 0) {
    to.metric("hdfs_read_bytes_total", "counter", "Bytes that workers had from HDFS.");
    to.sample(real(s.read_here), {{"from", "own_host"}});
    to.sample(real(s.read_elsewhere), {{"from", "another_host"}});
  }
  if (!s.leases.empty()) {
    to.metric("leases_total", "counter", "Leases by what became of them.");
    for (const auto& [what, count] : s.leases) to.sample(real(count), {{"event", what}});
  }
  tell_workers(s, to);
  return to.take();
}

}  // namespace superstep::report
