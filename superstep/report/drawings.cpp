#include "superstep/report/drawings.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "superstep/base/error.h"

namespace superstep::report {
namespace {

struct Range {
  float low = 0, high = 0;  // of the finite values; both 0 where there is none
};

Range range_of(ConstMatrix m) {
  Range range;
  bool any = false;
  for (int64_t r = 0; r < m.rows; ++r)
    for (const float v : m.row(r)) {
      if (!std::isfinite(v)) continue;
      range.low = any ? std::min(range.low, v) : v;
      range.high = any ? std::max(range.high, v) : v;
      any = true;
    }
  return range;
}

/// The magnitude that one finite value of 200 exceeds: a lone large one does not pale the others.
float strong_magnitude(const std::vector<float>& values) {
  std::vector<float> magnitudes;
  for (const float v : values)
    if (std::isfinite(v)) magnitudes.push_back(std::abs(v));
  if (magnitudes.empty()) return 0;
  const auto place = magnitudes.begin() + static_cast<long>((magnitudes.size() - 1) * 199 / 200);
  std::nth_element(magnitudes.begin(), place, magnitudes.end());
  return *place;
}

/// Means of blocks of factor * factor pixels; those at the right and lower edge may be smaller.
std::vector<float> averaged(std::span<const float> pixels, ImageShape from, ImageShape to,
                            int64_t factor) {
  std::vector<float> out;
  for (int64_t y = 0; y < to.height; ++y)
    for (int64_t x = 0; x < to.width; ++x) {
      const int64_t bottom = std::min((y + 1) * factor, from.height);
      const int64_t right = std::min((x + 1) * factor, from.width);
      double sum = 0;
      for (int64_t v = y * factor; v < bottom; ++v)
        for (int64_t u = x * factor; u < right; ++u)
          sum += static_cast<double>(pixels[static_cast<size_t>(v * from.width + u)]);
      const int64_t count = (bottom - y * factor) * (right - x * factor);
      out.push_back(static_cast<float>(sum / static_cast<double>(count)));
    }
  return out;
}

/// A picture of pixels that are the image's, small enough for a sheet.
Picture small_picture(std::span<const float> pixels, ImageShape image, Scale scale) {
  const int64_t side = std::max(image.height, image.width);
  const int64_t factor = (side + kLargestSide - 1) / kLargestSide;
  const auto fit = [factor](int64_t length) { return (length + factor - 1) / factor; };
  const ImageShape size{fit(image.height), fit(image.width)};
  const auto draw = [&](std::span<const float> values) {
    return from_values({values, static_cast<int>(size.width), static_cast<int>(size.height)},
                       scale);
  };
  if (factor == 1) return draw(pixels);
  return draw(averaged(pixels, image, size, factor));
}

void check_pixels(const char* who, int64_t found, ImageShape image) {
  if (image.height < 1 || image.width < 1 || found != image.pixels())
    throw DataError("[{}] {} values a picture, wanted {} x {} = {}", who, found, image.height,
                    image.width, image.pixels());
}

}  // namespace

Picture filter_sheet(ConstMatrix weight, ImageShape image, FilterLayout layout) {
  check_pixels("filter_sheet", weight.rows, image);
  const int64_t units = std::min(weight.cols, layout.units);
  std::vector<float> all;  // unit by unit
  for (int64_t j = 0; j < units; ++j)
    for (int64_t i = 0; i < weight.rows; ++i) all.push_back(weight.row(i)[static_cast<size_t>(j)]);
  const Scale scale = Scale::symmetric(strong_magnitude(all));
  const auto pixels = static_cast<size_t>(weight.rows);
  std::vector<Picture> filters;
  for (size_t j = 0; j < static_cast<size_t>(units); ++j)
    filters.push_back(small_picture(std::span(all).subspan(j * pixels, pixels), image, scale));
  return tile(filters, {.columns = layout.columns, .gap = 1, .colour = 255});
}

Scale scale_of_rows(ConstMatrix rows) {
  const Range range = range_of(rows);
  if (range.low >= 0 && range.high <= 1) return Scale::unit();
  return range.low < range.high ? Scale::grey(range.low, range.high)
                                : Scale::grey(range.low - 1, range.high + 1);
}

Picture row_sheet(ConstMatrix rows, ImageShape image, Scale scale, int columns) {
  check_pixels("row_sheet", rows.cols, image);
  std::vector<Picture> pictures;
  for (int64_t r = 0; r < rows.rows; ++r)
    pictures.push_back(small_picture(rows.row(r), image, scale));
  return tile(pictures, {.columns = columns, .gap = 1});
}

Picture activation_map(ConstMatrix hidden) {
  const ConstMatrix shown(hidden.data, std::min(hidden.rows, kMapRows),
                          std::min(hidden.cols, kMapUnits), hidden.stride);
  std::vector<float> values;
  for (int64_t r = 0; r < shown.rows; ++r) {
    const auto row = shown.row(r);
    values.insert(values.end(), row.begin(), row.end());
  }
  const Range range = range_of(shown);
  const Scale scale = range.low < 0 ? Scale::symmetric(std::max(-range.low, range.high))
                                    : Scale::grey(0, std::max(1.0F, range.high));
  return from_values({values, static_cast<int>(shown.cols), static_cast<int>(shown.rows)}, scale);
}

IdleUnits count_idle(ConstMatrix hidden) {
  constexpr float kOff = 0.01F, kOn = 0.99F;
  int64_t never = 0, always = 0;
  for (int64_t j = 0; j < hidden.cols; ++j) {
    bool off = true, on = true;
    for (int64_t r = 0; r < hidden.rows; ++r) {
      const float v = hidden.row(r)[static_cast<size_t>(j)];
      off = off && v <= kOff;
      on = on && v >= kOn;
    }
    never += off;
    always += on;
  }
  const Range range = range_of(hidden);
  IdleUnits idle;
  if (hidden.rows > 0 && range.low >= 0) idle.never_on = never;
  if (hidden.rows > 0 && range.low >= 0 && range.high <= 1) idle.always_on = always;
  return idle;
}

Picture hinton_diagram(ConstMatrix matrix) {
  constexpr int kCell = 12, kLargest = 10;
  constexpr uint8_t kGround = 128, kPositive = 255, kNegative = 0;
  const Range range = range_of(matrix);
  const float limit = std::max(-range.low, range.high);
  Picture picture{
      static_cast<int>(matrix.cols) * kCell, static_cast<int>(matrix.rows) * kCell, 1, {}};
  picture.pixels.assign(static_cast<size_t>(picture.width) * static_cast<size_t>(picture.height),
                        kGround);
  for (int r = 0; r < static_cast<int>(matrix.rows); ++r)
    for (int c = 0; c < static_cast<int>(matrix.cols); ++c) {
      const float v = matrix.row(r)[static_cast<size_t>(c)];
      if (!std::isfinite(v) || v == 0) continue;
      const int side = static_cast<int>(std::lround(kLargest * std::sqrt(std::abs(v) / limit)));
      const int top = r * kCell + (kCell - side) / 2, left = c * kCell + (kCell - side) / 2;
      for (int y = top; y < top + side; ++y)
        for (int x = left; x < left + side; ++x)
          picture.pixels[static_cast<size_t>(y * picture.width + x)] =
              v > 0 ? kPositive : kNegative;
    }
  return picture;
}

bool fits_hinton(ConstMatrix matrix) {
  return std::min(matrix.rows, matrix.cols) >= 2 &&
         std::max(matrix.rows, matrix.cols) <= kHintonSide;
}

}  // namespace superstep::report
