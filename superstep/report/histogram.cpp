#include "superstep/report/histogram.h"

#include <algorithm>
#include <cmath>

#include "superstep/base/error.h"

namespace superstep::report {
namespace {

constexpr int kBarWidth = 3, kHeight = 64;

/// The least power of two that is not below a positive magnitude.
double power_of_two_above(double magnitude) {
  int exponent = 0;
  const double fraction = std::frexp(magnitude, &exponent);  // magnitude = fraction * 2^exponent
  return std::ldexp(1.0, fraction == 0.5 ? exponent - 1 : exponent);
}

/// The power of two within which all but a thousandth of the values lie.
double limit_of_most(const Histogram& histogram) {
  int64_t total = 0;
  for (const int64_t count : histogram.counts) total += count;
  double limit = histogram.limit;
  int half = Histogram::kBins / 2;  // bins on either side of zero that lie within the limit
  while (half > 1) {
    int64_t beyond = 0;
    for (int i = 0; i < Histogram::kBins; ++i)
      if (i < Histogram::kBins / 2 - half / 2 || i >= Histogram::kBins / 2 + half / 2)
        beyond += histogram.counts[static_cast<size_t>(i)];
    if (beyond * 1000 > total) break;
    half /= 2;
    limit /= 2;
  }
  return limit;
}

}  // namespace

Histogram histogram_of(std::span<const float> values) {
  Histogram histogram;
  double sum = 0;
  int64_t count = 0;
  for (const float v : values) {
    if (!std::isfinite(v)) continue;
    const double magnitude = std::abs(static_cast<double>(v));
    sum += magnitude;
    histogram.largest = std::max(histogram.largest, magnitude);
    ++count;
  }
  if (count == 0) return histogram;
  histogram.mean_magnitude = sum / static_cast<double>(count);
  if (histogram.largest > 0) histogram.limit = power_of_two_above(histogram.largest);
  histogram.counts.assign(Histogram::kBins, 0);
  constexpr int kHalf = Histogram::kBins / 2;
  for (const float v : values) {
    if (!std::isfinite(v)) continue;
    const double share = histogram.limit > 0 ? static_cast<double>(v) / histogram.limit : 0;
    const int bin = kHalf + static_cast<int>(std::floor(share * kHalf));
    ++histogram.counts[static_cast<size_t>(std::min(bin, Histogram::kBins - 1))];
  }
  return histogram;
}

double common_limit(std::span<const Histogram> histograms) {
  double limit = 0;
  for (const Histogram& histogram : histograms)
    if (histogram.limit > 0)
      limit = std::max({limit, limit_of_most(histogram), histogram.limit / 4});
  return limit > 0 ? limit : 1;
}

std::vector<int64_t> bars(const Histogram& histogram, double limit) {
  std::vector<int64_t> out(kBars, 0);
  // A bin's width in bars: at most 1, and a power of two, so that the division is exact.
  const double width = histogram.limit / Histogram::kBins * kBars / limit;
  SUPERSTEP_ASSERT(width <= 1);
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    const double left = (static_cast<double>(i) - Histogram::kBins / 2) * width;
    const double bar = std::clamp(std::floor(left) + kBars / 2, 0.0, kBars - 1.0);
    out[static_cast<size_t>(bar)] += histogram.counts[i];
  }
  return out;
}

Picture histogram_picture(const Histogram& histogram, double limit) {
  constexpr uint8_t kInk[] = {33, 102, 172}, kZeroLine = 190;
  const std::vector<int64_t> counts = bars(histogram, limit);
  const int64_t highest = std::max<int64_t>(1, *std::max_element(counts.begin(), counts.end()));
  Picture picture{kBars * kBarWidth, kHeight, 3, {}};
  picture.pixels.assign(static_cast<size_t>(picture.width) * kHeight * 3, 255);
  for (int x = 0; x < picture.width; ++x) {
    const int64_t count = counts[static_cast<size_t>(x / kBarWidth)];
    const auto share = static_cast<double>(count) / static_cast<double>(highest);
    const int bar = count == 0 ? 0 : std::max(1, static_cast<int>(std::lround(share * kHeight)));
    for (int y = 0; y < kHeight; ++y) {
      const size_t at = static_cast<size_t>(y * picture.width + x) * 3;
      for (size_t c = 0; c < 3; ++c) {
        if (y >= kHeight - bar)
          picture.pixels[at + c] = kInk[c];
        else if (x == picture.width / 2)
          picture.pixels[at + c] = kZeroLine;
      }
    }
  }
  return picture;
}

}  // namespace superstep::report
