#include "superstep/report/status.h"

#include <gtest/gtest.h>

#include <cmath>
#include <regex>
#include <set>
#include <sstream>

#include "superstep/base/error.h"
#include "superstep/report/pace.h"
#include "superstep/report/timeline.h"

namespace superstep::report {
namespace {

constexpr double kStarted = 1'700'000'000;

Status made_up() {
  Status s;
  s.job = "digits";
  s.run = "runs/digits/1";
  s.host = "node-1";
  s.process = 4711;
  s.started = kStarted;
  s.updated = kStarted + 100;
  s.model = "dbn 64-32-10";
  s.replicas = 4;
  s.phase = "pretrain.0";
  s.epoch = 12;
  s.epochs = 40;
  s.superstep = 1480;
  s.measures = {{"loss", 0.25}, {"error", 0.125}, {"valid_loss", 0.5}};
  s.rows = 123456;
  s.rows_per_second = 1234.4;
  s.seconds = 90;
  s.compute_seconds = 150;
  s.wait_seconds = 30;
  s.transfer_seconds = 4;
  s.bytes_in = 2'000'000;
  s.bytes_out = 3'000'000;
  s.read_here = 3'000'000;
  s.read_elsewhere = 1'000'000;
  s.phase_seconds_left = 185;
  s.leases = {{"granted", 1500}, {"released", 2}, {"backups", 0}};
  s.workers_lost = 1;
  s.workers = {
      {.worker = 0,
       .host = "node-1",
       .threads = 2,
       .here = true,
       .replicas = {0, 2},
       .units = 1000,
       .compute_seconds = 100,
       .read_here = 3'000'000,
       .read_elsewhere = 1'000'000,
       .heard = kStarted + 99,
       .busy = {50, 100}},
      {.worker = 1, .host = "node-2", .here = false, .heard = kStarted + 40, .busy = {30, -1}}};
  s.bin_seconds = 60;
  s.events = {{.time = kStarted + 41, .what = "lost", .worker = 1},
              {.time = kStarted + 41, .what = "released", .worker = -1, .count = 2},
              {.time = kStarted + 60, .what = "backup"}};
  return s;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Status, IsReadThoughItIsOfAProgramThatCountedNoBytesOfHdfs) {
  std::string text = status_json(made_up());
  text = std::regex_replace(text, std::regex(R"("read_\w+":\d+,)"), "");
  const Status old = status_from_json(text, "x");
  EXPECT_EQ(old.read_here, 0);
  EXPECT_EQ(old.workers[0].read_elsewhere, 0);
  EXPECT_EQ(old.workers[0].heard, kStarted + 99);
}

TEST(Status, ComesBackFromJson) {
  const std::string text = status_json(made_up());
  EXPECT_EQ(status_json(status_from_json(text, "x")), text);
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

TEST(Status, WhatIsUnknownOrNotFiniteIsNullInJson) {
  Status s = made_up();
  s.rows_per_second.reset();
  s.measures["loss"] = INFINITY;
  const std::string text = status_json(s);
  EXPECT_TRUE(has(text, "\"rows_per_second\":null")) << text;
  EXPECT_TRUE(has(text, "\"loss\":null")) << text;
  const Status again = status_from_json(text, "x");
  EXPECT_FALSE(again.rows_per_second);
  EXPECT_TRUE(std::isnan(again.measures.at("loss")));
}

TEST(Status, EveryCutOfTheFileIsAnErrorThatNamesIt) {
  const std::string text = status_json(made_up());
  for (size_t size = 0; size < text.size(); ++size) {
    try {
      (void)status_from_json(text.substr(0, size), "runs/x/status.json");
      FAIL() << "read " << size << " bytes";
    } catch (const DataError& error) {
      EXPECT_TRUE(has(error.what(), "runs/x/status.json: not the status of a run, or cut short"));
    }
  }
}

TEST(Status, ALaterVersionIsRefused) {
  try {
    (void)status_from_json(R"({"version": 99})", "status.json");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_TRUE(has(error.what(), "status of version 99, this program reads version 1"));
  }
}

TEST(Status, TextSaysWhatIsGoingOn) {
  EXPECT_EQ(status_text(made_up(), kStarted + 101),
            R"(running
run         runs/digits/1 (digits), attempt 1; told 1.0 s ago
model       dbn 64-32-10, replicas: 4
phase       pretrain layer 1, 12 of 40 epochs done, superstep 1,480
loss        0.25, error 12.50% on the rows to learn from; 0.5 on the rows to choose by
phase ends  in about 3 min 05 s
speed       1,234 rows a second
time        1 min 30 s in supersteps; threads computing 2 min 30 s, waiting 30.0 s (17%)
moved       2.0 MB in, 3.0 MB out; transfers took 4.0 s together
read        4.0 MB from HDFS, 75% of it where it lies
leases      1,500 granted, 2 released
workers     1; 1 lost
  worker  host    threads  units done  holds         last heard
  0       node-1  2        1,000       replicas 0,2  2.0 s ago
  1       node-2  1        0           lost          1 min 01 s ago
)");
}

TEST(Status, TextIsHonestAboutTheEndOfAPhase) {
  Status s = made_up();
  s.may_stop_early = true;
  EXPECT_TRUE(has(status_text(s, kStarted), "unknown, it may stop early; in 3 min 05 s at most"));
  s.phase_seconds_left.reset();
  EXPECT_TRUE(has(status_text(s, kStarted), "unknown until an epoch of the phase is done"));
  s.state = "stopped";
  EXPECT_FALSE(has(status_text(s, kStarted), "phase ends"));
}

TEST(Status, ALostRunSaysHowToGoOn) {
  Status s = made_up();
  s.state = "lost";
  EXPECT_TRUE(
      has(status_text(s, kStarted + 200),
          "process 4711 on node-1 is gone; go on with: superstep train runs/digits/1 --resume"));
}

/// The rules of the text format: HELP and TYPE once a metric, before its samples, which stand
/// together; names and labels of allowed characters; counters end in _total and nothing else does;
/// no sample twice.
void check_exposition(const std::string& text) {
  const std::regex help(R"(# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) [^\n]+)");
  const std::regex type(R"(# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge))");
  const std::regex sample(
      R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)\{([a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\["\\n])*")*)\} (\S+))re");
  std::set<std::string> seen, samples;
  std::string current, typed;
  std::istringstream lines(text);
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, match, help)) {
      current = match[1];
      EXPECT_TRUE(seen.insert(current).second) << line;
      typed.clear();
    } else if (std::regex_match(line, match, type)) {
      EXPECT_EQ(match[1], current) << line;
      typed = match[2];
      EXPECT_EQ(typed == "counter", current.ends_with("_total")) << line;
    } else if (std::regex_match(line, match, sample)) {
      EXPECT_EQ(match[1], current) << line;
      EXPECT_FALSE(typed.empty()) << line;
      EXPECT_TRUE(samples.insert(match[1].str() + match[2].str()).second) << line;
      const std::string value = match[3];
      if (value == "NaN" || value == "+Inf" || value == "-Inf") continue;
      EXPECT_NO_THROW((void)std::stod(value)) << line;
    } else {
      ADD_FAILURE() << "no line of the format: " << line;
    }
  }
  EXPECT_TRUE(text.ends_with('\n'));
  EXPECT_GT(samples.size(), 10U);
}

