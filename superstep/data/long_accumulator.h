// The exact sum of doubles and of products of doubles: a fixed-point number wide enough for all of
// them (Kulisch and Miranker, "Computer arithmetic in theory and practice", 1981), so that order
// and grouping cannot change a bit.
//
//   LongAccumulator sum;
//   sum.add(0.1);  sum.add_product(x, x);  sum.add(other);
//   double rounded = sum.value();
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "superstep/base/bytes.h"

namespace superstep::data {

/// An unevaluated sum of two doubles, |low| <= ulp(high) / 2: about 106 bits.
struct DoubleDouble {
  double high = 0, low = 0;
};

class LongAccumulator {
 public:
  /// Finite values only (an assertion).
  void add(double x);
  void add_product(double x, double y);
  void add(uint64_t integer);
  void add(const LongAccumulator& other);

  /// Rounded once, to nearest even; infinite beyond the range of a double.
  [[nodiscard]] double value() const { return scaled(0).high; }
  /// The sum times 2^exponent, to about 106 bits.
  [[nodiscard]] DoubleDouble scaled(int exponent) const;

  /// Equal sums give equal bytes, however they came about.
  void write(ByteWriter& writer) const;
  static LongAccumulator read(ByteReader& reader, std::string_view what);
  friend bool operator==(const LongAccumulator& a, const LongAccumulator& b);

 private:
  // Digit i weighs 2^(32 i - 2240). The smallest product of two doubles is 2^-2148, and a mantissa
  // of 53 bits for it reaches down to 2^-2200; the largest product is below 2^2048, and 64 bits
  // stay for the number of terms. A term adds less than 2^33 to a digit, so 2^28 terms fit before
  // carries must be settled; add() settles them in time.
  static constexpr int kDigits = 138, kBias = 2240;

  struct Rounded {
    uint64_t mantissa;  // below 2^53; 0 for a sum of 0
    int exponent;       // the value is mantissa * 2^exponent
    bool negative;
  };
  [[nodiscard]] Rounded rounded() const;
  // Adds (high * 2^64 + low) * 2^exponent.
  void add_bits(uint64_t high, uint64_t low, int exponent, bool negative);
  void count_term(int64_t terms);
  void settle();
  // The settled digits of |sum|, and whether the sum is negative.
  [[nodiscard]] std::pair<std::array<int64_t, kDigits>, bool> magnitude() const;

  std::array<int64_t, kDigits> digits_{};
  int64_t terms_ = 0;  // since carries were settled
};

}  // namespace superstep::data
