#include "superstep/front_door/status_writer.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "superstep/base/host.h"
#include "superstep/base/log.h"
#include "superstep/front_door/runs.h"
#include "superstep/front_door/status_file.h"
#include "superstep/io/file.h"

namespace superstep::front_door {
namespace {

using namespace std::chrono_literals;

constexpr auto kBetween = 1s;
constexpr auto kBetweenElsewhere = 5s;              // on HDFS: a NameNode has others to serve
constexpr int kPageEvery = report::kReloadSeconds;  // writes of the status
constexpr size_t kEvents = 100, kLost = 16;         // the newest are kept
constexpr size_t kCurvePoints = 2000;

report::MetricLine line_of(const cluster::RoundDone& done) {
  report::MetricLine line;
  line.event = done.report.event;
  line.phase = done.round.phase;
  line.epoch = done.round.epoch;
  for (const auto& [name, value] : done.report.measures) {
    if (name == "loss")
      line.loss = value;
    else
      line.numbers[name] = value;
  }
  return line;
}

std::map<std::string, int64_t> counts_of(const reduce::ScheduleCounters& counters) {
  return {{"granted", counters.granted},     {"released", counters.released},
          {"backups", counters.backups},     {"compared", counters.compared},
          {"conflicts", counters.conflicts}, {"discarded", counters.discarded},
          {"expelled", counters.expelled}};
}

}  // namespace

StatusWriter::StatusWriter(const cluster::RunFolder& folder, const Job& job)
    : folder_(folder), patience_(job.finetune.patience) {
  status_.job = job.job.name;
  status_.run = folder.path();
  status_.host = machine_name();
  status_.process = ::getpid();
  status_.attempt = folder.attempt();
  status_.started = unix_now();
  // A run that goes on shows what it came to before.
  for (report::MetricLine& line : read_epochs(folder.path())) note_epoch(std::move(line));
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

StatusWriter::~StatusWriter() {
  if (status_.running()) end("failed");
}

void StatusWriter::work(const std::stop_token& stop) {
  for (int n = 0; !stop.stop_requested(); ++n) {
    write_status();
    if (n % kPageEvery == 0) write_page();
    std::unique_lock lock(mutex_);
    ended_.wait_for(lock, stop, io::is_remote(folder_.path()) ? kBetweenElsewhere : kBetween,
                    [] { return false; });
  }
}

void StatusWriter::end(const std::string& state, const std::string& message) {
  thread_.request_stop();
  thread_.join();
  {
    const std::scoped_lock lock(mutex_);
    status_.state = state;
    status_.message = message;
    status_.phase_seconds_left.reset();
    for (report::WorkerStatus& worker : status_.workers) worker.replicas.clear();
  }
  write_page();
  write_status();
}

void StatusWriter::write_status() {
  std::string text;
  {
    const std::scoped_lock lock(mutex_);
    status_.updated = unix_now();
    text = report::status_json(status_);
  }
  write(kStatusFile, text);
}

void StatusWriter::write_page() {
  report::Status status;
  std::vector<report::MetricLine> epochs;
  {
    const std::scoped_lock lock(mutex_);
    status_.updated = unix_now();
    status = status_;
    epochs = epochs_;
  }
  // Pictures are drawn where epochs end.
  if (epochs.size() != drawn_at_ || !status.running()) {
    drawn_at_ = epochs.size();
    try {
      drawn_ = report::read_over_training(folder_.file(kPictureFolder));
    } catch (const Error& error) {
      log::debug("{}; the page keeps the pictures that it had", error.what());
    }
  }
  write(kStatusPage, report::status_page(status, epochs, drawn_));
}

void StatusWriter::write(const char* name, const std::string& text) {
  try {
    folder_.check_claim();
  } catch (const Error&) {
    return;  // a later attempt tells now
  }
  try {
    io::replace_file(folder_.file(name), text);
  } catch (const Error& error) {
    if (!std::exchange(warned_, true)) log::warning("{}; training goes on", error.what());
  }
}

void StatusWriter::on_model(const ModelSummary& model) {
  const std::scoped_lock lock(mutex_);
  status_.model = fmt::format("{} {}", model.kind, model.shape);
  status_.replicas = model.replicas;
  status_.superstep = model.superstep;
}

void StatusWriter::on_phase(const std::string& phase, int64_t epochs) {
  const std::scoped_lock lock(mutex_);
  status_.phase = phase;
  status_.epoch = 0;
  status_.epochs = epochs;
  status_.measures.clear();
  pace_.begin_phase();
  status_.may_stop_early = phase == "finetune" && patience_ > 0;
}

void StatusWriter::on_round(const cluster::RoundDone& done) {
  const bool closes_epoch = done.report.event != "superstep";
  const std::scoped_lock lock(mutex_);
  int64_t rows = 0;
  bool trains = false;
  for (const auto& [name, value] : done.report.measures) {
    if (name == "rows")
      rows = static_cast<int64_t>(value);
    else
      status_.measures[name] = value;
    trains |= name == "loss";
  }
  pace_.add({.epoch = done.round.epoch,
             .closes = done.report.event,
             .rows = rows,
             .seconds = done.seconds,
             .trains = trains});
  status_.epoch = done.round.epoch + (closes_epoch ? 1 : 0);
  status_.superstep = done.round.superstep + 1;
  status_.rows = pace_.rows();
  status_.rows_per_second = pace_.rows_per_second();
  status_.phase_seconds_left = pace_.seconds_left(status_.epochs);
  status_.seconds += done.seconds;
  status_.compute_seconds += done.compute_seconds;
  status_.wait_seconds += done.wait_seconds();
  status_.transfer_seconds += done.transfer_seconds;
  status_.bytes_in += done.bytes_in;
  status_.bytes_out += done.bytes_out;
  if (closes_epoch) note_epoch(line_of(done));
}

void StatusWriter::note_epoch(report::MetricLine line) {
  epochs_.push_back(std::move(line));
  if (epochs_.size() <= kCurvePoints) return;
  // Every second one, and the newest, are curve enough.
  std::vector<report::MetricLine> kept;
  for (size_t i = epochs_.size() % 2 ? 0 : 1; i < epochs_.size(); i += 2)
    kept.push_back(std::move(epochs_[i]));
  epochs_ = std::move(kept);
}

void StatusWriter::note(const char* what, int64_t worker, int64_t count) {
  auto& events = status_.events;
  events.push_back({.time = unix_now(), .what = what, .worker = worker, .count = count});
  if (events.size() > kEvents) events.erase(events.begin());
}

void StatusWriter::on_cluster(const cluster::ClusterNow& now) {
  const std::scoped_lock lock(mutex_);
  const auto counts = counts_of(now.leases);
  for (const auto& [counter, what] :
       {std::pair{"released", "released"}, std::pair{"backups", "backup"}})
    if (const int64_t more = counts.at(counter) - status_.leases[counter]; more > 0)
      note(what, -1, more);
  status_.leases = counts;
  status_.workers_lost = now.lost;
  status_.read_here = now.read.here;
  status_.read_elsewhere = now.read.elsewhere;
  timeline_.advance(unix_now() - status_.started);
  note_workers(now);
  status_.bin_seconds = timeline_.bin_seconds();
  for (report::WorkerStatus& worker : status_.workers) worker.busy = timeline_.busy(worker.worker);
}

void StatusWriter::note_workers(const cluster::ClusterNow& now) {
  auto& workers = status_.workers;
  const auto is_here = [&](int64_t id) {
    return std::ranges::find(now.workers, id, &cluster::WorkerNow::worker) != now.workers.end();
  };
  for (report::WorkerStatus& worker : workers) {
    if (!worker.here || is_here(worker.worker)) continue;
    worker.here = false;
    worker.replicas.clear();
    note("lost", worker.worker);
  }
  for (const cluster::WorkerNow& told : now.workers) {
    auto found = std::ranges::find(workers, told.worker, &report::WorkerStatus::worker);
    if (found == workers.end()) {
      found = workers.insert(found, {.worker = told.worker, .host = told.host});
      note("joined", told.worker);
    }
    found->threads = told.lanes;
    found->replicas = told.replicas;
    found->units = told.units;
    found->compute_seconds = told.compute_seconds;
    found->read_here = told.read.here;
    found->read_elsewhere = told.read.elsewhere;
    found->heard = unix_now() - told.silent_seconds;
    timeline_.add(told.worker, told.lanes, told.compute_seconds);
  }
  auto lost = static_cast<size_t>(std::ranges::count(workers, false, &report::WorkerStatus::here));
  std::erase_if(workers, [&](const report::WorkerStatus& worker) {
    if (worker.here || lost <= kLost) return false;
    --lost;
    timeline_.forget(worker.worker);
    return true;
  });
}

}  // namespace superstep::front_door
