#include "superstep/reduce/exact_sum.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "superstep/base/error.h"
#include "superstep/reduce/clones.h"

namespace superstep::reduce {
namespace {

constexpr int kMaxLog2Limit = 60;
constexpr int64_t kMaxWeight = int64_t{1} << 29;  // double(float) * w is exact below it
constexpr int64_t kMaxPlannedWeight = int64_t{1} << 62;
constexpr std::string_view kWhat = "exact sum";
constexpr size_t kPiece = 512;  // elements whose sums stay in the cache of a core

// Adding 1.5 * 2^52 to x, |x| <= 2^51, leaves round_to_even(x) in the low bits of the double.
constexpr double kRounder = 0x1.8p52;

// round_to_even(product), for |product| <= 2^62. It is cut into high * 2^32 + low, both exact;
// high * 2^32 is even, so rounding low rounds the product.
inline uint64_t to_fixed_point(double product) {
  const double high_rounded = product * 0x1p-32 + kRounder;
  const double low = product - (high_rounded - kRounder) * 0x1p32;
  // The bits of kRounder itself leave the word on the left, and are taken off on the right.
  const uint64_t high_bits = std::bit_cast<uint64_t>(high_rounded) << 32;
  const uint64_t low_bits =
      std::bit_cast<uint64_t>(low + kRounder) - std::bit_cast<uint64_t>(kRounder);
  return high_bits + low_bits;
}

// sums[i] = round_to_even(d[i] * factor)
SUPERSTEP_CLONES void store_products(const float* d, double factor, int64_t* sums, size_t n) {
  for (size_t i = 0; i < n; ++i)
    sums[i] = static_cast<int64_t>(to_fixed_point(static_cast<double>(d[i]) * factor));
}

// sums[i] += round_to_even(d[i] * factor)
SUPERSTEP_CLONES void add_products(const float* d, double factor, int64_t* sums, size_t n) {
  for (size_t i = 0; i < n; ++i)
    sums[i] = static_cast<int64_t>(static_cast<uint64_t>(sums[i]) +
                                   to_fixed_point(static_cast<double>(d[i]) * factor));
}

// out[i] = round_to_even(d[i] * factor) * unit / divisor, without a detour over integers: a double
// of 2^52 and more is an integer already, and adding 2^52 to a smaller one rounds it.
SUPERSTEP_CLONES void divide_products(const float* d, double factor, double unit, double divisor,
                                      double* out, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const double product = static_cast<double>(d[i]) * factor;
    const double size = std::fabs(product);
    const double rounded = size < 0x1p52 ? (size + 0x1p52) - 0x1p52 : size;
    // An integer 0 has no sign: adding 0.0 takes it from a product that came to -0.0.
    const double whole = std::copysign(rounded, product) + 0.0;
    out[i] = whole * unit / divisor;
  }
}

SUPERSTEP_CLONES void add_integers(const int64_t* from, int64_t* sums, size_t n) {
  for (size_t i = 0; i < n; ++i) sums[i] += from[i];
}

// How many elements are not finite or too large; NaN fails every comparison.
SUPERSTEP_CLONES uint32_t count_bad(const float* d, float limit, size_t n) {
  uint32_t bad = 0;
  for (size_t i = 0; i < n; ++i) bad += std::fabs(d[i]) <= limit ? 0U : 1U;
  return bad;
}

SUPERSTEP_CLONES void divide(const int64_t* sums, double unit, double divisor, double* out,
                             size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<double>(sums[i]) * unit / divisor;
}

int ceil_log2(int64_t n) {
  return n <= 1 ? 0 : static_cast<int>(std::bit_width(static_cast<uint64_t>(n - 1)));
}

size_t count_of(const ParamLayout& layout, int tensor) {
  return static_cast<size_t>(layout.spec(tensor).shape.count());
}

bool same_tensors(const std::shared_ptr<const ParamLayout>& a,
                  const std::shared_ptr<const ParamLayout>& b) {
  return a == b || a->specs() == b->specs();
}

}  // namespace

UpdateSpec UpdateSpec::means(std::shared_ptr<const ParamLayout> layout) {
  std::vector<TensorRule> rules(static_cast<size_t>(layout->size()));
  return {std::move(layout), std::move(rules)};
}

void check_update(const UpdateSpec& spec, const ParamSet& update) {
  SUPERSTEP_ASSERT(same_tensors(spec.layout, update.shared_layout()));
  for (int t = 0; t < spec.layout->size(); ++t) {
    const int log2_limit = spec.rules.at(static_cast<size_t>(t)).log2_limit;
    const float limit = std::ldexp(1.0F, log2_limit);
    const std::span<const float> values = update.values(t);
    if (count_bad(values.data(), limit, values.size()) == 0) continue;
    const auto bad = std::find_if(values.begin(), values.end(),
                                  [&](float v) { return !(std::fabs(v) <= limit); });
    throw NumericError(
        "[reduce] the update of '{}' {}: element {} is {}, wanted a finite number of at most 2^{} "
        "in "
        "magnitude; a smaller learning rate usually mends this",
        spec.layout->spec(t).name, spec.layout->spec(t).shape.to_string(), bad - values.begin(),
        *bad, log2_limit);
  }
}

