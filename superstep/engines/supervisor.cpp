#include "superstep/engines/supervisor.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <list>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "superstep/base/error.h"
#include "superstep/base/log.h"

namespace superstep::engines {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kTick = 100ms;  // the longest that a request to stop waits
// A worker may be killed for reasons of others (memory, a person) so many times as often.
constexpr int kKills = 20;
constexpr auto kLeastPause = 50ms;  // before a worker is started again; doubles with each death

class Supervisor {
 public:
  explicit Supervisor(const SupervisorOptions& options)
      : options_(options), job_(Json::parse(options.job)) {}

  std::string run() {
    start_coordinator();
    while (!last_word_) {
      wait_for_output();
      pass_on_stop();
      hear_coordinator();
      if (!last_word_ && coordinator_->ended() && coordinator_->output_ended()) restart();
      if (!last_word_) tend_workers();
    }
    coordinator_->wait();
    farewell();
    return std::move(*last_word_);
  }

 private:
  struct Worker {
    int number;
    std::unique_ptr<ChildProcess> process;
  };

  void start_coordinator() {
    coordinator_ = std::make_unique<ChildProcess>(options_.coordinator, options_.environment);
    stop_said_ = false;
    coordinator_->write_line(job_.dump());
  }

  // The next one goes on where the newest checkpoint stands, at the same address if it is free.
  void restart() {
    const std::string end = coordinator_->wait().text();
    if (++coordinator_deaths_ >= options_.most_deaths)
      throw Error(fmt::format("the coordinator ended {} times without a superstep between: {}",
                              coordinator_deaths_, end));
    log::warning("the coordinator ended ({}); it is started again", end);
    if (!run_folder_.empty()) {
      job_["resume"] = true;
      job_["folder"] = run_folder_;
    }
    if (!address_.empty()) job_["listen"] = address_;
    start_coordinator();
  }

  void wait_for_output() {
    std::vector<pollfd> waiting{{coordinator_->output(), POLLIN, 0}};
    for (const Worker& worker : workers_) waiting.push_back({worker.process->output(), POLLIN, 0});
    poll(waiting.data(), waiting.size(),
         static_cast<int>(std::chrono::milliseconds(kTick).count()));
  }

  void pass_on_stop() {
    if (stop_said_ || !options_.stop.stop_requested()) return;
    coordinator_->write_line(Json{{"event", "stop"}}.dump());
    stop_said_ = true;
  }

  void hear_coordinator() {
    for (const std::string& line : coordinator_->read_lines()) {
      const Json event = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (!event.is_object() || !event.contains("event"))
        throw Error(fmt::format("the coordinator said what is no event: {}", line));
      hear(event, line);
    }
  }

  void hear(const Json& event, const std::string& line) {
    const auto name = event.at("event").get<std::string>();
    if (name == "listening") {
      const auto address = event.at("address").get<std::string>();
      // Workers that dial the old address are of no use to a coordinator at another.
      if (!address_.empty() && address != address_) workers_.clear();
      address_ = address;
    } else if (name == "want") {
      wanted_ = event.at("workers").get<int>();
    } else if (name == "run") {
      run_folder_ = event.at("folder").get<std::string>();
    } else if (name == "done" || name == "failed") {
      last_word_ = line;
    } else {
      if (name == "round") coordinator_deaths_ = worker_deaths_ = 0;
      options_.on_event(line);
    }
  }

  void tend_workers() {
    for (auto worker = workers_.begin(); worker != workers_.end();) {
      worker->process->read_lines();  // they say nothing; only the end is of interest
      const auto end = worker->process->ended();
      if (end) mourn(*worker, *end);
      worker = end ? workers_.erase(worker) : std::next(worker);
    }
    while (!address_.empty() && static_cast<int>(workers_.size()) < wanted_ &&
           Clock::now() >= not_before_)
      start_worker();
  }

  void start_worker() {
    std::vector<std::string> command = options_.worker;
    command.insert(command.end(), {"--coordinator", address_});
    workers_.push_back({++workers_started_,
                        std::make_unique<ChildProcess>(std::move(command), options_.environment)});
    log::debug("worker {} started: process {}", workers_started_, workers_.back().process->pid());
  }

  void mourn(const Worker& worker, const ProcessEnd& end) {
    if (end.signal == 0 && end.code == 0) {  // the coordinator let it go, and will say why
      wanted_ = 0;
      return;
    }
    // A worker that ends by itself was refused, or could not begin: it has said why.
    const int most = end.signal == 0 ? options_.most_deaths : kKills * options_.most_deaths;
    if (++worker_deaths_ >= most)
      throw Error(fmt::format("{} workers ended without a superstep between, the last by {}",
                              worker_deaths_, end.text()));
    log::warning("worker {} ended ({}); another is started", worker.number, end.text());
    not_before_ = Clock::now() + kLeastPause * (1 << std::min(worker_deaths_, 6));
  }

  void farewell() {
    const auto until = Clock::now() + std::chrono::duration<double>(options_.farewell);
    while (Clock::now() < until) {
      std::erase_if(workers_, [](const Worker& worker) { return worker.process->ended(); });
      if (workers_.empty()) return;
      poll(nullptr, 0, 10);
    }
    log::warning("{} workers did not end by themselves and are killed", workers_.size());
    workers_.clear();
  }

  const SupervisorOptions& options_;
  Json job_;
  std::unique_ptr<ChildProcess> coordinator_;
  std::list<Worker> workers_;
  std::string address_, run_folder_;
  std::optional<std::string> last_word_;
  Clock::time_point not_before_{};
  int wanted_ = 0, workers_started_ = 0, coordinator_deaths_ = 0, worker_deaths_ = 0;
  bool stop_said_ = false;
};

}  // namespace

std::string supervise(const SupervisorOptions& options) { return Supervisor(options).run(); }

}  // namespace superstep::engines
