#include "superstep/report/histogram.h"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>

namespace superstep::report {
namespace {

constexpr int kHalf = Histogram::kBins / 2;

int64_t total(const std::vector<int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

// The largest magnitude is 3, so the range is +-4 and a bin is 4 / 128 = 1/32 wide. -3 lies
// 96 bins below zero, 0 in the first bin above it, 1.5 in bin 48 above; 0.031 is below 1/32.
TEST(Histogram, CountsInBinsAboutZero) {
  const float values[] = {-3.0F, 0.0F, 0.031F, 1.5F};
  const Histogram histogram = histogram_of(values);
  EXPECT_EQ(histogram.limit, 4);
  EXPECT_EQ(histogram.largest, 3);
  EXPECT_EQ(histogram.counts[kHalf - 96], 1);
  EXPECT_EQ(histogram.counts[kHalf], 2);
  EXPECT_EQ(histogram.counts[kHalf + 48], 1);
  EXPECT_EQ(total(histogram.counts), 4);
}

// |-3| + |0| + |1| + |2| = 6, over four values.
TEST(Histogram, KnowsTheMeanMagnitude) {
  const float values[] = {-3.0F, 0.0F, 1.0F, 2.0F};
  EXPECT_EQ(histogram_of(values).mean_magnitude, 1.5);
}

// 1 is a power of two: the range is +-1, and 1 itself counts in the last bin.
TEST(Histogram, HoldsBothEndsOfItsRange) {
  const float values[] = {-1.0F, 1.0F};
  const Histogram histogram = histogram_of(values);
  EXPECT_EQ(histogram.limit, 1);
  EXPECT_EQ(histogram.counts.front(), 1);
  EXPECT_EQ(histogram.counts.back(), 1);
}

TEST(Histogram, LeavesOutWhatIsNotFinite) {
  const float values[] = {1.0F, std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()};
  const Histogram histogram = histogram_of(values);
  EXPECT_EQ(histogram.limit, 1);
  EXPECT_EQ(histogram.mean_magnitude, 1);
  EXPECT_EQ(total(histogram.counts), 1);
}

TEST(Histogram, OfNothingHasNoBins) {
  EXPECT_EQ(histogram_of({}), Histogram{});
  const float zeros[] = {0.0F, 0.0F};
  const Histogram histogram = histogram_of(zeros);
  EXPECT_EQ(histogram.limit, 0);
  EXPECT_EQ(histogram.counts[kHalf], 2);
  EXPECT_EQ(bars(histogram, 1)[kBars / 2], 2);  // zero stands right of the middle
}

// The ranges are +-0.25 and +-1; a bar over +-1 is 1/32 wide. 0.25 = 8/32 is in bar 8 above zero of
// the wide range, but as the end of the narrow one in its last bin, just below: bar 7.
TEST(Histogram, ComparesEpochsInOneRange) {
  const float early[] = {-0.25F, 0.0F, 0.25F}, late[] = {-1.0F, 0.5F, 0.75F};
  const Histogram histograms[] = {histogram_of(early), histogram_of(late)};
  const double limit = common_limit(histograms);
  EXPECT_EQ(limit, 1);
  const auto early_bars = bars(histograms[0], limit), late_bars = bars(histograms[1], limit);
  EXPECT_EQ(early_bars[kBars / 2 - 8], 1);
  EXPECT_EQ(early_bars[kBars / 2], 1);
  EXPECT_EQ(early_bars[kBars / 2 + 7], 1);
  EXPECT_EQ(late_bars[0], 1);
  EXPECT_EQ(late_bars[kBars / 2 + 16], 1);
  EXPECT_EQ(late_bars[kBars / 2 + 24], 1);
}

// 1 of 2,000 values is 3, which alone would want +-4. All others lie within +-0.5, but no less than
// a quarter of the range is shown: +-1. The outlier is in the last bar.
TEST(Histogram, ShowsOutliersInTheBarsAtTheEnds) {
  std::vector<float> values(1999, 0.4F);
  values.push_back(3.0F);
  const Histogram histograms[] = {histogram_of(values)};
  EXPECT_EQ(common_limit(histograms), 1);
  const auto counts = bars(histograms[0], 1);
  EXPECT_EQ(counts[kBars - 1], 1);
  EXPECT_EQ(counts[kBars / 2 + 12], 1999);  // 0.4 * 32 = 12.8
}

// Two values in the first bar, one in bar 48: the first bar is as high as the picture, 64 pixels,
// the other half as high. The middle column is the zero line.
TEST(Histogram, DrawsBarsAsHighAsTheirCounts) {
  const float values[] = {-1.0F, -1.0F, 0.5F};
  const Picture picture = histogram_picture(histogram_of(values), 1);
  ASSERT_EQ(picture.width, 192);
  ASSERT_EQ(picture.height, 64);
  const auto red = [&](int x, int y) {
    return static_cast<int>(picture.pixels[static_cast<size_t>(y * picture.width + x) * 3]);
  };
  EXPECT_EQ(red(0, 0), 33);
  EXPECT_EQ(red(2, 63), 33);
  EXPECT_EQ(red(3, 63), 255);
  EXPECT_EQ(red(48 * 3, 31), 255);
  EXPECT_EQ(red(48 * 3, 32), 33);
  EXPECT_EQ(red(96, 0), 190);
}

}  // namespace
}  // namespace superstep::report
