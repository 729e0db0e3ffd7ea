#include "superstep/layers/units.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "superstep/base/error.h"
#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/math.h"

namespace superstep::layers {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"binary", "gaussian", "softmax", "linear",
                                                    "rectified"};

// Where the first number above x stands among ascending ones, of which there is one: upper_bound
// without a branch that the processor could guess wrong, of which a draw would have about five.
size_t first_above(std::span<const double> ascending, double x) {
  const double* begin = ascending.data();
  for (size_t left = ascending.size(); left > 1;) {
    const size_t half = left / 2;
    begin += begin[half - 1] <= x ? half : 0;
    left -= half;
  }
  return static_cast<size_t>(begin - ascending.data());
}

// Draws from each row: N choices, or one where `one` is set.
void draw(ConstMatrix mean, RngKey key, std::span<const int64_t> row_numbers, Matrix sample,
          bool one) {
  SUPERSTEP_ASSERT(mean.rows == sample.rows && mean.cols == sample.cols);
  SUPERSTEP_ASSERT(mean.rows == static_cast<int64_t>(row_numbers.size()));
  constexpr double kChunk = 1024;  // of uniform numbers at a time: N has no bound
  std::vector<double> up_to(static_cast<size_t>(mean.cols));
  std::vector<float> uniform;
  for (int64_t r = 0; r < mean.rows; ++r) {
    const std::span<const float> row = mean.row(r);
    const std::span<float> out = sample.row(r);
    double total = 0;
    for (size_t j = 0; j < row.size(); ++j) up_to[j] = total += double{row[j]};
    if (!std::isfinite(total)) {
      std::ranges::copy(row, out.begin());
      continue;
    }
    std::ranges::fill(out, 0.0F);
    if (!(total > 0)) continue;
    const double choices = one ? 1.0 : std::nearbyint(total);
    const auto number = static_cast<uint64_t>(row_numbers[static_cast<size_t>(r)]);
    uint64_t chunk = 0;
    for (double left = choices; left > 0; left -= kChunk) {
      uniform.resize(static_cast<size_t>(std::min(left, kChunk)));
      fill_uniform(key.fold(chunk++), number, uniform);
      // u < 1, so u * total lies below the last sum; the first sum above it is never one that a
      // mean of 0 left where it was.
      for (const float u : uniform) out[first_above(up_to, double{u} * total)] += 1.0F;
    }
  }
}

}  // namespace

std::string_view to_string(Units units) { return kNames.at(static_cast<size_t>(units)); }

Units parse_units(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (name == kNames[i]) return static_cast<Units>(i);
  throw ConfigError("no units '{}': {}", name, fmt::join(kNames, ", "));
}

Units visible_above(Units hidden) {
  if (hidden == Units::kLinear)
    throw ConfigError(
        "linear units are visible ones: hidden units are binary, rectified, gaussian "
        "or softmax");
  return hidden == Units::kRectified ? Units::kLinear : hidden;
}

float initial_visible_bias(Units units, int64_t count, double mean) {
  if (units == Units::kBinary) {
    const double m = std::clamp(mean, 0.01, 0.99);
    return static_cast<float>(std::log(m / (1.0 - m)));
  }
  if (units == Units::kSoftmax)
    return static_cast<float>(std::log(std::max(mean, 0.01 / static_cast<double>(count))));
  return static_cast<float>(mean);
}

void row_totals(const Features& rows, std::span<float> totals) {
  SUPERSTEP_ASSERT(rows.rows() == static_cast<int64_t>(totals.size()));
  const auto sum = [](std::span<const float> values) {
    double total = 0;
    for (const float value : values) total += double{value};
    return static_cast<float>(total);
  };
  for (int64_t r = 0; r < rows.rows(); ++r)
    totals[static_cast<size_t>(r)] =
        sum(rows.is_sparse() ? rows.sparse().row_values(r) : rows.dense().row(r));
}

void sample_choice(ConstMatrix mean, RngKey key, std::span<const int64_t> row_numbers,
                   Matrix sample) {
  draw(mean, key, row_numbers, sample, /*one=*/true);
}

void sample_counts(ConstMatrix mean, RngKey key, std::span<const int64_t> row_numbers,
                   Matrix sample) {
  draw(mean, key, row_numbers, sample, /*one=*/false);
}

void sample_rectified(RngKey key, std::span<const int64_t> row_numbers, Matrix x, Matrix sample) {
  SUPERSTEP_ASSERT(x.rows == sample.rows && x.cols == sample.cols);
  SUPERSTEP_ASSERT(x.rows == static_cast<int64_t>(row_numbers.size()));
  for (int64_t r = 0; r < x.rows; ++r) {
    const std::span<const float> x_row = x.row(r);
    const std::span<float> s_row = sample.row(r);
    fill_normal(key, static_cast<uint64_t>(row_numbers[static_cast<size_t>(r)]), s_row);
    for (size_t j = 0; j < s_row.size(); ++j)
      s_row[j] = x_row[j] + s_row[j] * std::sqrt(kernels::sigmoid(x_row[j]));
  }
  kernels::relu(sample);
  kernels::relu(x);
}

}  // namespace superstep::layers
