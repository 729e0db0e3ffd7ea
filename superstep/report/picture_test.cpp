#include "superstep/report/picture.h"

#include <gtest/gtest.h>

#include <limits>

#include "superstep/base/error.h"

namespace superstep::report {
namespace {

TEST(Picture, ComesBackFromPng) {
  const Picture grey{3, 2, 1, {0, 1, 128, 200, 254, 255}};
  const Picture colour{1, 2, 3, {255, 0, 0, 1, 2, 3}};
  EXPECT_EQ(decode_png(encode_png(grey), "grey"), grey);
  EXPECT_EQ(decode_png(encode_png(colour), "colour"), colour);
}

TEST(Picture, RefusesADamagedPng) {
  const Bytes whole = encode_png({3, 2, 1, {0, 1, 128, 200, 254, 255}});
  EXPECT_THROW((void)decode_png("", "a.png"), DataError);
  EXPECT_THROW((void)decode_png("no picture", "a.png"), DataError);
  EXPECT_THROW((void)decode_png(whole.substr(0, whole.size() / 2), "a.png"), DataError);
}

TEST(Picture, RefusesAnImpossiblePng) {
  EXPECT_THROW((void)encode_png(Picture{2, 2, 1, {0, 0, 0}}), DataError);
  EXPECT_THROW((void)encode_png(Picture{1, 1, 2, {0, 0}}), DataError);
  EXPECT_THROW((void)encode_png(Picture{0, 0, 1, {}}), DataError);
}

// 0.2 * 255 = 51; below 0 and above 1 take the ends; NaN counts as 0.
TEST(Picture, ShowsUnitValuesInGrey) {
  const float values[] = {0.0F, 0.2F, 1.0F, -3.0F, 7.0F, std::numeric_limits<float>::quiet_NaN()};
  const Picture picture = from_values({values, 3, 2}, Scale::unit());
  EXPECT_EQ(picture, (Picture{3, 2, 1, {0, 51, 255, 0, 255, 0}}));
}

// The largest magnitude is 4, so -4 is full blue, 2 is half way from white to red:
// (255 + 178) / 2 = 216.5 -> 217, (255 + 24) / 2 = 139.5 -> 140, (255 + 43) / 2 = 149.
TEST(Picture, ShowsWeightsBlueBelowAndRedAboveZero) {
  const float values[] = {-4.0F, 0.0F, 2.0F};
  const Picture picture = from_values({values, 3, 1}, Scale::symmetric());
  EXPECT_EQ(picture, (Picture{3, 1, 3, {33, 102, 172, 255, 255, 255, 217, 140, 149}}));
}

// -1 is black, 4 white, 0 a fifth of the way: 0.2 * 255 = 51.
TEST(Picture, ShowsAnyRangeInGrey) {
  const float values[] = {-1.0F, 0.0F, 4.0F};
  EXPECT_EQ(from_values({values, 3, 1}, Scale::grey(-1, 4)), (Picture{3, 1, 1, {0, 51, 255}}));
}

TEST(Picture, SharesAScaleWhenGivenOne) {
  const float weak[] = {1.0F}, strong[] = {2.0F};
  EXPECT_EQ(from_values({weak, 1, 1}, Scale::symmetric()),
            from_values({strong, 1, 1}, Scale::symmetric()));
  EXPECT_NE(from_values({weak, 1, 1}, Scale::symmetric(2)),
            from_values({strong, 1, 1}, Scale::symmetric(2)));
}

TEST(Picture, ShowsAllZeroWeightsInWhite) {
  const float zeros[] = {0.0F, 0.0F};
  EXPECT_EQ(from_values({zeros, 2, 1}, Scale::symmetric()).pixels, std::vector<uint8_t>(6, 255));
}

TEST(Picture, RefusesAWrongNumberOfValues) {
  const float values[] = {0.0F, 0.0F, 0.0F};
  EXPECT_THROW((void)from_values({values, 2, 2}, Scale::unit()), DataError);
}

// Three pictures of 1 x 1 in two columns with a gap of 1 are 5 x 5, the last place empty.
TEST(Picture, TilesRowByRow) {
  const Picture pictures[] = {{1, 1, 1, {10}}, {1, 1, 1, {20}}, {1, 1, 1, {30}}};
  const Picture sheet = tile(pictures, {.columns = 2, .gap = 1, .colour = 7});
  const std::vector<uint8_t> wanted = {
      7, 7,  7, 7,  7,  //
      7, 10, 7, 20, 7,  //
      7, 7,  7, 7,  7,  //
      7, 30, 7, 7,  7,  //
      7, 7,  7, 7,  7,
  };
  EXPECT_EQ(sheet, (Picture{5, 5, 1, wanted}));
}

TEST(Picture, TilesGreyBesideColour) {
  const Picture pictures[] = {{1, 1, 1, {10}}, {1, 1, 3, {1, 2, 3}}};
  EXPECT_EQ(tile(pictures, {.columns = 2, .gap = 0}), (Picture{2, 1, 3, {10, 10, 10, 1, 2, 3}}));
}

TEST(Picture, RefusesToTileDifferentSizes) {
  const Picture pictures[] = {{1, 1, 1, {10}}, {2, 1, 1, {1, 2}}};
  EXPECT_THROW((void)tile(pictures, {}), DataError);
  EXPECT_THROW((void)tile({}, {}), DataError);
}

TEST(Picture, EnlargesEachPixel) {
  EXPECT_EQ(enlarge(Picture{2, 1, 1, {1, 2}}, 2), (Picture{4, 2, 1, {1, 1, 2, 2, 1, 1, 2, 2}}));
}

TEST(Picture, CropsRows) {
  const Picture picture{1, 4, 1, {1, 2, 3, 4}};
  EXPECT_EQ(crop_rows(picture, 1, 2), (Picture{1, 2, 1, {2, 3}}));
  EXPECT_THROW((void)crop_rows(picture, 3, 2), DataError);
  EXPECT_THROW((void)crop_rows(picture, -1, 2), DataError);
}

}  // namespace
}  // namespace superstep::report
