#include "superstep/cluster/coordinator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "superstep/cluster/testing.h"
#include "superstep/cluster/worker.h"

namespace superstep::cluster {
namespace {

using testing::RunPath;
using testing::Sums;

// A thread is neither lost nor slow.
reduce::ScheduleOptions calm(double audit = 0) {
  return {.audit = audit,
          .silence = reduce::kNever,
          .slow_factor = reduce::kNever,
          .dead = reduce::kNever};
}

// Workers of so many lanes each, in this process.
RunResult run(const reduce::Program& program, const std::vector<int>& lanes,
              RunOptions options = {}) {
  const double audit = options.schedule.audit;
  options.schedule = calm(audit);
  Coordinator coordinator(program, std::move(options));
  std::vector<std::unique_ptr<Worker>> workers;
  for (const int n : lanes) {
    workers.push_back(std::make_unique<Worker>(program, n));
    workers.back()->connect(coordinator.join(*workers.back(), n));
  }
  return coordinator.run();
}

// The message of the E that the run throws; "" where it throws none of that type.
template <class E>
std::string error_of(const reduce::Program& program, int lanes, RunOptions options = {}) {
  try {
    (void)run(program, {lanes}, std::move(options));
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

class OnRound : public Observer {
 public:
  explicit OnRound(std::function<void(const RoundDone&)> action) : action_(std::move(action)) {}
  void on_round(const RoundDone& done) override { action_(done); }

 private:
  std::function<void(const RoundDone&)> action_;
};

TEST(Coordinator, ComesToTheSameOnAnyLanesAndWorkers) {
  const Sums program;
  for (const std::vector<int>& lanes : std::vector<std::vector<int>>{
           {1}, {2}, {3}, {4}, {5}, {6}, {7}, {1, 1}, {2, 5}, {9, 1, 1}}) {
    const RunResult result = run(program, lanes);
    EXPECT_TRUE(result.finished);
    EXPECT_TRUE(result.reproducible);
    EXPECT_EQ(result.rounds, 6);
    EXPECT_EQ(result.units, 48);
    program.expect_end(result.state);
  }
}

TEST(Coordinator, RunsAProgramOfNoRoundsAndRoundsOfNoUnits) {
  Sums program;
  program.units = 0;
  const RunResult empty = run(program, {2});
  EXPECT_TRUE(empty.finished);
  EXPECT_EQ(empty.rounds, 6);
  EXPECT_EQ(empty.units, 0);
  program.supersteps = 0;
  const RunResult none = run(program, {2});
  EXPECT_TRUE(none.finished);
  EXPECT_EQ(none.rounds, 0);
}

TEST(Coordinator, SaysWhereAValueWentWrong) {
  Sums program;
  program.spoil = [](const reduce::Task& task, reduce::Outcome& outcome) {
    if (task.round.superstep == 4 && task.unit.id == 3)
      outcome.update.values(0)[7] = std::numeric_limits<float>::quiet_NaN();
  };
  for (const int lanes : {1, 3}) {
    const std::string message = error_of<NumericError>(program, lanes);
    EXPECT_EQ(message.find("sums, epoch 1, superstep 4, replica 3: "), 0U) << message;
    EXPECT_NE(message.find("sums"), std::string::npos);
    EXPECT_NE(message.find("7"), std::string::npos) << message;
  }
}

TEST(Coordinator, HandsOnWhatAUnitThrows) {
  Sums program;
  program.spoil = [](const reduce::Task& task, reduce::Outcome&) {
    if (task.round.superstep == 2 && task.unit.id == 5) throw DataError("x.csv:3: bad");
  };
  EXPECT_EQ(error_of<DataError>(program, 2), "x.csv:3: bad");
  program.spoil = [](const reduce::Task&, reduce::Outcome&) {
    throw std::runtime_error("foreign");
  };
  EXPECT_EQ(error_of<std::runtime_error>(program, 7), "foreign");
  program.spoil = [](const reduce::Task& task, reduce::Outcome&) {
    throw NumericError("unit {} ran away", task.unit.begin);
  };
  EXPECT_EQ(error_of<NumericError>(program, 1),
            "sums, epoch 0, superstep 0, replica 0: unit 0 ran away");
}

// Sums whose lanes cannot begin.
class NoScratch : public Sums {
 public:
  [[nodiscard]] std::unique_ptr<reduce::LaneScratch> make_scratch() const override {
    throw DataError("no room for the scratch");
  }
};

TEST(Coordinator, HandsOnThatALaneCannotMakeItsScratch) {
  EXPECT_EQ(error_of<DataError>(NoScratch(), 1), "no room for the scratch");
  EXPECT_EQ(error_of<DataError>(NoScratch(), 5), "no room for the scratch");
}

TEST(Coordinator, LeasesAgainWhatAWorkerHadThatLeaves) {
  Sums program;
  std::atomic<int> begun = 0;
  std::atomic<bool> first_runs = false;
  program.spoil = [&](const reduce::Task& task, reduce::Outcome&) {
    if (++begun != 1) return;
    first_runs = true;
    while (!task.progress.stopped()) std::this_thread::yield();
  };
  Coordinator coordinator(program, {.schedule = calm()});
  auto first = std::make_unique<Worker>(program, 1);
  CoordinatorPort& door = coordinator.join(*first, 1);
  first->connect(door);
  Worker second(program, 1);
  std::jthread changer([&] {
    while (!first_runs) std::this_thread::yield();
    coordinator.leave(door);
    first.reset();  // says no more ...
    second.connect(coordinator.join(second, 1));
  });
  const RunResult result = coordinator.run();
  program.expect_end(result.state);
  EXPECT_GE(result.counters.released, 1);
  changer.join();
  // ... and if it did, nobody would listen.
  ParamSet update(program.update_spec({}).layout);
  door.deliver(1, update, 1);
  door.stopped(1);
}

TEST(Coordinator, ReportsWhatWentThroughTransports) {
  const Sums program;
  int64_t asked = 0;
  std::vector<int64_t> in, out;
  OnRound observer([&](const RoundDone& done) {
    in.push_back(done.bytes_in);
    out.push_back(done.bytes_out);
  });
  RunOptions options{.observer = &observer};
  options.traffic = [&] {
    ++asked;
    return Traffic{asked * asked, 10 * asked};
  };
  (void)run(program, {1}, std::move(options));
  EXPECT_EQ(in, (std::vector<int64_t>{3, 5, 7, 9, 11, 13}));  // between 1, 4, 9, ...
  EXPECT_EQ(out, std::vector<int64_t>(6, 10));
}

TEST(Coordinator, ShowsTheStateAfterEachRound) {
  const Sums program;
  std::vector<float> first;
  OnRound observer([&](const RoundDone& done) {
    first.push_back(done.state.shared.values(0)[0]);
    EXPECT_EQ(done.bytes_in + done.bytes_out, 0);
  });
  (void)run(program, {2}, {.observer = &observer});
  // Element 0 grows by 8 units x (superstep + units of this id so far): 8 * 2 s.
  EXPECT_EQ(first, (std::vector<float>{0, 16, 48, 96, 160, 240}));
}

// Counts what the worker is told of digests.
class Listening : public WorkerPort {
 public:
  explicit Listening(WorkerPort& worker) : worker_(worker) {}
  void begin(std::shared_ptr<const RoundStart> start) override { worker_.begin(std::move(start)); }
  void grant(LeaseId lease, int unit, Bytes private_state, bool compares) override {
    (compares ? compared : alone) += 1;
    worker_.grant(lease, unit, std::move(private_state), compares);
  }
  void compare(LeaseId lease) override { worker_.compare(lease); }
  void push(LeaseId lease) override { worker_.push(lease); }
  void drop(LeaseId lease) override { worker_.drop(lease); }
  void stop() override { worker_.stop(); }
  int64_t compared = 0, alone = 0;

 private:
  WorkerPort& worker_;
};

TEST(Coordinator, AsksForDigestsWhereResultsAreCompared) {
  for (const double audit : {0.0, 0.5}) {
    const Sums program;
    Coordinator coordinator(program, {.schedule = calm(audit)});
    Worker worker(program, 2);
    Listening listening(worker);
    worker.connect(coordinator.join(listening, 2));
    const RunResult result = coordinator.run();
    EXPECT_EQ(listening.compared, 2 * result.counters.audited);
    EXPECT_EQ(listening.alone, 48 - result.counters.audited);
    EXPECT_EQ(result.counters.compared, result.counters.audited);
    EXPECT_EQ(result.counters.audited > 0, audit > 0);
  }
}

TEST(Coordinator, ComputesEveryUnitTwiceWhenAllAreAudited) {
  Sums program;
  std::atomic<int64_t> computed = 0;
  program.spoil = [&](const reduce::Task&, reduce::Outcome&) { ++computed; };
  for (const std::vector<int>& lanes : std::vector<std::vector<int>>{{1}, {3}, {2, 2}}) {
    computed = 0;
    const RunResult result = run(program, lanes, {.schedule = {.audit = 1}});
    EXPECT_TRUE(result.finished);
    EXPECT_TRUE(result.reproducible);
    EXPECT_EQ(result.counters.granted, 96);
    EXPECT_EQ(result.counters.audited, 48);
    EXPECT_EQ(result.counters.compared, 48);
    EXPECT_EQ(result.counters.conflicts, 0);
    EXPECT_EQ(computed, 96);
    program.expect_end(result.state);
  }
}

// The second computation of unit 2 in superstep 1 is off: by its update, its blob or its private
// state. Its first result counts.
TEST(Coordinator, ReportsAUnitThatComesOutDifferently) {
  for (const std::string what : {"update", "blob", "private"}) {
    Sums program;
    std::atomic<int> times = 0;
    program.spoil = [&](const reduce::Task& task, reduce::Outcome& outcome) {
      if (task.round.superstep != 1 || task.unit.id != 2 || times++ == 0) return;
      if (what == "update") outcome.update.values(0)[0] += 1;
      if (what == "blob") outcome.blob += "!";
      if (what == "private") outcome.private_state += "!";
    };
    ::testing::internal::CaptureStderr();
    const RunResult result = run(program, {1}, {.schedule = {.audit = 1}});
    const std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_FALSE(result.reproducible) << what;
    EXPECT_TRUE(result.finished);
    EXPECT_EQ(result.counters.conflicts, 1);
    EXPECT_NE(said.find("unit 2 of superstep 1 came out differently"), std::string::npos) << said;
    program.expect_end(result.state);
  }
}

TEST(Coordinator, WritesALineOfMetricsARound) {
  const RunPath path;
  RunFolder folder = RunFolder::create(path.run());
  const Sums program;
  std::vector<double> waits;
  OnRound observer([&](const RoundDone& done) {
    EXPECT_EQ(done.lanes, 2);
    waits.push_back(done.wait_seconds());
  });
  (void)run(program, {2}, {.folder = &folder, .observer = &observer});
  const auto lines = path.metrics();
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_EQ(waits.size(), 6U);
  for (size_t s = 0; s < 6; ++s) {
    const auto line = nlohmann::json::parse(lines[s]);
    EXPECT_EQ(line["event"], s % 3 == 2 ? "epoch" : "superstep");
    EXPECT_EQ(line["phase"], "sums");
    EXPECT_EQ(line["epoch"], s / 3);
    EXPECT_EQ(line["superstep"], s);
    EXPECT_TRUE(line["rows"].is_number_integer());
    EXPECT_EQ(line["rows"], 8);
    EXPECT_EQ(line["loss"], 0.5);
    EXPECT_EQ(line["workers"], 2);
    for (const char* name : {"seconds", "compute_seconds", "wait_seconds", "bytes_in", "bytes_out"})
      EXPECT_GE(line[name].get<double>(), 0) << name;
  }
}

// Stopped after superstep 2 and gone on with, on other lanes, from what is on disk.
TEST(Coordinator, StopsWhenAskedAndGoesOnToTheSameEnd) {
  const RunPath path;
  const Sums program;
  {
    RunFolder folder = RunFolder::create(path.run());
    std::stop_source stop;
    OnRound observer([&](const RoundDone& done) {
      if (done.round.superstep == 2) stop.request_stop();
    });
    const RunResult result =
        run(program, {2},
            {.folder = &folder, .job = "the job", .stop = stop.get_token(), .observer = &observer});
    EXPECT_FALSE(result.finished);
    EXPECT_EQ(result.rounds, 3);
    // What a killed coordinator had written beyond its last checkpoint.
    folder.append_metrics("{\"superstep\": 3}");
  }
  RunFolder folder = RunFolder::open(path.run());
  EXPECT_EQ(folder.attempt(), 2);
  EXPECT_THROW((void)newest_checkpoint(folder, "another job"), ConfigError);
  auto resume = newest_checkpoint(folder, "the job");
  ASSERT_TRUE(resume);
  EXPECT_EQ(resume->last.superstep, 2);
  EXPECT_EQ(resume->private_states.size(), 8U);
  const RunResult result =
      run(program, {5}, {.folder = &folder, .job = "the job", .resume = std::move(resume)});
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(result.rounds, 3);
  program.expect_end(result.state);
  const auto lines = path.metrics();
  ASSERT_EQ(lines.size(), 6U);
  for (size_t s = 0; s < 6; ++s) EXPECT_EQ(nlohmann::json::parse(lines[s])["superstep"], s);
}

// Begins a round, and is gone; then a stop is asked for.
class Deserter : public WorkerPort {
 public:
  Deserter(Coordinator& coordinator, std::stop_source& stop)
      : coordinator_(coordinator), stop_(stop), door_(coordinator.join(*this, 1)) {}
  void begin(std::shared_ptr<const RoundStart> start) override {
    if (!start || leaving_.joinable()) return;
    leaving_ = std::jthread([this] {
      coordinator_.leave(door_);
      stop_.request_stop();
    });
  }
  void grant(LeaseId, int, Bytes, bool) override {}
  void compare(LeaseId) override {}
  void push(LeaseId) override {}
  void drop(LeaseId) override {}
  void stop() override {}

 private:
  Coordinator& coordinator_;
  std::stop_source& stop_;
  CoordinatorPort& door_;
  std::jthread leaving_;
};

TEST(Coordinator, StopsWithinARoundThatNoWorkerIsLeftFor) {
  const RunPath path;
  const Sums program;
  {
    RunFolder folder = RunFolder::create(path.run());
    std::stop_source stop;
    Coordinator coordinator(program,
                            {.folder = &folder, .job = "the job", .stop = stop.get_token()});
    const Deserter deserter(coordinator, stop);
    const RunResult result = coordinator.run();
    EXPECT_FALSE(result.finished);
    EXPECT_EQ(result.rounds, 0);
    EXPECT_EQ(result.units, 0);
    EXPECT_FALSE(newest_checkpoint(folder, "the job"));
  }
  std::stop_source stop;
  {
    RunFolder folder = RunFolder::open(path.run());
    OnRound observer([&](const RoundDone& done) {
      if (done.round.superstep == 2) stop.request_stop();
    });
    (void)run(
        program, {2},
        {.folder = &folder, .job = "the job", .stop = stop.get_token(), .observer = &observer});
  }
  {
    RunFolder folder = RunFolder::open(path.run());
    auto resume = newest_checkpoint(folder, "the job");
    const RunResult result = run(program, {},
                                 {.folder = &folder,
                                  .job = "the job",
                                  .resume = std::move(resume),
                                  .stop = stop.get_token()});
    EXPECT_FALSE(result.finished);
    EXPECT_EQ(result.rounds, 0);
  }
  RunFolder folder = RunFolder::open(path.run());
  auto resume = newest_checkpoint(folder, "the job");
  ASSERT_TRUE(resume);
  EXPECT_EQ(resume->last.superstep, 2);
  const RunResult result =
      run(program, {5}, {.folder = &folder, .job = "the job", .resume = std::move(resume)});
  EXPECT_TRUE(result.finished);
  program.expect_end(result.state);
}

// A stop that comes with the last round changes nothing: the job is done.
TEST(Coordinator, DoesNotStopWhatIsDone) {
  const Sums program;
  std::stop_source stop;
  OnRound observer([&](const RoundDone& done) {
    if (done.round.superstep == 5) stop.request_stop();
  });
  const RunResult result = run(program, {2}, {.stop = stop.get_token(), .observer = &observer});
  EXPECT_TRUE(result.finished);
  program.expect_end(result.state);
}

TEST(Coordinator, HasNothingToGoOnFromBeforeTheFirstCheckpoint) {
  const RunPath path;
  const RunFolder folder = RunFolder::create(path.run());
  EXPECT_FALSE(newest_checkpoint(folder, "the job"));
}

// A file lies where the folder of checkpoints should be.
TEST(Coordinator, TrainsOnWhereACheckpointCannotBeWritten) {
  const RunPath path;
  RunFolder folder = RunFolder::create(path.run());
  std::ofstream(folder.file("checkpoints")) << "in the way";
  const Sums program;
  ::testing::internal::CaptureStderr();
  const RunResult result = run(program, {2}, {.folder = &folder, .checkpoint_seconds = 0});
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(result.finished);
  program.expect_end(result.state);
  EXPECT_NE(said.find("no checkpoint at superstep 0"), std::string::npos) << said;
  EXPECT_NE(said.find("training goes on"), std::string::npos) << said;

  // Asked to stop, it cannot promise that the run is resumable, and says so.
  std::stop_source stop;
  stop.request_stop();
  ::testing::internal::CaptureStderr();
  EXPECT_NE(error_of<FileError>(program, 2, {.folder = &folder, .stop = stop.get_token()}), "");
  (void)::testing::internal::GetCapturedStderr();
}

// While superstep 1 is being told, another coordinator takes the run over.
TEST(Coordinator, WritesNothingMoreOnceALaterAttemptHasTheRun) {
  const RunPath path;
  RunFolder folder = RunFolder::create(path.run());
  const Sums program;
  OnRound observer([&](const RoundDone& done) {
    if (done.round.superstep == 1) (void)RunFolder::open(path.run());
  });
  const std::string message =
      error_of<Error>(program, 2, {.folder = &folder, .observer = &observer});
  EXPECT_NE(message.find("attempt 2 has taken this run over; this one (attempt 1) stops"),
            std::string::npos)
      << message;
  EXPECT_EQ(path.metrics().size(), 2U);
  EXPECT_FALSE(newest_checkpoint(folder, ""));
}

// A checkpoint of every superstep that there is time for; the run goes on from whichever is newest.
TEST(Coordinator, WritesCheckpointsBesideTheTraining) {
  const RunPath path;
  Sums program;
  program.supersteps = 50;
  {
    RunFolder folder = RunFolder::create(path.run());
    program.spoil = [](const reduce::Task& task, reduce::Outcome&) {
      if (task.round.superstep == 40) throw DataError("the power went");
    };
    EXPECT_EQ(error_of<DataError>(program, 2, {.folder = &folder, .checkpoint_seconds = 0}),
              "the power went");
  }
  program.spoil = {};
  RunFolder folder = RunFolder::open(path.run());
  auto resume = newest_checkpoint(folder, "");
  ASSERT_TRUE(resume);
  EXPECT_LT(resume->last.superstep, 40);
  const int64_t rounds_left = 49 - resume->last.superstep;
  const RunResult result = run(program, {3}, {.folder = &folder, .resume = std::move(resume)});
  EXPECT_EQ(result.rounds, rounds_left);
  program.expect_end(result.state);
  EXPECT_EQ(path.metrics().size(), 50U);
}

// Takes a unit, and dies over it.
class Victim : public WorkerPort {
 public:
  explicit Victim(Coordinator& coordinator)
      : coordinator_(coordinator), door_(coordinator.join(*this, 1, "node-1")) {}
  void begin(std::shared_ptr<const RoundStart>) override {}
  void grant(LeaseId, int, Bytes, bool) override {
    dying_ = std::jthread([this] { coordinator_.leave(door_); });
  }
  void compare(LeaseId) override {}
  void push(LeaseId) override {}
  void drop(LeaseId) override {}
  void stop() override {}

 private:
  Coordinator& coordinator_;
  CoordinatorPort& door_;
  std::jthread dying_;
};

TEST(Coordinator, NamesTheUnitThatKillsItsWorkers) {
  const Sums program;
  Coordinator coordinator(program, {.schedule = calm()});
  std::vector<std::unique_ptr<Victim>> victims;
  for (int i = 0; i < 8 * 3; ++i) victims.push_back(std::make_unique<Victim>(coordinator));
  try {
    (void)coordinator.run();
    FAIL() << "no error";
  } catch (const Error& error) {
    const std::string said = error.what();
    EXPECT_NE(said.find("superstep 0, replica "), std::string::npos) << said;
    EXPECT_NE(said.find(" rows, pieces "), std::string::npos) << said;
    EXPECT_NE(said.find("3 workers died while they computed it, on node-1"), std::string::npos)
        << said;
  }
}

TEST(Coordinator, TellsWhoComputesAndWhoWasLost) {
  const Sums program;
  ClusterNow last;
  class Keep : public Observer {
   public:
    explicit Keep(ClusterNow& kept) : kept_(kept) {}
    void on_cluster(const ClusterNow& now) override { kept_ = now; }

   private:
    ClusterNow& kept_;
  } observer(last);
  Coordinator coordinator(program, {.schedule = calm(), .observer = &observer});
  Worker gone(program, 1), worker(program, 2);
  coordinator.leave(coordinator.join(gone, 1, "node-1"));
  worker.connect(coordinator.join(worker, 2, "node-2"));
  const RunResult result = coordinator.run();
  EXPECT_EQ(last.lost, 1);
  ASSERT_EQ(last.workers.size(), 1U);
  EXPECT_EQ(last.workers[0].host, "node-2");
  EXPECT_EQ(last.workers[0].lanes, 2);
  EXPECT_EQ(last.workers[0].units, result.units);
  EXPECT_GT(last.workers[0].compute_seconds, 0);
  EXPECT_TRUE(last.workers[0].replicas.empty());
  EXPECT_EQ(last.leases.granted, result.counters.granted);
}

}  // namespace
}  // namespace superstep::cluster