TEST(Status, PrometheusMetricsKeepTheRules) {
  const std::string text = status_prometheus(made_up());
  check_exposition(text);
  EXPECT_TRUE(has(text,
                  "# TYPE superstep_rows_total counter\n"
                  "superstep_rows_total{job=\"digits\",run=\"runs/digits/1\"} 123456\n"))
      << text;
  EXPECT_TRUE(has(text, "state=\"running\"} 1\n"));
  EXPECT_TRUE(
      has(text, "superstep_loss{job=\"digits\",run=\"runs/digits/1\",rows=\"valid\"} 0.5\n"));
  EXPECT_TRUE(has(text, "worker=\"0\",host=\"node-1\"} 1000\n"));
}

TEST(Status, PrometheusMetricsKeepTheRulesWhateverTextsAndNumbersAre) {
  Status s = made_up();
  s.job = "a\"b\\c\nd";
  s.measures["loss"] = INFINITY;
  s.measures["valid_loss"] = NAN;
  const std::string text = status_prometheus(s);
  check_exposition(text);
  EXPECT_TRUE(has(text, R"(job="a\"b\\c\nd")")) << text;
  EXPECT_TRUE(has(text, "} +Inf\n"));
  check_exposition(status_prometheus(Status{}));
}

TEST(Status, ThePageShowsWorkersEventsAndLinksThatAreRelative) {
  Status s = made_up();
  s.workers[0].host = "<script>alert(1)</script>";
  const std::string page = status_page(s, {}, {});
  EXPECT_FALSE(has(page, "<script>alert(1)"));
  EXPECT_TRUE(has(page, "http-equiv=\"refresh\""));
  EXPECT_TRUE(has(page, "worker 1 (lost)"));
  EXPECT_TRUE(has(page, "class=\"mark lost\""));
  EXPECT_TRUE(has(page, "class=\"mark backup\""));
  const std::regex link("(href|src)=\"([^\"]*)\"");
  for (std::sregex_iterator at(page.begin(), page.end(), link), end; at != end; ++at)
    EXPECT_TRUE((*at)[2] == "metrics.jsonl" || (*at)[2] == "status.json") << (*at)[2];
}

TEST(Status, ThePageOfAFinishedRunStaysAsItIs) {
  Status s = made_up();
  s.state = "finished";
  const std::string page = status_page(s, {}, {});
  EXPECT_FALSE(has(page, "http-equiv=\"refresh\""));
  EXPECT_TRUE(has(page, "href=\"report.html\""));
}

TEST(Timeline, CountsWorkWhereItWasDone) {
  Timeline timeline;
  timeline.add(7, 2, 0);
  timeline.advance(2);
  timeline.add(7, 2, 3);  // evenly, 3 of 4 seconds
  EXPECT_EQ(timeline.busy(7), (std::vector<int64_t>{75, 75, 0}));
  for (const double second : {3, 4}) {
    timeline.advance(second);
    timeline.add(7, 2, 3);
  }
  timeline.advance(5);
  timeline.add(7, 2, 9);  // a unit of 3 seconds on each thread, told of when it was done
  EXPECT_EQ(timeline.busy(7), (std::vector<int64_t>{75, 75, 100, 100, 100, 0}));
  EXPECT_EQ(timeline.busy(8), (std::vector<int64_t>{}));
}

TEST(Timeline, AWorkerIsThereFromItsFirstBinToItsLast) {
  Timeline timeline;
  timeline.advance(1);
  timeline.add(7, 1, 0);
  timeline.advance(3.5);
  timeline.add(7, 1, 0.25);
  timeline.advance(5.5);
  EXPECT_EQ(timeline.busy(7), (std::vector<int64_t>{-1, 10, 10, 5, -1, -1}));
}

TEST(Timeline, BinsDoubleAndWorkIsKept) {
  Timeline timeline;
  timeline.add(7, 1, 0);
  for (int second = 1; second <= 1000; ++second) {
    timeline.advance(second);
    timeline.add(7, 1, 0.5 * second);
    EXPECT_LE(timeline.busy(7).size(), Timeline::kBins);
  }
  EXPECT_EQ(timeline.bin_seconds(), 32);
  const auto busy = timeline.busy(7);
  for (size_t b = 0; b + 1 < busy.size(); ++b) EXPECT_EQ(busy[b], 50) << b;
}

TEST(Pace, CountsTheRowsOfAnEpochOnce) {
  Pace pace;
  EXPECT_FALSE(pace.rows_per_second());
  pace.add({.epoch = 0, .closes = "superstep", .rows = 240, .seconds = 2});
  pace.add({.epoch = 0, .closes = "superstep", .rows = 120, .seconds = 1});
  pace.add({.epoch = 0, .closes = "epoch", .rows = 360, .seconds = 1});  // only measures
  EXPECT_EQ(pace.rows(), 360);
  EXPECT_EQ(pace.rows_per_second(), 90);
  pace.add({.epoch = 1, .closes = "epoch", .rows = 360, .seconds = 4});  // trains and closes
  EXPECT_EQ(pace.rows(), 720);
  pace.add({.epoch = 0, .closes = "superstep", .rows = 360, .seconds = 0, .trains = false});
  EXPECT_EQ(pace.rows(), 720);
}

TEST(Pace, EstimatesFromEpochsLeftAndTheirMean) {
  Pace pace;
  pace.add({.epoch = 4, .closes = "superstep", .rows = 10, .seconds = 2});
  EXPECT_FALSE(pace.seconds_left(10));
  pace.add({.epoch = 4, .closes = "epoch", .rows = 10, .seconds = 2});
  EXPECT_EQ(pace.seconds_left(10), 20);  // 5 epochs of 4 seconds
  pace.add({.epoch = 5, .closes = "superstep", .rows = 10, .seconds = 3});
  EXPECT_EQ(pace.seconds_left(10), 17);
  pace.add({.epoch = 5, .closes = "phase", .rows = 10, .seconds = 3});
  EXPECT_EQ(pace.seconds_left(6), 0);
  pace.begin_phase();
  EXPECT_FALSE(pace.seconds_left(10));  // of the next phase nothing is known
}

}  // namespace
}  // namespace superstep::report
