#include "superstep/cluster/worker.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

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

}  // namespace
}  // namespace superstep::cluster
