// Shell scripts stand for the coordinator and the workers.
#include "superstep/engines/supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "superstep/base/error.h"
#include "superstep/io/file.h"
#include "superstep/io/test_folder.h"

namespace superstep::engines {
namespace {

using Json = nlohmann::json;

class SupervisorTest : public io::TestFolder {
 protected:
  // Runs a coordinator and workers that are scripts, in a folder of their own; $F is its path.
  Json run(const std::string& coordinator, const std::string& worker = "read forever",
           std::stop_token stop = {}) {
    const Json job{{"event", "job"}, {"resume", false}, {"listen", "127.0.0.1:0"}};
    const std::string last = supervise(
        {.coordinator = {"/bin/sh", "-c", coordinator},
         .worker = {"/bin/sh", "-c", worker, "worker"},
         .environment = {{"F", folder_}},
         .job = job.dump(),
         .on_event = [&](const std::string& event) { events_.push_back(Json::parse(event)); },
         .stop = std::move(stop),
         .farewell = 0.05});
    return Json::parse(last);
  }
  std::string text(const char* name) { return io::read_file(path(name)); }

  std::vector<Json> events_;
};

constexpr const char* kBegin =
    "read job; echo \"$job\" >> $F/jobs; echo $$ >> $F/pids;"
    "echo '{\"event\":\"listening\",\"address\":\"127.0.0.1:7\"}';"
    "echo '{\"event\":\"want\",\"workers\":2}';"
    "echo '{\"event\":\"run\",\"folder\":\"runs/1\"}';";
constexpr const char* kDone = "echo '{\"event\":\"done\",\"x\":1}'";

TEST_F(SupervisorTest, StartsAsManyWorkersAsAreWantedAndPassesEventsOn) {
  const Json last = run(std::string(kBegin) +
                            "while [ $(cat $F/workers 2>/dev/null | wc -l) -lt 2 ]; do sleep 0.02;"
                            "done; echo '{\"event\":\"phase\",\"phase\":\"finetune\"}';" +
                            kDone,
                        "echo \"$*\" >> $F/workers");
  EXPECT_EQ(last.at("x"), 1);
  ASSERT_EQ(events_.size(), 1);
  EXPECT_EQ(events_[0].at("phase"), "finetune");
  EXPECT_TRUE(text("workers").starts_with("--coordinator 127.0.0.1:7\n"));
}

TEST_F(SupervisorTest, ACoordinatorThatDiesGoesOnWhereItWasAtItsAddress) {
  run(std::string(kBegin) + "if [ ! -f $F/once ]; then touch $F/once; kill -9 $$; fi;" + kDone);
  const std::string jobs = text("jobs");
  const size_t line = jobs.find('\n');
  EXPECT_EQ(Json::parse(jobs.substr(0, line)).at("resume"), false);
  const Json again = Json::parse(jobs.substr(line + 1));
  EXPECT_EQ(again.at("resume"), true);
  EXPECT_EQ(again.at("folder"), "runs/1");
  EXPECT_EQ(again.at("listen"), "127.0.0.1:7");
}

TEST_F(SupervisorTest, ACoordinatorThatDiesAgainAndAgainEndsTheJob) {
  try {
    run(std::string(kBegin) + "kill -9 $$");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "the coordinator ended 5 times without a superstep between: signal 9 (Killed)");
  }
}

TEST_F(SupervisorTest, RoundsBetweenDeathsAreProgress) {
  const std::string round = "echo '{\"event\":\"round\"}';";
  run(std::string(kBegin) + round + "if [ $(cat $F/pids | wc -l) -lt 9 ]; then kill -9 $$; fi;" +
      kDone);
  EXPECT_EQ(events_.size(), 9);
}

TEST_F(SupervisorTest, WorkersThatEndByThemselvesAgainAndAgainEndTheJob) {
  try {
    run(std::string(kBegin) + "read forever", "exit 3");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "5 workers ended without a superstep between, the last by exit code 3");
  }
  // And the coordinator is gone with them.
  EXPECT_NE(kill(std::stoi(text("pids")), 0), 0);
}

TEST_F(SupervisorTest, AWorkerThatIsKilledIsReplaced) {
  run(std::string(kBegin) +
          "while [ $(cat $F/workers 2>/dev/null | wc -l) -lt 6 ]; do sleep 0.02; done;" + kDone,
      "echo $$ >> $F/workers; kill -9 $$");
}

TEST_F(SupervisorTest, AWorkerThatHasHeardThatTheJobIsDoneIsNotReplaced) {
  run(std::string(kBegin) +
          "while [ $(cat $F/workers 2>/dev/null | wc -l) -lt 2 ]; do sleep 0.02; done; sleep 0.5;" +
          kDone,
      "echo $$ >> $F/workers");
  EXPECT_EQ(std::ranges::count(text("workers"), '\n'), 2);
}

TEST_F(SupervisorTest, ARequestToStopIsPassedOn) {
  std::stop_source stop;
  std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop.request_stop();
  });
  run(std::string(kBegin) + "read order; echo \"$order\" > $F/order;" + kDone, "read forever",
      stop.get_token());
  EXPECT_EQ(Json::parse(text("order")).at("event"), "stop");
}

TEST_F(SupervisorTest, WhatIsNoEventIsAnError) {
  EXPECT_THROW(run("read job; echo hello; read forever"), Error);
}

}  // namespace
}  // namespace superstep::engines
