#include "superstep/report/curves.h"

#include <gtest/gtest.h>

#include <cmath>

#include "superstep/base/error.h"

namespace superstep::report {
namespace {

MetricLine line(const char* event, const char* phase, int64_t epoch, double loss) {
  MetricLine m;
  m.event = event;
  m.phase = phase;
  m.epoch = epoch;
  m.loss = loss;
  m.seconds = 1;
  m.compute_seconds = 3;
  m.wait_seconds = 1;
  return m;
}

// Supersteps inside an epoch are no points; epoch 0 of the log is epoch 1 of the chart.
TEST(Curves, DrawsACurveALayerOfPretraining) {
  const std::vector<MetricLine> metrics = {
      line("superstep", "pretrain.0", 0, 0.9), line("epoch", "pretrain.0", 0, 0.5),
      line("phase", "pretrain.0", 1, 0.25), line("phase", "pretrain.1", 0, 0.75),
      line("end", "", 0, 0)};
  const auto charts = curves(metrics);
  ASSERT_EQ(charts.size(), 1U);
  EXPECT_EQ(charts[0].x, (std::vector<double>{1, 2}));
  ASSERT_EQ(charts[0].series.size(), 2U);
  EXPECT_EQ(charts[0].series[0].name, "layer 1");
  EXPECT_EQ(charts[0].series[0].y, (std::vector<double>{0.5, 0.25}));
  EXPECT_EQ(charts[0].series[1].name, "layer 2");
  EXPECT_EQ(charts[0].series[1].y[0], 0.75);
  EXPECT_TRUE(std::isnan(charts[0].series[1].y[1]));
}

// The error, 0.1, is the same in epochs 2 and 3; the trainer kept the third, for its loss.
TEST(Curves, MarksTheEpochThatTheTrainerKept) {
  std::vector<MetricLine> metrics;
  const double errors[] = {0.3, 0.1, 0.1, 0.2}, best[] = {1, 2, 3, 3};
  for (int64_t e = 0; e < 4; ++e) {
    metrics.push_back(line("epoch", "finetune", e, 1));
    metrics.back().numbers["valid_error"] = errors[e];
    metrics.back().numbers["best_epoch"] = best[e];
  }
  const auto charts = curves(metrics);
  ASSERT_EQ(charts.size(), 2U);  // loss, error
  EXPECT_TRUE(charts[1].percent);
  for (const Chart& chart : charts) {
    EXPECT_EQ(chart.mark, 3.0);
    EXPECT_EQ(chart.mark_label, "best at 3");
  }
}

TEST(Curves, DrawsNothingOfNothing) { EXPECT_TRUE(curves({}).empty()); }

// Two supersteps of 1 s, computing 3 s and waiting 1 s each: 2 / 8 = 25% waiting.
TEST(Curves, AddsTheTimesOfAPhase) {
  const std::vector<MetricLine> metrics = {line("superstep", "pretrain.0", 0, 1),
                                           line("epoch", "pretrain.0", 0, 1),
                                           line("end", "", 0, 1)};
  EXPECT_EQ(time_table(metrics).rows,
            (std::vector<std::vector<std::string>>{
                {"pretrain layer 1", "2", "2.00", "6.00", "2.00", "25%"}}));
}

TEST(Curves, NamesPhasesForPeople) {
  EXPECT_EQ(phase_text("pretrain.0"), "pretrain layer 1");
  EXPECT_EQ(phase_text("finetune"), "finetune");
  EXPECT_EQ(phase_text("fit.index"), "fit.index");
  EXPECT_EQ(phase_text("pretrain.99999999999999999999"), "pretrain.99999999999999999999");
}

TEST(Scatter, SortsPairsAndLeavesOutWhatIsNotFinite) {
  const Chart chart = scatter("t", {3, 1, NAN, 2}, {30, 10, 1, INFINITY});
  EXPECT_EQ(chart.x, (std::vector<double>{1, 3}));
  EXPECT_EQ(chart.series[0].y, (std::vector<double>{10, 30}));
  EXPECT_EQ(chart.series[1].y, chart.x);
  EXPECT_THROW((void)scatter("t", {1}, {}), DataError);
}

TEST(Scatter, ThinsOutMany) {
  std::vector<double> values;
  for (int i = 0; i < 5000; ++i) values.push_back(i);
  const Chart chart = scatter("t", values, values);
  EXPECT_EQ(chart.x.size(), kScatterPoints);
  EXPECT_EQ(chart.x.front(), 0);
  EXPECT_EQ(chart.x.back(), 4999);
  EXPECT_NE(chart.caption.find("2,000 of 5,000 rows"), std::string::npos);
}

}  // namespace
}  // namespace superstep::report
