#include "superstep/data/scaling.h"

#include <cmath>
#include <limits>

#include "superstep/base/error.h"
#include "superstep/base/rng.h"
#include "superstep/data/statistics.h"
#include "superstep/data/testing.h"

namespace superstep::data {
namespace {

Schema table(int64_t columns) {
  Schema schema;
  schema.columns = columns;
  for (int64_t i = 0; i < columns; ++i) schema.names.push_back(fmt::format("{}", i));
  return schema;
}

Schema bytes(int64_t columns) {
  Schema schema;
  schema.columns = columns;
  schema.bytes = true;
  return schema;
}

Statistics of(const std::vector<std::vector<double>>& columns) {
  Statistics all;
  for (const auto& values : columns) {
    all.columns.emplace_back();
    for (const double x : values) all.columns.back().add(x);
  }
  return all;
}

TEST(ColumnStatistics, GivesMeanAndDeviationOfThePopulation) {
  // 2 4 4 4 5 5 7 9: mean 5, deviation 2.
  const Statistics all = of({{2, 4, 4, 4, 5, 5, 7, 9}});
  EXPECT_EQ(all.columns[0].mean(), 5.0);
  EXPECT_EQ(all.columns[0].deviation(), 2.0);
  EXPECT_EQ(all.columns[0].min, 2.0);
  EXPECT_EQ(all.columns[0].max, 9.0);
}

TEST(ColumnStatistics, KeepsTheDeviationBesideALargeMean) {
  // In plain doubles sum of squares - square of sum is 0 or worse here.
  EXPECT_EQ(of({{1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16}}).columns[0].deviation(), std::sqrt(22.5));
  EXPECT_NEAR(of({{1e15 + 1, 1e15 + 3}}).columns[0].deviation(), 1.0, 1e-12);
}

TEST(ColumnStatistics, HoldsAtTheEndsOfTheRange) {
  EXPECT_EQ(of({{-1e308, 1e308}}).columns[0].deviation(), 1e308);
  EXPECT_EQ(of({{1e308, 1e308}}).columns[0].mean(), 1e308);
  EXPECT_NEAR(of({{-1e-300, 1e-300}}).columns[0].deviation() / 1e-300, 1.0, 1e-15);
  EXPECT_EQ(of({{0.1, 0.1, 0.1}}).columns[0].deviation(), 0.0);
  EXPECT_EQ(of({{0.1, 0.1, 0.1}}).columns[0].mean(), 0.1);
}

TEST(Statistics, DoNotDependOnOrderOrGrouping) {
  const RngKey key(3);
  std::vector<double> values;
  for (uint64_t i = 0; i < 500; ++i) values.push_back(key.uniform(i) * 1e6 - 3e5);
  Statistics parts;
  for (size_t begin = 500; begin > 0; begin -= 100)
    parts.add(of({{values.begin() + static_cast<long>(begin) - 100,
                   values.begin() + static_cast<long>(begin)}}));
  const Statistics all = of({values});
  EXPECT_EQ(parts, all);
  EXPECT_EQ(parts.to_bytes(), all.to_bytes());
  EXPECT_EQ(Statistics::from_bytes(all.to_bytes()), all);
  EXPECT_EQ(of({{0.0, -0.0}}).to_bytes(), of({{-0.0, 0.0}}).to_bytes());
}

TEST(Scaling, Standardises) {
  const Scaling s = Scaling::fit("infer", table(2), of({{2, 4, 4, 4, 5, 5, 7, 9}, {3, 3}}));
  EXPECT_EQ(s.scale(), Scale::kStandardise);
  EXPECT_EQ(s.apply(9, 0), 2.0F);
  EXPECT_EQ(s.apply(1e6, 1), 0.0F);  // the column was constant
}

TEST(Scaling, StandardisesColumnsTogether) {
  // Variances 16 and 0 (means 4 and 100): a common deviation of sqrt(8).
  const Scaling s = Scaling::fit("together", bytes(2), of({{0, 8}, {100, 100}}));
  EXPECT_FLOAT_EQ(s.apply(8, 0), 4.0F / std::sqrt(8.0F));
  EXPECT_FLOAT_EQ(s.apply(255, 1), 155.0F / std::sqrt(8.0F));
}

TEST(Scaling, KeepsMinmaxWithinTheUnitInterval) {
  const Scaling s = Scaling::fit("minmax", table(1), of({{-2, 6}}));
  EXPECT_EQ(s.apply(-2, 0), 0.0F);
  EXPECT_EQ(s.apply(0, 0), 0.25F);
  EXPECT_EQ(s.apply(6, 0), 1.0F);
  EXPECT_EQ(s.apply(7, 0), 1.0F);
  EXPECT_EQ(s.apply(-9, 0), 0.0F);
  EXPECT_TRUE(s.unit_interval());
}

TEST(Scaling, BinarisesAboveTheThreshold) {
  const Scaling s = Scaling::fit("binarise", table(1), of({{0, 8}}), 0.25);
  EXPECT_EQ(s.apply(2, 0), 0.0F);
  EXPECT_EQ(s.apply(2.5, 0), 1.0F);
  const Scaling of_bytes = Scaling::fit("binarise", bytes(1), {});
  EXPECT_EQ(of_bytes.apply(127, 0), 0.0F);
  EXPECT_EQ(of_bytes.apply(128, 0), 1.0F);
}

TEST(Scaling, DividesBytesBy255WhateverTheyHold) {
  const Scaling s = Scaling::fit("infer", bytes(256), {});
  std::vector<uint8_t> row(256);
  std::vector<float> out(256);
  for (size_t i = 0; i < 256; ++i) row[i] = static_cast<uint8_t>(i);
  s.apply(row, out);
  for (size_t i = 0; i < 256; ++i) EXPECT_EQ(out[i], static_cast<float>(i) / 255.0F) << i;
}

TEST(Scaling, GivesBytesAndDoublesTheSameFeatures) {
  Statistics all = of({{0, 255}, {3, 4, 9}, {7, 7}});
  for (const char* scale : {"none", "standardise", "minmax", "binarise"}) {
    const Scaling s = Scaling::fit(scale, bytes(3), all);
    const std::vector<uint8_t> narrow = {200, 5, 7};
    const std::vector<double> wide = {200, 5, 7};
    std::vector<float> from_narrow(3), from_wide(3);
    s.apply(narrow, from_narrow);
    EXPECT_EQ(s.apply(wide, from_wide), -1);
    EXPECT_EQ(from_narrow, from_wide) << scale;
    for (int64_t i = 0; i < 3; ++i)
      EXPECT_EQ(s.apply(wide[static_cast<size_t>(i)], i), from_wide[static_cast<size_t>(i)]);
  }
}

TEST(Scaling, NamesTheColumnBeyondFloat32) {
  const Scaling s = Scaling::fit("none", table(2), {});
  std::vector<float> out(2);
  EXPECT_EQ(s.apply(std::vector<double>{1, 1e39}, out), 1);
  EXPECT_EQ(s.apply(std::vector<double>{1, 3e38}, out), -1);
}

TEST(Scaling, ComesBackFromBytesAndRefusesDamage) {
  const Scaling s = Scaling::fit("standardise", table(2), of({{1, 2}, {3, 5}}));
  EXPECT_EQ(Scaling::from_bytes(s.to_bytes()), s);
  Bytes damaged = s.to_bytes();
  damaged[0] = 9;
  EXPECT_ERROR(DataError, Scaling::from_bytes(damaged, "model.x"), "model.x", "scale 9");
  EXPECT_ERROR(ConfigError, Scaling::fit("log", table(1), {}), "'log'");
}

}  // namespace
}  // namespace superstep::data
