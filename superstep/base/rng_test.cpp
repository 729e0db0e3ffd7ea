#include "superstep/base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

namespace superstep {
namespace {

using Words = std::array<uint32_t, 4>;

// The known answers that are published with the generator: Random123, kat_vectors,
// "philox4x32 10". The last counter and key are the first digits of pi.
TEST(Philox, GivesThePublishedAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Models in the world were trained by these numbers: they may never change.
TEST(RngKey, GivesTheSameBitsForever) {
  const RngKey key = RngKey(1).fold("pretrain").fold(3);
  EXPECT_EQ(key.value(), RngKey(1).fold("pretrain").fold(3).value());
  // bits() is words 1 and 0 of the block with counter (0, 0, number).
  const auto value = key.value();
  const Words block =
      philox4x32({0, 0, 7, 0}, {static_cast<uint32_t>(value), static_cast<uint32_t>(value >> 32)});
  EXPECT_EQ(key.bits(7), uint64_t{block[1]} << 32 | block[0]);
  EXPECT_EQ(key.uniform(7), static_cast<double>(key.bits(7) >> 11) / 9007199254740992.0);
}

TEST(RngKey, TellsApartNumbersSitesAndTheirOrder) {
  const RngKey key(1);
  std::set<uint64_t> values{key.value()};
  for (uint64_t number = 0; number < 1000; ++number) values.insert(key.fold(number).value());
  values.insert(RngKey(2).value());
  values.insert(RngKey(2).fold(0).value());
  values.insert(key.fold("a").value());
  values.insert(key.fold("b").value());
  values.insert(key.fold("").value());
  values.insert(key.fold("a").fold("b").value());
  values.insert(key.fold("b").fold("a").value());
  values.insert(key.fold("ab").value());
  EXPECT_EQ(values.size(), 1009U);
}

// Element j takes word (j / 16) mod 4 of the block with counter 16 (j / 64) + j mod 16, in the
// counter's low half; the row is its high half.
TEST(FillUniform, LaysItsWordsOutAsTheHeaderSays) {
  const RngKey key = RngKey(5).fold("hidden");
  const uint64_t row = 0x0000000300000002;
  const std::array<uint32_t, 2> words{static_cast<uint32_t>(key.value()),
                                      static_cast<uint32_t>(key.value() >> 32)};
  std::vector<float> out(200);
  fill_uniform(key, row, out);
  for (uint32_t j = 0; j < 200; ++j) {
    const Words block = philox4x32({16 * (j / 64) + j % 16, 0, 2, 3}, words);
    EXPECT_EQ(out[j], static_cast<float>(block[j / 16 % 4] >> 8) / 16777216.0F) << j;
  }
}

using Fill = void (*)(RngKey, uint64_t, std::span<float>);

TEST(Fill, GivesAShortRowTheBeginningOfALongOne) {
  for (const Fill fill : {Fill{fill_uniform}, Fill{fill_normal}}) {
    std::vector<float> whole(300);
    fill(RngKey(9), 4, whole);
    for (const size_t size : {0, 1, 10, 15, 16, 17, 63, 64, 65, 100, 299}) {
      std::vector<float> part(size);
      fill(RngKey(9), 4, part);
      EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin())) << size;
    }
  }
}

TEST(Fill, GivesOtherNumbersToOtherRowsAndKeys) {
  for (const Fill fill : {Fill{fill_uniform}, Fill{fill_normal}}) {
    std::vector<float> a(64), b(64), c(64);
    fill(RngKey(9), 4, a);
    fill(RngKey(9), 5, b);
    fill(RngKey(10), 4, c);
    int same = 0;
    for (size_t i = 0; i < a.size(); ++i) same += (a[i] == b[i]) + (a[i] == c[i]);
    EXPECT_EQ(same, 0);
  }
}

struct Moments {
  double mean = 0, variance = 0, skew = 0, neighbours = 0;
  float least = 0, most = 0;
};

// Over 400 rows of 250 values: 100,000 in all. `neighbours` is the correlation of values side by
// side in a row.
Moments moments(Fill fill) {
  std::vector<double> all;
  std::vector<float> row(250);
  Moments m;
  for (uint64_t r = 0; r < 400; ++r) {
    fill(RngKey(3).fold("moments"), r, row);
    all.insert(all.end(), row.begin(), row.end());
  }
  const auto n = static_cast<double>(all.size());
  for (const double x : all) m.mean += x / n;
  double pairs = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    const double d = all[i] - m.mean;
    m.variance += d * d / n;
    m.skew += d * d * d / n;
    if (i % 250 == 0) continue;
    m.neighbours += d * (all[i - 1] - m.mean);
    ++pairs;
  }
  m.neighbours /= pairs * m.variance;
  m.least = static_cast<float>(*std::ranges::min_element(all));
  m.most = static_cast<float>(*std::ranges::max_element(all));
  return m;
}

// The bounds are five standard errors of 100,000 independent values.
TEST(FillUniform, IsUniform) {
  const Moments m = moments(fill_uniform);
  EXPECT_NEAR(m.mean, 0.5, 5 * std::sqrt(1.0 / 12 / 1e5));
  EXPECT_NEAR(m.variance, 1.0 / 12, 5 * std::sqrt(1.0 / 180 / 1e5));  // var of (u - 1/2)^2: 1/180
  EXPECT_NEAR(m.neighbours, 0, 5 / std::sqrt(1e5));
  EXPECT_GE(m.least, 0.0F);
  EXPECT_LT(m.most, 1.0F);
  EXPECT_LT(m.least, 2e-4F);
  EXPECT_GT(m.most, 1 - 2e-4F);
}

TEST(FillNormal, IsNormal) {
  const Moments m = moments(fill_normal);
  EXPECT_NEAR(m.mean, 0, 5 / std::sqrt(1e5));
  EXPECT_NEAR(m.variance, 1, 5 * std::sqrt(2.0 / 1e5));
  EXPECT_NEAR(m.skew, 0, 5 * std::sqrt(15.0 / 1e5));  // E x^6 = 15
  EXPECT_NEAR(m.neighbours, 0, 5 / std::sqrt(1e5));
  EXPECT_LT(m.least, -3.5F);
  EXPECT_GT(m.most, 3.5F);
}

TEST(FillPermutation, HoldsEveryNumberOnceAndFollowsTheKey) {
  for (const size_t size : {0, 1, 2, 7, 1000}) {
    std::vector<int64_t> order(size), again(size), other(size);
    fill_permutation(RngKey(1), order);
    fill_permutation(RngKey(1), again);
    fill_permutation(RngKey(2), other);
    EXPECT_EQ(order, again);
    if (size >= 7) {
      EXPECT_NE(order, other);
    }
    std::sort(order.begin(), order.end());
    for (size_t i = 0; i < size; ++i) EXPECT_EQ(order[i], static_cast<int64_t>(i));
  }
}

// Each of the 6 orders of 3 numbers, 10,000 of 60,000 times; five standard errors are 456.
TEST(FillPermutation, FavoursNoOrder) {
  std::array<int, 27> counts{};
  for (uint64_t seed = 0; seed < 60'000; ++seed) {
    std::array<int64_t, 3> order{};
    fill_permutation(RngKey(seed), order);
    ++counts[static_cast<size_t>(9 * order[0] + 3 * order[1] + order[2])];
  }
  for (const size_t code : {5, 7, 11, 15, 19, 21}) EXPECT_NEAR(counts[code], 10'000, 456) << code;
}

}  // namespace
}  // namespace superstep
