// The status for a terminal.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "superstep/report/curves.h"
#include "superstep/report/status.h"
#include "superstep/report/text.h"

namespace superstep::report {
namespace {

std::string phase_line(const Status& s) {
  if (s.phase.empty())
    return s.running() && s.workers.empty() ? "no superstep yet; no worker is here"
                                            : "no superstep yet";
  return fmt::format("{}, {} of {} epochs done, superstep {}", phase_text(s.phase),
                     with_commas(s.epoch), with_commas(s.epochs), with_commas(s.superstep));
}

std::string measures_text(const Status& s) {
  const auto value = [&](const char* name) {
    const auto found = s.measures.find(name);
    return found == s.measures.end() ? std::optional<double>() : found->second;
  };
  const auto of = [&](const char* loss, const char* error) -> std::string {
    if (!value(loss)) return "";
    return number_text(*value(loss)) +
           (value(error) ? fmt::format(", error {}", percent_text(*value(error))) : "");
  };
  std::string text = of("loss", "error");
  if (!text.empty()) text += " on the rows to learn from";
  const std::string valid = of("valid_loss", "valid_error");
  if (!valid.empty())
    text += fmt::format("{}{} on the rows to choose by", text.empty() ? "" : "; ", valid);
  return text;
}

std::string phase_end_text(const Status& s) {
  if (!s.running()) return "";
  if (!s.phase_seconds_left) return "unknown until an epoch of the phase is done";
  const std::string left = human_seconds(*s.phase_seconds_left);
  return s.may_stop_early ? fmt::format("unknown, it may stop early; in {} at most", left)
                          : fmt::format("in about {}", left);
}

std::string holds_text(const WorkerStatus& worker) {
  constexpr size_t kShown = 6;
  const size_t n = worker.replicas.size();
  if (!worker.here) return "lost";
  if (n == 0) return "-";
  return fmt::format(
      "{} {}{}", n == 1 ? "replica" : "replicas",
      fmt::join(worker.replicas.begin(),
                worker.replicas.begin() + static_cast<long>(std::min(n, kShown)), ","),
      n > kShown ? fmt::format(" and {} more", n - kShown) : "");
}

std::string leases_text(const Status& s) {
  std::string text;
  for (const auto& [name, count] : s.leases)
    if (count > 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", with_commas(count), name);
  return text;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> status_facts(const Status& s, double now) {
  std::vector<std::pair<std::string, std::string>> facts;
  const auto fact = [&](const char* label, std::string text) {
    if (!text.empty()) facts.emplace_back(label, std::move(text));
  };
  fact("run", fmt::format("{} ({}), attempt {}; told {} ago", s.run, s.job, s.attempt,
                          human_seconds(std::max(0.0, now - s.updated))));
  if (s.state == "lost")
    fact("lost", fmt::format("process {} on {} is gone; go on with: superstep train {} --resume",
                             s.process, s.host, s.run));
  fact("error", s.message);
  fact("model", s.model.empty() ? "" : fmt::format("{}, replicas: {}", s.model, s.replicas));
  fact("phase", phase_line(s));
  fact("loss", measures_text(s));
  fact("phase ends", phase_end_text(s));
  if (s.rows_per_second)
    fact("speed", fmt::format("{} rows a second", with_commas(std::llround(*s.rows_per_second))));
  const double lanes = s.compute_seconds + s.wait_seconds;
  fact("time",
       fmt::format("{} in supersteps; threads computing {}, waiting {}{}", human_seconds(s.seconds),
                   human_seconds(s.compute_seconds), human_seconds(s.wait_seconds),
                   lanes > 0 ? fmt::format(" ({:.0f}%)", 100 * s.wait_seconds / lanes) : ""));
  if (s.bytes_in + s.bytes_out > 0)
    fact("moved", fmt::format("{} in, {} out; transfers took {} together", human_bytes(s.bytes_in),
                              human_bytes(s.bytes_out), human_seconds(s.transfer_seconds)));
  if (const int64_t read = s.read_here + s.read_elsewhere; read > 0)
    fact("read", fmt::format("{} from HDFS, {:.0f}% of it where it lies", human_bytes(read),
                             100 * static_cast<double>(s.read_here) / static_cast<double>(read)));
  fact("leases", leases_text(s));
  const auto here = std::ranges::count_if(s.workers, &WorkerStatus::here);
  fact("workers",
       fmt::format("{}{}", here,
                   s.workers_lost ? fmt::format("; {} lost", with_commas(s.workers_lost)) : ""));
  return facts;
}

Table workers_table(const Status& s, double now) {
  Table table{.headers = {"worker", "host", "threads", "units done", "holds", "last heard"}};
  for (const WorkerStatus& w : s.workers)
    table.rows.push_back({fmt::format("{}", w.worker), w.host, fmt::format("{}", w.threads),
                          with_commas(w.units), holds_text(w),
                          human_seconds(std::max(0.0, now - w.heard)) + " ago"});
  return table;
}

std::string status_text(const Status& s, double now) {
  std::string out = s.state + "\n";
  for (const auto& [label, text] : status_facts(s, now))
    out += fmt::format("{:<11} {}\n", label, text);
  if (s.workers.empty()) return out;
  Table table = workers_table(s, now);
  table.rows.insert(table.rows.begin(), table.headers);
  std::vector<size_t> widths(table.headers.size());
  for (const auto& row : table.rows)
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  for (const auto& row : table.rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c)
      line += fmt::format("{}{:<{}}", line.empty() ? "" : "  ", row[c], widths[c]);
    out += "  " + line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

}  // namespace superstep::report
