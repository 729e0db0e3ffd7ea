#include "superstep/data/long_accumulator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "superstep/base/rng.h"

namespace superstep::data {
namespace {

TEST(LongAccumulator, KeepsWhatADoubleLoses) {
  LongAccumulator sum;
  for (const double x : {1e300, 1.0, -1e300}) sum.add(x);
  EXPECT_EQ(sum.value(), 1.0);
}

TEST(LongAccumulator, RoundsOnceToNearestEven) {
  LongAccumulator sum;
  sum.add(1.0);
  sum.add(0x1p-53);  // half an ulp of 1: to even, down
  EXPECT_EQ(sum.value(), 1.0);
  sum.add(0x1p-1000);  // above half: up
  EXPECT_EQ(sum.value(), 1.0 + 0x1p-52);
  sum.add(-0x1p-999);  // below half again: down
  EXPECT_EQ(sum.value(), 1.0);
}

TEST(LongAccumulator, HoldsTheSmallestAndTheLargestProducts) {
  LongAccumulator sum;
  const double tiny = std::numeric_limits<double>::denorm_min();
  const double huge = std::numeric_limits<double>::max();
  sum.add_product(huge, huge);
  sum.add_product(tiny, -tiny);  // -2^-2148
  EXPECT_TRUE(std::isinf(sum.value()));
  sum.add_product(-huge, huge);
  EXPECT_EQ(sum.scaled(2148).high, -1.0);
}

TEST(LongAccumulator, GivesAHundredBitsAsTwoDoubles) {
  LongAccumulator sum;
  sum.add(1.0);
  sum.add(0x1p-80);
  EXPECT_EQ(sum.scaled(0).high, 1.0);
  EXPECT_EQ(sum.scaled(0).low, 0x1p-80);
  EXPECT_EQ(sum.scaled(3).high, 8.0);
}

TEST(LongAccumulator, DoesNotDependOnOrderGroupingOrWireForm) {
  const RngKey key(7);
  std::vector<double> values;
  for (uint64_t i = 0; i < 1000; ++i)
    values.push_back(std::ldexp(key.uniform(i) - 0.5, static_cast<int>(key.bits(i) % 600) - 300));
  LongAccumulator forward, backward, left, right;
  for (const double x : values) forward.add(x);
  for (size_t i = values.size(); i-- > 0;) backward.add(values[i]);
  for (size_t i = 0; i < values.size(); ++i) (i % 3 == 0 ? left : right).add(values[i]);
  ByteWriter w;
  right.write(w);
  const Bytes bytes = std::move(w).take();
  ByteReader r(bytes, "sum");
  left.add(LongAccumulator::read(r, "sum"));
  EXPECT_EQ(forward, backward);
  EXPECT_EQ(forward, left);
  EXPECT_EQ(forward.value(), left.value());
}

TEST(LongAccumulator, WritesEqualSumsAsEqualBytes) {
  LongAccumulator a, b;
  a.add(0.75);
  b.add(1e200);
  b.add(0.75);
  b.add(-1e200);
  ByteWriter of_a, of_b;
  a.write(of_a);
  b.write(of_b);
  const Bytes bytes = std::move(of_a).take();
  EXPECT_EQ(bytes, std::move(of_b).take());
  EXPECT_EQ(bytes.size(), 3 + 4);  // sign, first digit, count; one digit
}

TEST(LongAccumulator, RefusesDigitsBeyondItsEnd) {
  ByteWriter w;
  w.put(uint8_t{0});
  w.put(uint8_t{130});
  w.put(uint8_t{100});
  const Bytes bytes = std::move(w).take();
  ByteReader r(bytes, "sum");
  EXPECT_THROW(static_cast<void>(LongAccumulator::read(r, "sum")), DataError);
}

}  // namespace
}  // namespace superstep::data
