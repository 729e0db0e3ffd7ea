#include "superstep/cluster/worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "superstep/cluster/coordinator.h"
#include "superstep/cluster/testing.h"

namespace superstep::cluster {
namespace {

/// Between a worker and its coordinator: an update is on its way until the unit after it is ready.
class SlowPort : public CoordinatorPort {
 public:
  /// Rounds of so many units, all for one lane.
  explicit SlowPort(int64_t units) : units_(units) {}
  void connect(CoordinatorPort& coordinator) { coordinator_ = &coordinator; }

  void notice(Notice notice) override {
    {
      const std::scoped_lock lock(mutex_);
      ++notices_;
    }
    changed_.notify_all();
    coordinator_->notice(std::move(notice));
  }
  void deliver(LeaseId lease, ParamSet& update, int64_t weight) override {
    {
      std::unique_lock lock(mutex_);
      EXPECT_FALSE(delivering_);
      delivering_ = true;
      const bool last = ++deliveries_ % units_ == 0;
      // So long only where the lane does not go on.
      const auto patience = std::chrono::seconds(20);
      EXPECT_TRUE(
          changed_.wait_for(lock, patience, [&] { return last || notices_ > deliveries_; }));
      delivering_ = false;
    }
    coordinator_->deliver(lease, update, weight);
  }
  [[nodiscard]] bool delivers_slowly() const override { return true; }
  void beat(LeaseId lease, uint64_t beats) override { coordinator_->beat(lease, beats); }
  void stopped(LeaseId lease) override { coordinator_->stopped(lease); }
  void failed(LeaseId lease, std::exception_ptr error) override {
    coordinator_->failed(lease, std::move(error));
  }

 private:
  const int64_t units_;
  CoordinatorPort* coordinator_ = nullptr;
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t notices_ = 0, deliveries_ = 0;
  bool delivering_ = false;
};

TEST(Worker, ComputesTheNextUnitWhileItDelivers) {
  const testing::Sums program;
  Coordinator coordinator(program, {});
  SlowPort port(program.units);
  Worker worker(program, 1);
  port.connect(coordinator.join(worker, 1));
  worker.connect(port);
  const RunResult result = coordinator.run();
  EXPECT_EQ(result.units, 48);
  program.expect_end(result.state);
}

/// A coordinator that keeps the notices of a worker.
class Notices : public CoordinatorPort {
 public:
  void notice(Notice notice) override {
    {
      const std::scoped_lock lock(mutex_);
      notices_.push_back(std::move(notice));
    }
    changed_.notify_all();
  }
  void deliver(LeaseId, ParamSet&, int64_t) override {}
  void beat(LeaseId, uint64_t) override {}
  void stopped(LeaseId) override {}
  void failed(LeaseId, std::exception_ptr) override {}
  /// The first so many, once they are there.
  std::vector<Notice> wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return notices_.size() >= count; });
    return notices_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Notice> notices_;
};

// Whether the lease said so, or it was said while the unit ran or waited for a lane.
TEST(Worker, MakesADigestWhereItIsAskedFor) {
  testing::Sums program;
  std::atomic<bool> go = false, runs = false;
  program.spoil = [&](const reduce::Task&, reduce::Outcome&) {
    runs = true;
    while (!go) std::this_thread::yield();
  };
  const reduce::State state = program.initial();
  const reduce::Round round = program.next(nullptr, state).value();
  Notices notices;
  Worker worker(program, 1);
  worker.connect(notices);
  worker.begin(std::make_shared<const RoundStart>(RoundStart{
      round, program.update_spec(round), std::make_shared<const ParamSet>(state.shared)}));
  worker.grant(1, 0, {}, false);
  worker.grant(2, 0, {}, false);
  worker.grant(3, 0, {}, false);
  worker.grant(4, 0, {}, true);
  while (!runs) std::this_thread::yield();
  worker.compare(1);
  worker.compare(3);
  worker.compare(5);  // which it has not got
  go = true;
  for (const LeaseId lease : {1, 2, 3}) {
    (void)notices.wait_for(static_cast<size_t>(lease));
    worker.drop(lease);
  }
  const auto said = notices.wait_for(4);
  EXPECT_TRUE(said[0].digest);
  EXPECT_FALSE(said[1].digest);
  EXPECT_EQ(said[2].digest, said[0].digest);  // it is the same unit
  EXPECT_EQ(said[3].digest, said[0].digest);
}

}  // namespace
}  // namespace superstep::cluster
