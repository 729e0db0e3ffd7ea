// The exact sum: updates are added as 64-bit fixed point, so that the order, the grouping and the
// number of those who add cannot change a bit of the result.
//
//   UpdateSpec spec = {layout, {{Combine::kMean, 10}, ...}};
//   ExactSum sum(spec, planned_weight, units);
//   check_update(spec, update);               // |d| <= 2^E, finite; else NumericError
//   sum.add(update, weight);                  // in any order
//   sum.add(other_sum);                       // in any grouping
//   double mean = sum.value(tensor, element);
//
// An element d of weight w (rows) adds round_to_even(double(d) * w * 2^S) as int64, with
// S = 62 - E - ceil(log2 W) for W rows planned over all units: it cannot overflow, and the product
// is exact for w < 2^29. Mean = double(sum) * 2^-S / sum of w.
//
// Limits: E from -60 to 60, so that a denormal d rounds to 0 whether or not the thread flushes
// denormals; rounding must be to nearest (the default). The mean of n updates is off by at most
// n * 2^(E - 62) where all planned rows come: 2^-52 for each update with the default E.
//
// Where there is one update there is nothing to add: try_take() keeps it as it is (it would also
// travel as float32), and value() rounds it as the integers would have been. settle() turns it to
// integers once another comes. No number depends on which way it went.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "superstep/base/bytes.h"
#include "superstep/tensor/param_set.h"

namespace superstep::reduce {

/// How the updates of one tensor become one.
enum class Combine : uint8_t {
  kMean,  ///< Over rows: every update weighs as many rows as it was made from.
  kSum,   ///< Added up: every update has weight one and nothing is divided.
};

/// How one tensor of an update is summed.
struct TensorRule {
  Combine combine = Combine::kMean;
  int log2_limit = 10;  ///< E: every element must be at most 2^E in magnitude; -60 to 60.
  friend bool operator==(const TensorRule&, const TensorRule&) = default;
};

/// What the updates of a round hold: named tensors and a rule for each, in the layout's order.
struct UpdateSpec {
  std::shared_ptr<const ParamLayout> layout;
  std::vector<TensorRule> rules;

  /// The mean over rows of every tensor of `layout`.
  static UpdateSpec means(std::shared_ptr<const ParamLayout> layout);
};

/// Throws NumericError naming tensor, element and value where an element is not finite or too
/// large.
void check_update(const UpdateSpec& spec, const ParamSet& update);

class ExactSum {
 public:
  /// `planned_weight`: W, the sum of the planned weights of all units, each below 2^29; at most
  /// 2^62 (0 counts as 1). `units`: how many updates may be added (what scales tensors of
  /// Combine::kSum).
  ExactSum(UpdateSpec spec, int64_t planned_weight, int64_t units);
  /// Back to an empty sum of the same tensors, in the same memory: a superstep begins.
  void reset(int64_t planned_weight, int64_t units);

  /// Adds one update of this weight (rows). The update must have passed check_update. Weight 0 adds
  /// nothing but a count, whatever the elements are. More updates or rows than planned: an
  /// assertion.
  void add(const ParamSet& update, int64_t weight);
  /// Adds an update without arithmetic, by exchanging memory: all of a sum of few units (their
  /// values are added when they are asked for, by whoever asks), else the first one. `update` then
  /// holds what the memory last held, of the same layout or of none. False, and nothing done, where
  /// the sum holds integers or as many updates as it takes.
  [[nodiscard]] bool try_take(ParamSet& update, int64_t weight);
  /// From now on the sum is held as integers, which what follows down to add_weight() needs.
  void settle();
  /// Adds elements [begin, end) of the flat buffer alone, so that several threads may add at once
  /// where their ranges do not meet; then add_weight once an update, on one thread.
  void add_range(const ParamSet& update, int64_t weight, size_t begin, size_t end);
  void add_weight(int64_t weight);
  /// Adds what another sum of the same spec and scale holds; that one must be settled.
  void add(const ExactSum& other);

  [[nodiscard]] const UpdateSpec& spec() const { return spec_; }
  /// The rows of all updates added.
  [[nodiscard]] int64_t weight() const { return weight_; }
  /// The updates added, those of weight 0 included.
  [[nodiscard]] int64_t count() const { return count_; }
  /// The mean (Combine::kMean) or sum (Combine::kSum) of an element; 0 where no row was added.
  [[nodiscard]] double value(int tensor, size_t element) const;
  /// Of a whole tensor, or a part of it: out[i] = value(tensor, first + i).
  void values(int tensor, std::span<double> out, size_t first = 0) const;
  /// The fixed-point integers, for transports and tests. The sum must be settled.
  [[nodiscard]] std::span<const int64_t> integers() const;
  /// S of a tensor: an integer stands for integer * 2^-S.
  [[nodiscard]] int scale(int tensor) const { return scales_.at(static_cast<size_t>(tensor)); }
  [[nodiscard]] int64_t planned_weight() const { return planned_weight_; }
  [[nodiscard]] int64_t units() const { return units_; }

  /// The wire form of a sum of three or more (int64; settled), and back. Throws DataError where the
  /// bytes are cut short, too long, of another scale, or hold what these updates cannot have come
  /// to.
  [[nodiscard]] Bytes to_bytes() const;
  static ExactSum from_bytes(UpdateSpec spec, int64_t planned_weight, int64_t units,
                             std::string_view bytes);

 private:
  /// An update that is not in the integers; of weight 0, memory alone.
  struct Taken {
    ParamSet update;
    int64_t weight = 0;
  };
  static constexpr size_t kMostTaken = 4;  // two of them are as large as the integers

  [[nodiscard]] double factor(int tensor, int64_t weight) const;
  void sum_products(int tensor, size_t first, std::span<int64_t> sums) const;

  UpdateSpec spec_;
  std::vector<int> scales_;
  AlignedVector<int64_t> sums_;  // of what lies between tensors always 0
  bool settled_ = false;         // sums_ holds the sum; else it is left over from an earlier one
  std::array<Taken, kMostTaken> taken_;
  size_t takes_ = 0;  // how many of taken_ are in the sum
  int64_t planned_weight_ = 0, units_ = 0;
  int64_t weight_ = 0, count_ = 0;
};

}  // namespace superstep::reduce
