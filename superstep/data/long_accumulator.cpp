#include "superstep/data/long_accumulator.h"

#include <bit>
#include <cmath>
#include <limits>

namespace superstep::data {
namespace {

__extension__ typedef unsigned __int128 Wide;

constexpr int kDigitBits = 32;
constexpr uint64_t kDigitMask = 0xFFFFFFFF;
constexpr int64_t kTermsBeforeCarries = int64_t{1} << 28;

struct Parts {
  uint64_t mantissa;  // |x| = mantissa * 2^exponent
  int exponent;
  bool negative;
};

// From the bits, so that the state of the floating-point unit (denormals as zeros) has no say.
Parts take_apart(double x) {
  constexpr int kMantissaBits = 52, kExponentBias = 1075;
  const auto bits = std::bit_cast<uint64_t>(x);
  const auto biased = static_cast<int>(bits >> kMantissaBits & 0x7FF);
  const uint64_t fraction = bits & ((uint64_t{1} << kMantissaBits) - 1);
  SUPERSTEP_ASSERT(biased != 0x7FF);
  const uint64_t hidden = biased == 0 ? 0 : uint64_t{1} << kMantissaBits;
  return {fraction | hidden, std::max(biased, 1) - kExponentBias, (bits >> 63) != 0};
}

}  // namespace

void LongAccumulator::add(double x) {
  const Parts p = take_apart(x);
  if (p.mantissa != 0) add_bits(0, p.mantissa, p.exponent, p.negative);
}

void LongAccumulator::add_product(double x, double y) {
  const Parts p = take_apart(x), q = take_apart(y);
  const Wide product = Wide{p.mantissa} * q.mantissa;
  if (product == 0) return;
  add_bits(static_cast<uint64_t>(product >> 64), static_cast<uint64_t>(product),
           p.exponent + q.exponent, p.negative != q.negative);
}

void LongAccumulator::add(uint64_t integer) { add_bits(0, integer, 0, false); }

void LongAccumulator::add(const LongAccumulator& other) {
  LongAccumulator settled = other;
  settled.settle();
  for (size_t i = 0; i < kDigits; ++i) digits_[i] += settled.digits_[i];
  count_term(1);
}

void LongAccumulator::add_bits(uint64_t high, uint64_t low, int exponent, bool negative) {
  const int place = exponent + kBias;
  auto digit = static_cast<size_t>(place / kDigitBits);
  const int shift = place % kDigitBits;
  const uint64_t pieces[4] = {low & kDigitMask, low >> kDigitBits, high & kDigitMask,
                              high >> kDigitBits};
  for (const uint64_t piece : pieces) {
    const uint64_t shifted = piece << shift;  // below 2^63
    const auto here = static_cast<int64_t>(shifted & kDigitMask);
    const auto next = static_cast<int64_t>(shifted >> kDigitBits);
    digits_[digit] += negative ? -here : here;
    digits_[digit + 1] += negative ? -next : next;
    ++digit;
  }
  count_term(1);
}

void LongAccumulator::count_term(int64_t terms) {
  terms_ += terms;
  if (terms_ >= kTermsBeforeCarries) settle();
}

void LongAccumulator::settle() {
  for (size_t i = 0; i + 1 < kDigits; ++i) {
    const int64_t carry = digits_[i] >> kDigitBits;  // floor, also of negative digits
    digits_[i] &= static_cast<int64_t>(kDigitMask);
    digits_[i + 1] += carry;
  }
  terms_ = 1;
}

std::pair<std::array<int64_t, LongAccumulator::kDigits>, bool> LongAccumulator::magnitude() const {
  LongAccumulator copy = *this;
  copy.settle();
  const bool negative = copy.digits_.back() < 0;
  if (negative) {
    for (int64_t& digit : copy.digits_) digit = -digit;
    copy.settle();
  }
  return {copy.digits_, negative};
}

LongAccumulator::Rounded LongAccumulator::rounded() const {
  constexpr int kPrecision = 53;
  const auto [digits, negative] = magnitude();
  int top = kDigits - 1;
  while (top >= 0 && digits[static_cast<size_t>(top)] == 0) --top;
  if (top < 0) return {0, 0, false};
  const auto digit = [&d = digits](int i) {
    return i < 0 ? uint64_t{0} : static_cast<uint64_t>(d[static_cast<size_t>(i)]);
  };
  // The top three digits hold at least 65 significant bits; whether anything lies below them is
  // all that matters of the rest.
  const Wide window = Wide{digit(top)} << 64 | Wide{digit(top - 1)} << 32 | digit(top - 2);
  bool below = false;
  for (int i = 0; i < top - 2; ++i) below = below || digit(i) != 0;
  const int bits = 64 + static_cast<int>(std::bit_width(digit(top)));
  const int cut = bits - kPrecision;
  auto mantissa = static_cast<uint64_t>(window >> cut);
  const Wide rest = window & ((Wide{1} << cut) - 1);
  const Wide half = Wide{1} << (cut - 1);
  if (rest > half || (rest == half && (below || (mantissa & 1) != 0))) ++mantissa;
  return {mantissa, kDigitBits * (top - 2) - kBias + cut, negative};
}

DoubleDouble LongAccumulator::scaled(int exponent) const {
  const auto as_double = [exponent](const Rounded& r) {
    const double magnitude = std::ldexp(static_cast<double>(r.mantissa), r.exponent + exponent);
    return r.negative ? -magnitude : magnitude;
  };
  const Rounded high = rounded();
  if (high.mantissa == 0) return {};
  // What is left is computed from the accumulator itself, so it is exact.
  LongAccumulator rest = *this;
  rest.add_bits(0, high.mantissa, high.exponent, !high.negative);
  return {as_double(high), as_double(rest.rounded())};
}

void LongAccumulator::write(ByteWriter& writer) const {
  const auto [digits, negative] = magnitude();
  size_t first = 0, last = kDigits;
  while (first < last && digits[first] == 0) ++first;
  while (last > first && digits[last - 1] == 0) --last;
  writer.put(static_cast<uint8_t>(negative));
  writer.put(static_cast<uint8_t>(first == last ? 0 : first));
  writer.put(static_cast<uint8_t>(last - first));
  for (size_t i = first; i < last; ++i) writer.put(static_cast<uint32_t>(digits[i]));
}

LongAccumulator LongAccumulator::read(ByteReader& reader, std::string_view what) {
  const bool negative = reader.get<uint8_t>() != 0;
  const size_t first = reader.get<uint8_t>(), count = reader.get<uint8_t>();
  if (first + count > kDigits)
    throw DataError("{}: digits {} to {} of a sum of {} digits", what, first, first + count,
                    int{kDigits});
  LongAccumulator sum;
  for (size_t i = first; i < first + count; ++i) {
    const auto digit = static_cast<int64_t>(reader.get<uint32_t>());
    sum.digits_[i] = negative ? -digit : digit;
  }
  sum.settle();
  return sum;
}

bool operator==(const LongAccumulator& a, const LongAccumulator& b) {
  LongAccumulator x = a, y = b;
  x.settle();
  y.settle();
  return x.digits_ == y.digits_;
}

}  // namespace superstep::data
