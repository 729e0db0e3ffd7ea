#include "superstep/cluster/run_folder.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "superstep/base/error.h"
#include "superstep/base/log.h"
#include "superstep/io/file.h"

namespace superstep::cluster {
namespace {

std::string attempt_file(const std::string& path, int64_t attempt) {
  return fmt::format("{}/attempt-{}", path, attempt);
}

// Claims the first attempt above those that are there.
int64_t claim(const std::string& path) {
  for (int64_t attempt = 1;; ++attempt)
    if (io::create_exclusive(attempt_file(path, attempt))) return attempt;
}

void check(const std::string& path, int64_t attempt) {
  if (io::exists(attempt_file(path, attempt + 1)))
    throw Error(fmt::format("{}: attempt {} has taken this run over; this one (attempt {}) stops",
                            path, attempt + 1, attempt));
}

void send(const std::string& path, int64_t attempt, io::AppendFile& metrics) {
  check(path, attempt);
  metrics.sync();
}

}  // namespace

// Sends metrics.jsonl now and then. A NameNode that is away holds up nobody: what is there goes
// with the next time.
class RunFolder::Sender {
 public:
  Sender(std::string path, int64_t attempt, io::AppendFile& metrics)
      : path_(std::move(path)), attempt_(attempt), metrics_(metrics) {
    thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
  }
  /// What became of the claim when it was last looked at.
  [[nodiscard]] bool claim_is_lost() const { return claim_is_lost_; }

 private:
  static constexpr std::chrono::seconds kBetween{5};

  void work(const std::stop_token& stop) {
    do {
      std::unique_lock lock(mutex_);
      ended_.wait_for(lock, stop, kBetween, [] { return false; });
      try {
        send(path_, attempt_, metrics_);
      } catch (const FileError& error) {
        log::warning("{}; tried again with the next lines", error.what());
      } catch (const Error&) {
        claim_is_lost_ = true;
      }
    } while (!stop.stop_requested());
  }

  std::string path_;
  int64_t attempt_;
  io::AppendFile& metrics_;
  std::atomic<bool> claim_is_lost_{false};
  std::mutex mutex_;
  std::condition_variable_any ended_;
  std::jthread thread_;  // last: it uses the rest
};

void RunFolder::EndSender::operator()(Sender* sender) const { delete sender; }

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
  if (!io::is_folder(path)) throw ConfigError("{}: no such run to resume", path);
  if (!io::exists(attempt_file(path, 1)))
    throw ConfigError("{}: this folder holds no run to resume", path);
  return {path, claim(path)};
}

RunFolder::RunFolder(std::string path, int64_t attempt)
    : path_(std::move(path)),
      attempt_(attempt),
      metrics_(std::make_unique<io::AppendFile>(file("metrics.jsonl"))) {
  if (metrics_->is_held()) sender_.reset(new Sender(path_, attempt_, *metrics_));
}

std::string RunFolder::file(std::string_view name) const {
  return fmt::format("{}/{}", path_, name);
}

void RunFolder::check_claim() const { check(path_, attempt_); }

void RunFolder::send_metrics() const {
  if (sender_) send(path_, attempt_, *metrics_);
}

void RunFolder::append_metrics(std::string_view line) {
  // Two attempts would write their lines into each other.
  if (!sender_ || sender_->claim_is_lost()) check_claim();
  metrics_->write(fmt::format("{}\n", line));
}

}  // namespace superstep::cluster