ExactSum::ExactSum(UpdateSpec spec, int64_t planned_weight, int64_t units)
    : spec_(std::move(spec)), scales_(spec_.rules.size()) {
  SUPERSTEP_ASSERT(static_cast<int>(spec_.rules.size()) == spec_.layout->size());
  for (const TensorRule& rule : spec_.rules)
    SUPERSTEP_ASSERT(std::abs(rule.log2_limit) <= kMaxLog2Limit);
  reset(planned_weight, units);
}

void ExactSum::reset(int64_t planned_weight, int64_t units) {
  SUPERSTEP_ASSERT(planned_weight >= 0 && planned_weight <= kMaxPlannedWeight);
  SUPERSTEP_ASSERT(units >= 0 && units <= kMaxPlannedWeight);
  planned_weight_ = planned_weight;
  units_ = units;
  weight_ = count_ = 0;
  for (size_t t = 0; t < scales_.size(); ++t) {
    const TensorRule& rule = spec_.rules[t];
    const int64_t most = rule.combine == Combine::kMean ? planned_weight : units;
    scales_[t] = 62 - rule.log2_limit - ceil_log2(most);
  }
  settled_ = false;
  takes_ = 0;
}

double ExactSum::factor(int tensor, int64_t weight) const {
  const bool by_rows = spec_.rules.at(static_cast<size_t>(tensor)).combine == Combine::kMean;
  return std::ldexp(by_rows ? static_cast<double>(weight) : 1.0, scale(tensor));
}

void ExactSum::add(const ParamSet& update, int64_t weight) {
  settle();
  add_range(update, weight, 0, sums_.size());
  add_weight(weight);
}

bool ExactSum::try_take(ParamSet& update, int64_t weight) {
  SUPERSTEP_ASSERT(same_tensors(spec_.layout, update.shared_layout()));
  SUPERSTEP_ASSERT(weight >= 0 && weight < kMaxWeight);
  if (weight > 0) {
    const size_t most = units_ <= static_cast<int64_t>(kMostTaken) ? kMostTaken : 1;
    if (settled_ || takes_ == most) return false;
    Taken& taken = taken_[takes_++];
    std::swap(taken.update, update);
    taken.weight = weight;
  }
  add_weight(weight);
  return true;
}

void ExactSum::settle() {
  if (settled_) return;
  settled_ = true;
  if (sums_.empty()) sums_.resize(spec_.layout->flat_size());
  for (int t = 0; t < spec_.layout->size(); ++t)
    sum_products(t, 0, {sums_.data() + spec_.layout->offset(t), count_of(*spec_.layout, t)});
  takes_ = 0;
}

// sums = the taken updates' elements of a tensor, from `first` on.
void ExactSum::sum_products(int tensor, size_t first, std::span<int64_t> sums) const {
  if (takes_ == 0) std::ranges::fill(sums, 0);
  for (const Taken& taken : std::span(taken_).first(takes_)) {
    const float* values = taken.update.values(tensor).data() + first;
    const auto work = &taken == taken_.data() ? store_products : add_products;
    work(values, factor(tensor, taken.weight), sums.data(), sums.size());
  }
}

void ExactSum::add_range(const ParamSet& update, int64_t weight, size_t begin, size_t end) {
  SUPERSTEP_ASSERT(settled_);
  SUPERSTEP_ASSERT(same_tensors(spec_.layout, update.shared_layout()));
  SUPERSTEP_ASSERT(weight >= 0 && weight < kMaxWeight);
  SUPERSTEP_ASSERT(begin <= end && end <= sums_.size());
  if (weight == 0) return;
  const ParamLayout& layout = *spec_.layout;
  for (int t = 0; t < layout.size(); ++t) {
    const size_t from = std::max(begin, layout.offset(t));
    const size_t to = std::min(end, layout.offset(t) + count_of(layout, t));
    if (from >= to) continue;
    add_products(update.flat().data() + from, factor(t, weight), sums_.data() + from, to - from);
  }
}

void ExactSum::add_weight(int64_t weight) {
  SUPERSTEP_ASSERT(weight >= 0 && weight <= planned_weight_ - weight_);
  SUPERSTEP_ASSERT(count_ < units_);
  weight_ += weight;
  ++count_;
}

