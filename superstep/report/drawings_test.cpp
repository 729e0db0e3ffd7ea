#include "superstep/report/drawings.h"

#include <gtest/gtest.h>

#include "superstep/base/error.h"

namespace superstep::report {
namespace {

// A cell is 12 pixels, and the side of a square 10 sqrt(|w| / 4): 10 for 4, 5 for -1, none for 0,
// 2 for 0.16. A square of side s begins (12 - s) / 2 pixels into its cell.
TEST(HintonDiagram, DrawsSquaresOfAnAreaLikeTheMagnitude) {
  const float weights[] = {4.0F, -1.0F,  //
                           0.0F, 0.16F};
  const Picture picture = hinton_diagram({weights, 2, 2});
  ASSERT_EQ(picture.width, 24);
  ASSERT_EQ(picture.height, 24);
  ASSERT_EQ(picture.channels, 1);
  std::vector<uint8_t> wanted(24 * 24, 128);
  const auto square = [&](int top, int left, int side, uint8_t colour) {
    for (int y = top; y < top + side; ++y)
      for (int x = left; x < left + side; ++x) wanted[static_cast<size_t>(y * 24 + x)] = colour;
  };
  square(1, 1, 10, 255);
  square(3, 15, 5, 0);
  square(17, 17, 2, 255);
  EXPECT_EQ(picture.pixels, wanted);
}

TEST(HintonDiagram, IsForSmallMatricesAlone) {
  const std::vector<float> zeros(41 * 41);
  EXPECT_TRUE(fits_hinton({zeros.data(), 40, 2}));
  EXPECT_FALSE(fits_hinton({zeros.data(), 41, 2}));
  EXPECT_FALSE(fits_hinton({zeros.data(), 40, 1}));
}

TEST(HintonDiagram, OfZerosIsGrey) {
  const float zeros[4] = {};
  EXPECT_EQ(hinton_diagram({zeros, 2, 2}).pixels, std::vector<uint8_t>(24 * 24, 128));
}

// Unit 0 looks for (1, 0), unit 1 for (0, -1), in pictures of 1 x 2: full red, white; white, full
// blue. With the gap of 1 around, the sheet is 7 x 3.
TEST(FilterSheet, ShowsAColumnOfTheWeightsAsAPicture) {
  const float weights[] = {1.0F, 0.0F,  //
                           0.0F, -1.0F};
  const Picture sheet = filter_sheet({weights, 2, 2}, {1, 2}, {.units = 12, .columns = 12});
  ASSERT_EQ(sheet.width, 7);
  ASSERT_EQ(sheet.height, 3);
  const auto colour = [&](size_t x) {
    const size_t at = (7 + x) * 3;  // of the middle row
    return std::vector<int>{sheet.pixels[at], sheet.pixels[at + 1], sheet.pixels[at + 2]};
  };
  EXPECT_EQ(colour(1), (std::vector<int>{178, 24, 43}));
  EXPECT_EQ(colour(2), (std::vector<int>{255, 255, 255}));
  EXPECT_EQ(colour(4), (std::vector<int>{255, 255, 255}));
  EXPECT_EQ(colour(5), (std::vector<int>{33, 102, 172}));
}

// 399 weights of 1 and a lone 100: 1 is the strongest colour, and stays red.
TEST(FilterSheet, IsNotPaledByALoneLargeWeight) {
  std::vector<float> weights(400, 1.0F);
  weights[399] = 100.0F;
  const Picture sheet = filter_sheet({weights.data(), 400, 1}, {20, 20}, {});
  EXPECT_EQ(sheet.pixels[(22 + 1) * 3], 178);
  EXPECT_EQ(sheet.pixels[(22 + 1) * 3 + 1], 24);
}

TEST(FilterSheet, RefusesAWrongImage) {
  const float weights[4] = {};
  EXPECT_THROW((void)filter_sheet({weights, 4, 1}, {3, 2}, {}), DataError);
  EXPECT_THROW((void)filter_sheet({weights, 4, 1}, {0, 0}, {}), DataError);
}

// 97 columns want a factor of 3: 33 columns, the last of which is the mean of the single column 96.
TEST(RowSheet, AveragesLargeImagesDown) {
  std::vector<float> pixels(97, 0.0F);
  pixels[0] = 0.6F;   // mean of the first three: 0.2, that is 51
  pixels[96] = 0.4F;  // 102
  const Picture sheet = row_sheet({pixels.data(), 1, 97}, {1, 97}, Scale::unit(), 1);
  ASSERT_EQ(sheet.width, 35);
  ASSERT_EQ(sheet.height, 3);
  EXPECT_EQ(sheet.pixels[35 + 1], 51);
  EXPECT_EQ(sheet.pixels[35 + 2], 0);
  EXPECT_EQ(sheet.pixels[35 + 33], 102);
}

TEST(RowSheet, KnowsStandardisedRowsFromPixels) {
  const float pixels[] = {0.0F, 0.3F}, standardised[] = {-2.0F, 3.0F}, flat[] = {5.0F, 5.0F};
  EXPECT_EQ(scale_of_rows({pixels, 1, 2}).low, 0);
  EXPECT_EQ(scale_of_rows({pixels, 1, 2}).limit, 1);
  EXPECT_EQ(scale_of_rows({standardised, 1, 2}).low, -2);
  EXPECT_EQ(scale_of_rows({standardised, 1, 2}).limit, 3);
  EXPECT_EQ(scale_of_rows({flat, 1, 2}).low, 4);
}

// 0.2 * 255 = 51.
TEST(ActivationMap, ShowsARowADown) {
  const float hidden[] = {0.0F, 0.2F, 1.0F,  //
                          1.0F, 0.0F, 0.2F};
  EXPECT_EQ(activation_map({hidden, 2, 3}), (Picture{3, 2, 1, {0, 51, 255, 255, 0, 51}}));
}

TEST(ActivationMap, ShowsRectifiedUnitsUpToTheLargestAndSignedOnesInColour) {
  const float rectified[] = {0.0F, 2.0F, 10.0F}, signed_units[] = {-1.0F, 1.0F};
  EXPECT_EQ(activation_map({rectified, 1, 3}), (Picture{3, 1, 1, {0, 51, 255}}));
  EXPECT_EQ(activation_map({signed_units, 1, 2}), (Picture{2, 1, 3, {33, 102, 172, 178, 24, 43}}));
}

TEST(ActivationMap, CropsWhatIsTooLarge) {
  const std::vector<float> hidden(100 * 300);
  const Picture picture = activation_map({hidden.data(), 100, 300});
  EXPECT_EQ(picture.width, 256);
  EXPECT_EQ(picture.height, 48);
}

// Column 0 is never on, column 1 always, columns 2 and 3 at times.
TEST(IdleUnits, AreThoseThatSayNothingOfARow) {
  const float hidden[] = {0.0F,   1.0F,  0.5F, 0.0F,  //
                          0.005F, 0.99F, 0.5F, 1.0F};
  EXPECT_EQ(count_idle({hidden, 2, 4}).never_on, 1);
  EXPECT_EQ(count_idle({hidden, 2, 4}).always_on, 1);
}

TEST(IdleUnits, AreUnknownWhereUnitsHaveNoBounds) {
  const float rectified[] = {0.0F, 3.0F}, gaussian[] = {-1.0F, 0.5F};
  EXPECT_EQ(count_idle({rectified, 1, 2}).never_on, 1);
  EXPECT_EQ(count_idle({rectified, 1, 2}).always_on, std::nullopt);
  EXPECT_EQ(count_idle({gaussian, 1, 2}).never_on, std::nullopt);
  EXPECT_EQ(count_idle({}).never_on, std::nullopt);
}

}  // namespace
}  // namespace superstep::report
