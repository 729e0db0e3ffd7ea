// Small pictures: filters, digits, reconstructions; and PNG files of them.
//
//   Picture filter = from_values({weights, 28, 28}, Scale::symmetric());   // blue < 0 < red
//   Picture sheet = tile(filters, {.columns = 10, .gap = 1});
//   write(encode_png(enlarge(sheet, 3)));
//
// Limits: 8 bits a channel, 1 (grey) or 3 (red, green, blue) channels, no transparency.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "superstep/base/bytes.h"

namespace superstep::report {

struct Picture {
  int width = 0, height = 0;    ///< In pixels.
  int channels = 1;             ///< 1 or 3.
  std::vector<uint8_t> pixels;  ///< height * width * channels, row by row from the top.
  friend bool operator==(const Picture&, const Picture&) = default;
};

/// The picture as a PNG file. Throws DataError when the number of pixels is not the sizes' product.
Bytes encode_png(const Picture& picture);

/// Grey stays grey, everything else becomes red, green, blue. Throws DataError naming `name` for
/// bytes that are no PNG, and for pictures of more than kLargestPicture pixels.
Picture decode_png(std::string_view bytes, std::string_view name);
inline constexpr int64_t kLargestPicture = int64_t{1} << 24;

/// Numbers that stand for pixels, row by row from the top.
struct ValueGrid {
  std::span<const float> values;  ///< height * width.
  int width = 0, height = 0;
};

/// How numbers become colours.
struct Scale {
  bool diverging = false;  ///< false: grey. true: blue below zero, white at zero, red above.
  float limit = 1;         ///< The value of the strongest colour; 0: the largest magnitude found.
  float low = 0;           ///< Of grey: the value of black.

  /// Grey from black at 0 to white at 1: pixels, probabilities.
  static Scale unit() { return {}; }
  /// Grey from black at `low` to white at `high`, which is larger.
  static Scale grey(float low, float high) { return {false, high, low}; }
  /// Symmetrical about 0: weights. Give one limit to pictures that are to be compared.
  static Scale symmetric(float limit = 0) { return {true, limit, 0}; }
};

/// Values past the ends of the scale take the colour of the end; NaN counts as 0. Throws DataError
/// when the number of values is not width * height.
Picture from_values(const ValueGrid& grid, Scale scale);

struct TileLayout {
  int columns = 10;      ///< Pictures side by side; at least 1.
  int gap = 1;           ///< Pixels between them and around them.
  uint8_t colour = 128;  ///< Grey of the gap and of empty places.
};

/// Pictures of one size on one sheet, row by row. Grey ones become coloured where others are.
/// Throws DataError when the sizes differ or there is no picture.
Picture tile(std::span<const Picture> pictures, const TileLayout& layout);

/// Each pixel becomes factor * factor pixels.
Picture enlarge(const Picture& picture, int factor);

/// Rows top .. top + height - 1. Throws DataError where the picture lacks them.
Picture crop_rows(const Picture& picture, int top, int height);

}  // namespace superstep::report