void ExactSum::add(const ExactSum& other) {
  SUPERSTEP_ASSERT(same_tensors(spec_.layout, other.spec_.layout));
  SUPERSTEP_ASSERT(scales_ == other.scales_ && spec_.rules == other.spec_.rules);
  SUPERSTEP_ASSERT(other.weight_ <= planned_weight_ - weight_);
  SUPERSTEP_ASSERT(other.count_ <= units_ - count_);
  SUPERSTEP_ASSERT(other.settled_);
  settle();
  add_integers(other.sums_.data(), sums_.data(), sums_.size());
  weight_ += other.weight_;
  count_ += other.count_;
}

double ExactSum::value(int tensor, size_t element) const {
  double out = 0;
  values(tensor, {&out, 1}, element);
  return out;
}

void ExactSum::values(int tensor, std::span<double> out, size_t first) const {
  const size_t count = count_of(*spec_.layout, tensor);
  SUPERSTEP_ASSERT(first <= count && out.size() <= count - first);
  const bool by_rows = spec_.rules.at(static_cast<size_t>(tensor)).combine == Combine::kMean;
  const double divisor = by_rows ? static_cast<double>(std::max<int64_t>(weight_, 1)) : 1.0;
  const double unit = std::ldexp(1.0, -scale(tensor));
  if (settled_)
    divide(sums_.data() + spec_.layout->offset(tensor) + first, unit, divisor, out.data(),
           out.size());
  else if (takes_ == 1)
    divide_products(taken_[0].update.values(tensor).data() + first,
                    factor(tensor, taken_[0].weight), unit, divisor, out.data(), out.size());
  else
    for (size_t begin = 0; begin < out.size(); begin += kPiece) {
      std::array<int64_t, kPiece> sums;
      const size_t n = std::min(kPiece, out.size() - begin);
      sum_products(tensor, first + begin, std::span(sums).first(n));
      divide(sums.data(), unit, divisor, out.data() + begin, n);
    }
}

std::span<const int64_t> ExactSum::integers() const {
  SUPERSTEP_ASSERT(settled_);
  return sums_;
}

Bytes ExactSum::to_bytes() const {
  ByteWriter writer;
  writer.put(planned_weight_);
  writer.put(units_);
  writer.put(weight_);
  writer.put(count_);
  writer.put_array(integers());
  return std::move(writer).take();
}

ExactSum ExactSum::from_bytes(UpdateSpec spec, int64_t planned_weight, int64_t units,
                              std::string_view bytes) {
  ExactSum sum(std::move(spec), planned_weight, units);
  sum.settle();
  ByteReader reader(bytes, kWhat);
  const auto planned_there = reader.get<int64_t>();
  const auto units_there = reader.get<int64_t>();
  if (planned_there != planned_weight || units_there != units)
    throw DataError("{}: made for {} rows in {} units, wanted {} rows in {} units", kWhat,
                    planned_there, units_there, planned_weight, units);
  sum.weight_ = reader.get<int64_t>();
  sum.count_ = reader.get<int64_t>();
  if (sum.weight_ < 0 || sum.weight_ > planned_weight)
    throw DataError("{}: holds {} rows, wanted 0 to {}", kWhat, sum.weight_, planned_weight);
  if (sum.count_ < 0 || sum.count_ > units)
    throw DataError("{}: holds {} updates, wanted 0 to {}", kWhat, sum.count_, units);
  reader.get_array(std::span(sum.sums_.data(), sum.sums_.size()));
  reader.finish();

  // What `weight` rows in `count` updates can come to; more would overflow where sums meet.
  const ParamLayout& layout = *sum.spec_.layout;
  size_t next = 0;  // the first element that no tensor has answered for: padding lies between
  for (int t = 0; t < layout.size(); ++t) {
    const TensorRule& rule = sum.spec_.rules[static_cast<size_t>(t)];
    const int64_t held = rule.combine == Combine::kMean ? sum.weight_ : sum.count_;
    const int64_t bound = (held << (rule.log2_limit + sum.scale(t))) + sum.count_;
    const size_t begin = layout.offset(t), end = begin + count_of(layout, t);
    for (size_t i = next; i < end; ++i) {
      const int64_t v = sum.sums_[i], limit = i < begin ? 0 : bound;
      if (v > limit || v < -limit)
        throw DataError(
            "{}: tensor '{}', flat element {}: holds {}, wanted at most {} in magnitude", kWhat,
            layout.spec(t).name, i, v, limit);
    }
    next = end;
  }
  for (size_t i = next; i < sum.sums_.size(); ++i)
    if (sum.sums_[i] != 0) throw DataError("{}: padding {} holds {}", kWhat, i, sum.sums_[i]);
  return sum;
}

}  // namespace superstep::reduce
