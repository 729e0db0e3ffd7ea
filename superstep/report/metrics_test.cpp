#include "superstep/report/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>

#include "superstep/base/error.h"

namespace superstep::report {
namespace {

constexpr const char* kTwoLines =
    R"({"event":"superstep","phase":"pretrain.0","epoch":2,"superstep":7,"rows":400,"loss":0.5,)"
    R"("seconds":0.25,"compute_seconds":0.4,"wait_seconds":0.1,"workers":2})"
    "\n"
    R"({"event":"end","metrics":{"error":0.0125,"per_class":[1,2]},"reproducible":true,)"
    R"("sha256":"8c1f0e"})"
    "\n";

std::string message_of(std::string_view text) {
  try {
    (void)read_metrics(text, "m.jsonl");
  } catch (const DataError& e) {
    return e.what();
  }
  return "no error";
}

TEST(Metrics, ReadsTheFieldsOfALine) {
  const auto lines = read_metrics(kTwoLines, "m.jsonl");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].event, "superstep");
  EXPECT_EQ(lines[0].phase, "pretrain.0");
  EXPECT_EQ(lines[0].epoch, 2);
  EXPECT_EQ(lines[0].superstep, 7);
  EXPECT_EQ(lines[0].rows, 400);
  EXPECT_EQ(lines[0].loss, 0.5);
  EXPECT_EQ(lines[0].seconds, 0.25);
  EXPECT_EQ(lines[0].compute_seconds, 0.4);
  EXPECT_EQ(lines[0].wait_seconds, 0.1);
  EXPECT_EQ(lines[0].numbers, (std::map<std::string, double>{{"workers", 2}}));
}

TEST(Metrics, NamesNumbersInsideObjectsByTheirPath) {
  const auto lines = read_metrics(kTwoLines, "m.jsonl");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1].number("metrics.error"), 0.0125);
  EXPECT_EQ(lines[1].number("reproducible"), 1);
  EXPECT_TRUE(std::isnan(lines[1].number("metrics.per_class")));
  EXPECT_TRUE(std::isnan(lines[1].loss));
}

TEST(Metrics, LeavesOutALastLineThatWasCut) {
  const std::string text = kTwoLines;
  // Cut anywhere inside the second line: the first stays.
  const size_t second = text.find('\n') + 1;
  for (size_t size = second; size < text.size() - 1; ++size)
    EXPECT_EQ(read_metrics(text.substr(0, size), "m.jsonl").size(), 1U) << size;
  // Only its line break lost: it is whole.
  EXPECT_EQ(read_metrics(text.substr(0, text.size() - 1), "m.jsonl").size(), 2U);
  EXPECT_EQ(read_metrics("", "m.jsonl").size(), 0U);
}

TEST(Metrics, NamesTheLineOfDamageElsewhere) {
  EXPECT_EQ(message_of("{\"event\":\"epoch\"}\n{\"event\":\"ep\n{\"event\":\"epoch\"}\n"),
            "m.jsonl:2: wanted a JSON object, got '{\"event\":\"ep'");
  EXPECT_EQ(message_of("{\"event\":\"ep\n"),
            "m.jsonl:1: wanted a JSON object, got '{\"event\":\"ep'");
  EXPECT_EQ(message_of("\n"), "m.jsonl:1: wanted a JSON object, got ''");
}

TEST(Metrics, NamesTheFieldOfAWrongValue) {
  EXPECT_EQ(message_of("{\"event\":\"epoch\",\"loss\":\"low\"}\n"),
            "m.jsonl:1: field 'loss' is \"low\", wanted a number");
  EXPECT_EQ(message_of("{\"event\":\"epoch\",\"epoch\":1.5}\n"),
            "m.jsonl:1: field 'epoch' is 1.5, wanted a whole number");
  EXPECT_EQ(message_of("{\"event\":3}\n"), "m.jsonl:1: field 'event' is 3, wanted a text");
  EXPECT_EQ(message_of("{\"loss\":3}\n"),
            "m.jsonl:1: field 'event' is missing; wanted superstep, epoch, phase or end");
}

// The writer has no other way to say NaN.
TEST(Metrics, TakesNullForALossThatIsNotFinite) {
  const auto lines = read_metrics("{\"event\":\"epoch\",\"loss\":null}\n", "m.jsonl");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(std::isnan(lines[0].loss));
}

TEST(Metrics, ReadsAFileAndSaysWhichOneIsMissing) {
  const std::string path = testing::TempDir() + "/superstep_metrics_test.jsonl";
  std::ofstream(path) << kTwoLines;
  EXPECT_EQ(read_metrics_file(path).size(), 2U);
  std::remove(path.c_str());
  EXPECT_THROW((void)read_metrics_file(path), FileError);
}

}  // namespace
}  // namespace superstep::report
