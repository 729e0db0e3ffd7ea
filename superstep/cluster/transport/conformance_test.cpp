// One suite for every way between a coordinator and its workers: in this process, over gRPC, over
// gRPC with TLS, over gRPC with tensors in shared memory. What holds in one place holds in all.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <list>
#include <numeric>
#include <thread>

#include "superstep/cluster/coordinator.h"
#include "superstep/cluster/testing.h"
#include "superstep/cluster/transport/client.h"
#include "superstep/cluster/transport/server.h"
#include "superstep/cluster/transport/testing.h"
#include "superstep/cluster/worker.h"

namespace superstep::cluster::transport {
namespace {

using cluster::testing::Sums;
using testing::Wide;

enum class Way { kInProcess, kPlain, kTls, kMemory };

/// Opens once; whoever waits goes on.
class Gate {
 public:
  void open() {
    const std::scoped_lock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

/// A coordinator and workers that may come and go, by any way.
class Cluster {
 public:
  Cluster(Way way, const reduce::Program& program, RunOptions options = {})
      : way_(way), program_(program), coordinator_(program, std::move(options)) {
    if (way == Way::kInProcess) return;
    const Authority authority = make_authority("a test");
    link_.secret = make_secret();
    link_.shares_memory = way == Way::kMemory;
    ServerOptions server{.listen = "127.0.0.1:0", .link = link_, .job_id = "a test"};
    if (way == Way::kTls) {
      server.link.tls = issue(authority, {"127.0.0.1"});
      link_.tls = issue(authority, {});
    }
    server_ = std::make_unique<Server>(std::move(server));
    server_->attach(coordinator_, {"sums", ""}, "same");
  }
  ~Cluster() {
    if (server_) server_->detach();
    server_.reset();
    for (auto& local : local_)
      if (local.door) coordinator_.leave(*local.door);
  }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// Returns a number to make it leave by.
  size_t join(int lanes) {
    if (way_ == Way::kInProcess) {
      Local& local = local_.emplace_back();
      local.worker = std::make_unique<Worker>(program_, lanes);
      local.door = &coordinator_.join(*local.worker, lanes);
      local.worker->connect(*local.door);
      return local_.size() - 1;
    }
    remote_.emplace_back([this, lanes](const std::stop_token& stop) {
      ClientOptions options{.coordinator = server_->address(), .link = link_, .lanes = lanes};
      options.stop = stop;
      (void)work(options, [&](const Stage&) {
        return MadeProgram{{std::shared_ptr<void>(), &program_}, "same"};
      });
    });
    return remote_.size() - 1;
  }
  /// Asks a worker to leave; whatever it does is for nothing.
  void leave(size_t number) {
    if (way_ == Way::kInProcess) {
      Local& local = *std::next(local_.begin(), static_cast<std::ptrdiff_t>(number));
      local.worker.reset();
      coordinator_.leave(*std::exchange(local.door, nullptr));
    } else {
      std::next(remote_.begin(), static_cast<std::ptrdiff_t>(number))->request_stop();
    }
  }
  RunResult run() { return coordinator_.run(); }
  [[nodiscard]] ServerCounters counters() const {
    return server_ ? server_->counters() : ServerCounters{};
  }

 private:
  struct Local {
    std::unique_ptr<Worker> worker;
    CoordinatorPort* door = nullptr;
  };
  Way way_;
  const reduce::Program& program_;
  Link link_;
  Coordinator coordinator_;
  std::unique_ptr<Server> server_;
  std::list<Local> local_;
  std::list<std::jthread> remote_;  // first to be joined
};

class Transport : public ::testing::TestWithParam<Way> {};
INSTANTIATE_TEST_SUITE_P(Ways, Transport,
                         ::testing::Values(Way::kInProcess, Way::kPlain, Way::kTls, Way::kMemory),
                         [](const auto& way) -> std::string {
                           return way.param == Way::kInProcess ? "InProcess"
                                  : way.param == Way::kPlain   ? "Plain"
                                  : way.param == Way::kTls     ? "Tls"
                                                               : "Memory";
                         });

Digest digest_of(const ParamSet& params) {
  return digest(params.flat().data(), params.flat().size_bytes());
}

/// Where Wide ends on one worker in this process.
Digest wide_end() {
  static const Digest end = [] {
    const Wide program;
    Cluster cluster(Way::kInProcess, program);
    cluster.join(1);
    return digest_of(cluster.run().state.shared);
  }();
  return end;
}

TEST_P(Transport, EndsAlikeForAnyWorkersAndLanes) {
  for (const std::vector<int>& lanes : {std::vector{1}, {2}, {1, 2}, {3, 1, 1}}) {
    const Sums program;
    Cluster cluster(GetParam(), program);
    for (const int n : lanes) cluster.join(n);
    const RunResult result = cluster.run();
    EXPECT_TRUE(result.finished);
    EXPECT_EQ(result.units, 48);
    program.expect_end(result.state);
  }
}

TEST_P(Transport, MovesLargeStatesAndUpdates) {
  for (const int workers : {1, 2, 3}) {
    const Wide program;
    Cluster cluster(GetParam(), program);
    for (int i = 0; i < workers; ++i) cluster.join(1);
    EXPECT_EQ(digest_of(cluster.run().state.shared), wide_end());
    const ServerCounters counters = cluster.counters();
    EXPECT_EQ(counters.shared, GetParam() == Way::kMemory ? counters.states + counters.updates : 0);
    EXPECT_EQ(counters.updates, GetParam() == Way::kInProcess ? 0 : program.supersteps * 4);
  }
}

TEST_P(Transport, LetsAWorkerJoinLate) {
  Sums program;
  Gate late;
  std::atomic<int> begun = 0;
  // The first worker's lane stays in its first unit until the other has come and computes.
  program.spoil = [&](const reduce::Task&, reduce::Outcome&) {
    if (++begun == 1)
      late.wait();
    else
      late.open();
  };
  Cluster cluster(GetParam(), program);
  cluster.join(1);
  std::jthread joiner([&] {
    while (begun == 0) std::this_thread::yield();
    cluster.join(1);
  });
  program.expect_end(cluster.run().state);
}

TEST_P(Transport, LeasesAgainWhatAWorkerHadThatLeft) {
  Sums program;
  Gate left;
  std::atomic<int> begun = 0;
  program.spoil = [&](const reduce::Task& task, reduce::Outcome&) {
    if (++begun != 1) return;
    left.open();
    while (!task.progress.stopped()) std::this_thread::yield();
  };
  Cluster cluster(GetParam(), program);
  const size_t first = cluster.join(1);
  std::jthread leaver([&] {
    left.wait();
    cluster.leave(first);
    cluster.join(1);
  });
  const RunResult result = cluster.run();
  program.expect_end(result.state);
  EXPECT_GE(result.counters.released, 1);
}

TEST_P(Transport, ComparesAndDropsTheSecondOfTwo) {
  const Sums program;
  Cluster cluster(GetParam(), program, {.schedule = {.audit = 1}});
  cluster.join(1);
  cluster.join(2);
  const RunResult result = cluster.run();
  program.expect_end(result.state);
  EXPECT_TRUE(result.reproducible);
  EXPECT_EQ(result.counters.audited, 48);
  EXPECT_EQ(result.counters.compared, 48);
  EXPECT_GE(result.counters.dropped, 48);
}

TEST_P(Transport, SaysWhereTwoResultsDiffer) {
  Sums program;
  std::atomic<int> calls = 0;
  program.spoil = [&](const reduce::Task& task, reduce::Outcome& outcome) {
    if (task.round.superstep == 2 && task.unit.id == 3 && ++calls == 2) outcome.blob += "?";
  };
  Cluster cluster(GetParam(), program, {.schedule = {.audit = 1}});
  cluster.join(1);
  cluster.join(1);
  const RunResult result = cluster.run();
  EXPECT_FALSE(result.reproducible);
  EXPECT_EQ(result.counters.conflicts, 1);
}

TEST_P(Transport, CarriesExceptionsWithKindAndText) {
  const auto run = [&](const std::function<void()>& fail) {
    Sums program;
    program.spoil = [&](const reduce::Task& task, reduce::Outcome&) {
      if (task.round.superstep == 1 && task.unit.id == 5) fail();
    };
    Cluster cluster(GetParam(), program);
    cluster.join(2);
    (void)cluster.run();
  };
  const auto expect = [&]<class E>(const E& error, const std::string& text) {
    try {
      run([&] { throw E(error); });
      ADD_FAILURE() << "nothing was thrown: " << text;
    } catch (const E& got) {
      EXPECT_EQ(got.what(), text);
    }
  };
  expect(ConfigError("{} of 3", 1), "1 of 3");
  expect(DataError("a.csv:7: {}", "{braces}"), "a.csv:7: {braces}");
  expect(FileError("no disk"), "no disk");
  expect(NumericError("not finite"), "sums, epoch 0, superstep 1, replica 5: not finite");
  EXPECT_THROW(run([] { throw std::bad_alloc(); }), std::bad_alloc);
}

TEST_P(Transport, StopsBetweenRoundsWhenAsked) {
  Sums program;
  std::stop_source stop;
  program.spoil = [&](const reduce::Task& task, reduce::Outcome&) {
    if (task.round.superstep == 2) stop.request_stop();
  };
  RunOptions options;
  options.stop = stop.get_token();
  Cluster cluster(GetParam(), program, std::move(options));
  cluster.join(2);
  const RunResult result = cluster.run();
  EXPECT_FALSE(result.finished);
  EXPECT_EQ(result.rounds, 3);
}

// A unit that nobody waits for any more computes on, and the state that it reads does not change
// under it, however many supersteps the others are ahead.
TEST_P(Transport, LeavesAUnitTheStateThatItBeganWith) {
  Wide program;
  std::atomic<bool> begun = false;
  std::atomic<int64_t> newest = 0;
  std::atomic<int> same = -1;
  program.before = [&](const reduce::Task& task) {
    newest = std::max<int64_t>(newest, task.round.superstep);
    if (task.round.superstep != 1 || begun.exchange(true)) return;
    const Digest before = digest_of(task.shared);
    while (newest < 3) std::this_thread::yield();
    same = digest_of(task.shared) == before;
  };
  Cluster cluster(GetParam(), program, {.schedule = {.silence = 0.2}});
  cluster.join(1);
  cluster.join(1);
  const RunResult result = cluster.run();
  EXPECT_EQ(digest_of(result.state.shared), wide_end());
  EXPECT_GE(result.counters.backups, 1);
  while (same < 0) std::this_thread::yield();
  EXPECT_EQ(same, 1);
}

TEST_P(Transport, StopsAUnitOnceItsBackupHasWon) {
  Sums program;
  std::atomic<int> begun = 0;
  std::atomic<bool> cut_short = false;
  program.spoil = [&](const reduce::Task& task, reduce::Outcome&) {
    if (++begun != 1) return;
    while (!task.progress.stopped()) std::this_thread::yield();
    cut_short = true;
  };
  Cluster cluster(GetParam(), program, {.schedule = {.silence = 0.2}});
  cluster.join(1);
  cluster.join(1);
  const RunResult result = cluster.run();
  program.expect_end(result.state);
  EXPECT_GE(result.counters.backups, 1);
  while (!cut_short) std::this_thread::yield();
}

}  // namespace
}  // namespace superstep::cluster::transport
