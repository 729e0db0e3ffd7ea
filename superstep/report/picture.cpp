#include "superstep/report/picture.h"

#include <png.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "superstep/base/error.h"

namespace superstep::report {
namespace {

using Colour = std::array<uint8_t, 3>;

// The ends are those of the usual blue-white-red map (ColorBrewer RdBu): equally dark, and told
// apart by people who do not see red and green apart.
constexpr Colour kBelow = {33, 102, 172}, kZero = {255, 255, 255}, kAbove = {178, 24, 43};

uint8_t to_byte(float unit) { return static_cast<uint8_t>(std::lround(unit * 255.0F)); }

Colour diverging_colour(float share) {
  const Colour& end = share < 0 ? kBelow : kAbove;
  const float strength = std::abs(share);
  Colour colour{};
  for (size_t c = 0; c < 3; ++c) {
    const auto from = static_cast<float>(kZero[c]), to = static_cast<float>(end[c]);
    colour[c] = static_cast<uint8_t>(std::lround(from + (to - from) * strength));
  }
  return colour;
}

size_t place(const Picture& picture, int x, int y) {
  return (static_cast<size_t>(y) * static_cast<size_t>(picture.width) + static_cast<size_t>(x)) *
         static_cast<size_t>(picture.channels);
}

Picture blank(int width, int height, int channels, uint8_t grey) {
  const size_t size =
      static_cast<size_t>(width) * static_cast<size_t>(height) * static_cast<size_t>(channels);
  return {width, height, channels, std::vector<uint8_t>(size, grey)};
}

void check(const Picture& picture, const char* who) {
  const bool sizes =
      picture.width > 0 && picture.height > 0 && (picture.channels == 1 || picture.channels == 3);
  if (!sizes)
    throw DataError("[{}] a picture of {} x {} with {} channels; wanted at least 1 x 1 with 1 or 3",
                    who, picture.width, picture.height, picture.channels);
  if (picture.pixels.size() != place(picture, 0, picture.height))
    throw DataError("[{}] a picture of {} x {} with {} channels has {} bytes, wanted {}", who,
                    picture.width, picture.height, picture.channels, picture.pixels.size(),
                    place(picture, 0, picture.height));
}

}  // namespace

Bytes encode_png(const Picture& picture) {
  check(picture, "encode_png");
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = picture.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  Bytes bytes(size, '\0');
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.pixels.data(), 0,
                                nullptr) == 0)
    throw DataError("[encode_png] {} x {}: {}", picture.width, picture.height, image.message);
  bytes.resize(size);
  return bytes;
}

Picture decode_png(std::string_view bytes, std::string_view name) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) == 0)
    throw DataError("{}: no PNG: {}", name, image.message);
  if (int64_t{image.width} * int64_t{image.height} > kLargestPicture) {
    const DataError error("{}: a picture of {} x {}, wanted at most {} pixels", name, image.width,
                          image.height, kLargestPicture);
    png_image_free(&image);
    throw error;
  }
  const bool grey = (image.format & PNG_FORMAT_FLAG_COLOR) == 0;
  image.format = grey ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  Picture picture =
      blank(static_cast<int>(image.width), static_cast<int>(image.height), grey ? 1 : 3, 0);
  // Transparent pixels, which we do not write, are laid on black.
  const png_color background{};
  if (png_image_finish_read(&image, &background, picture.pixels.data(), 0, nullptr) == 0)
    throw DataError("{}: a damaged PNG: {}", name, image.message);
  return picture;
}

Picture from_values(const ValueGrid& grid, Scale scale) {
  Picture picture = blank(grid.width, grid.height, scale.diverging ? 3 : 1, 0);
  const size_t wanted = static_cast<size_t>(grid.width) * static_cast<size_t>(grid.height);
  if (grid.values.size() != wanted)
    throw DataError("[from_values] {} values for {} x {} pixels, wanted {}", grid.values.size(),
                    grid.width, grid.height, wanted);
  float limit = scale.limit;
  if (limit == 0)
    for (const float v : grid.values)
      if (std::isfinite(v)) limit = std::max(limit, std::abs(v));
  if (limit == 0) limit = 1;  // all zero: any scale shows it

  for (size_t i = 0; i < wanted; ++i) {
    const float v = std::isnan(grid.values[i]) ? 0.0F : grid.values[i];
    if (scale.diverging) {
      const Colour colour = diverging_colour(std::clamp(v / limit, -1.0F, 1.0F));
      std::copy(colour.begin(), colour.end(), picture.pixels.begin() + static_cast<long>(3 * i));
    } else {
      const float share = (v - scale.low) / (limit - scale.low);
      picture.pixels[i] = to_byte(std::clamp(share, 0.0F, 1.0F));
    }
  }
  return picture;
}

Picture tile(std::span<const Picture> pictures, const TileLayout& layout) {
  if (pictures.empty()) throw DataError("[tile] no picture given");
  if (layout.columns < 1 || layout.gap < 0)
    throw DataError("[tile] {} columns with a gap of {}; wanted at least 1 and 0", layout.columns,
                    layout.gap);
  const int width = pictures[0].width, height = pictures[0].height;
  int channels = 1;
  for (const Picture& picture : pictures) {
    check(picture, "tile");
    if (picture.width != width || picture.height != height)
      throw DataError("[tile] a picture of {} x {} among pictures of {} x {}", picture.width,
                      picture.height, width, height);
    channels = std::max(channels, picture.channels);
  }
  const int count = static_cast<int>(pictures.size());
  const int columns = std::min(layout.columns, count), rows = (count + columns - 1) / columns;
  Picture sheet = blank(columns * (width + layout.gap) + layout.gap,
                        rows * (height + layout.gap) + layout.gap, channels, layout.colour);
  for (int i = 0; i < count; ++i) {
    const Picture& picture = pictures[static_cast<size_t>(i)];
    const int left = layout.gap + i % columns * (width + layout.gap);
    const int top = layout.gap + i / columns * (height + layout.gap);
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        for (int c = 0; c < channels; ++c) {
          const int from = picture.channels == 1 ? 0 : c;  // grey: the same in all three
          sheet.pixels[place(sheet, left + x, top + y) + static_cast<size_t>(c)] =
              picture.pixels[place(picture, x, y) + static_cast<size_t>(from)];
        }
  }
  return sheet;
}

Picture enlarge(const Picture& picture, int factor) {
  check(picture, "enlarge");
  if (factor < 1) throw DataError("[enlarge] a factor of {}, wanted at least 1", factor);
  Picture out = blank(picture.width * factor, picture.height * factor, picture.channels, 0);
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x)
      for (int c = 0; c < out.channels; ++c)
        out.pixels[place(out, x, y) + static_cast<size_t>(c)] =
            picture.pixels[place(picture, x / factor, y / factor) + static_cast<size_t>(c)];
  return out;
}

Picture crop_rows(const Picture& picture, int top, int height) {
  check(picture, "crop_rows");
  if (top < 0 || height < 1 || top > picture.height - height)
    throw DataError("[crop_rows] rows {} to {} of a picture of {} rows", top, top + height - 1,
                    picture.height);
  const auto begin = picture.pixels.begin() + static_cast<long>(place(picture, 0, top));
  const auto end = picture.pixels.begin() + static_cast<long>(place(picture, 0, top + height));
  return {picture.width, height, picture.channels, std::vector<uint8_t>(begin, end)};
}

}  // namespace superstep::report
