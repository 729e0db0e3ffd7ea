// How weights or biases are spread: counts in equal bins about zero, that can be compared over
// epochs although the range of the weights grows.
//
//   std::vector<Histogram> epochs = {histogram_of(w1), histogram_of(w2)};
//   const double limit = common_limit(epochs);
//   for (const Histogram& h : epochs) write(encode_png(histogram_picture(h, limit)));
//
// The ends of the range are powers of two, so bins of one range fit whole into those of a wider
// one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "superstep/report/picture.h"

namespace superstep::report {

struct Histogram {
  static constexpr int kBins = 256;
  /// kBins, or empty where there were no values: of [-limit, limit) in equal steps, the upper end
  /// itself in the last bin.
  std::vector<int64_t> counts{};
  double limit = 0;           ///< The least power of two that no magnitude exceeds; 0: all are 0.
  double mean_magnitude = 0;  ///< The mean of |value|.
  double largest = 0;         ///< The largest |value|.
  friend bool operator==(const Histogram&, const Histogram&) = default;
};

/// Values that are not finite are left out.
Histogram histogram_of(std::span<const float> values);

/// The range +- limit to show all of them in: no less than 99.9% of the values of each lie within,
/// so that a few outliers do not squeeze the rest, and no less than a quarter of any one's range. A
/// power of two; 1 where all values are 0.
double common_limit(std::span<const Histogram> histograms);

inline constexpr int kBars = 64;
/// The counts in kBars equal bars over [-limit, limit), for a limit from common_limit(); what lies
/// beyond counts in the bars at the ends.
std::vector<int64_t> bars(const Histogram& histogram, double limit);

/// The bars, the highest as high as the picture, with a grey line at zero: 192 x 64 pixels. A bar
/// that is not empty is at least one pixel high.
Picture histogram_picture(const Histogram& histogram, double limit);

}  // namespace superstep::report
