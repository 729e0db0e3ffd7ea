// The arithmetic against exact fractions is tests/exact_sum_oracle.py; here is what a reader should
// know of the sum, with numbers worked out by hand.
#include "superstep/reduce/exact_sum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <thread>

#include "superstep/base/floating_point.h"
#include "superstep/base/rng.h"

namespace superstep::reduce {
namespace {

std::shared_ptr<const ParamLayout> two_tensors() {
  return std::make_shared<const ParamLayout>(
      std::vector<ParamSpec>{{"weight", {5, 7}}, {"count", {3}}});
}

// The mean of `weight`, the sum of `count`.
UpdateSpec mean_and_sum() {
  UpdateSpec spec = UpdateSpec::means(two_tensors());
  spec.rules[1].combine = Combine::kSum;
  return spec;
}

// Each its own weight: 1, 2, 3, ...
struct Updates {
  explicit Updates(int n, const UpdateSpec& spec) {
    for (int i = 0; i < n; ++i) {
      ParamSet update(spec.layout);
      for (int t = 0; t < spec.layout->size(); ++t)
        fill_normal(RngKey(7).fold(static_cast<uint64_t>(t)), static_cast<uint64_t>(i),
                    update.values(t));
      sets.push_back(std::move(update));
      weights.push_back(i + 1);
      planned += i + 1;
    }
  }
  std::vector<ParamSet> sets;
  std::vector<int64_t> weights;
  int64_t planned = 0;
};

std::vector<int64_t> integers(const ExactSum& sum) {
  return {sum.integers().begin(), sum.integers().end()};
}

ParamSet one_value(const UpdateSpec& spec, float value) {
  ParamSet update(spec.layout);
  update.values(0)[0] = value;
  return update;
}

template <class ErrorType, class Function>
std::string message_of(Function&& function) {
  try {
    function();
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "no error";
}

TEST(ExactSum, IsTheWeightedMean) {
  const UpdateSpec spec = mean_and_sum();
  ExactSum sum(spec, 4, 2);
  ParamSet a(spec.layout), b(spec.layout);
  a.values(0)[3] = 1.0F;
  b.values(0)[3] = 2.0F;
  a.values(1)[2] = 10.0F;
  b.values(1)[2] = 0.5F;
  sum.add(a, 1);
  sum.add(b, 3);
  EXPECT_EQ(sum.value(0, 3), 1.75);  // (1 * 1 + 3 * 2) / 4
  EXPECT_EQ(sum.value(1, 2), 10.5);  // kSum: no weights, no division
  EXPECT_EQ(sum.value(0, 0), 0.0);
  EXPECT_EQ(sum.weight(), 4);
  EXPECT_EQ(sum.count(), 2);
}

TEST(ExactSum, ScalesByPlannedRowsAndUnits) {
  const UpdateSpec spec = mean_and_sum();
  const ExactSum sum(spec, 1000, 5);
  EXPECT_EQ(sum.scale(0), 62 - 10 - 10);  // 1000 rows: 2^10
  EXPECT_EQ(sum.scale(1), 62 - 10 - 3);   // 5 units: 2^3
  EXPECT_EQ(ExactSum(spec, 1024, 1).scale(0), 42);
  EXPECT_EQ(ExactSum(spec, 1025, 1).scale(0), 41);
  EXPECT_EQ(ExactSum(spec, 1, 1).scale(0), 52);
}

TEST(ExactSum, RoundsToEven) {
  // Planned for 1 row, S = 52: an integer is 2^-52, so 2^-53 is one half.
  const UpdateSpec spec = mean_and_sum();
  for (const auto& [value, wanted] : {std::pair{0x1p-53F, 0},
                                      {0x1.8p-52F, 2},
                                      {0x1.4p-51F, 2},
                                      {0x1.cp-51F, 4},
                                      {-0x1p-53F, 0},
                                      {-0x1.8p-52F, -2}}) {
    ExactSum sum(spec, 1, 1);
    sum.add(one_value(spec, value), 1);
    EXPECT_EQ(sum.integers()[0], wanted) << value;
  }
}

TEST(ExactSum, HoldsTheLargestWithoutOverflow) {
  // All rows at the limit of 2^10: the sum is 2^62, on both sides.
  const UpdateSpec spec = mean_and_sum();
  constexpr int64_t kWeight = (int64_t{1} << 29) - 1;
  for (const float value : {1024.0F, -1024.0F}) {
    ExactSum sum(spec, 1000 * kWeight, 1000);
    for (int i = 0; i < 1000; ++i) sum.add(one_value(spec, value), kWeight);
    EXPECT_EQ(sum.value(0, 0), static_cast<double>(value));
  }
}

TEST(ExactSum, DoesNotDependOnTheOrder) {
  const UpdateSpec spec = mean_and_sum();
  const Updates updates(50, spec);
  ExactSum forward(spec, updates.planned, 50), backward(spec, updates.planned, 50);
  for (size_t i = 0; i < 50; ++i) forward.add(updates.sets[i], updates.weights[i]);
  for (size_t i = 50; i-- > 0;) backward.add(updates.sets[i], updates.weights[i]);
  EXPECT_EQ(integers(forward), integers(backward));
  EXPECT_NE(integers(forward), std::vector<int64_t>(spec.layout->flat_size()));
}

TEST(ExactSum, DoesNotDependOnTheGrouping) {
  const UpdateSpec spec = mean_and_sum();
  const Updates updates(50, spec);
  ExactSum flat(spec, updates.planned, 50), tree(spec, updates.planned, 50);
  for (size_t i = 0; i < 50; ++i) flat.add(updates.sets[i], updates.weights[i]);
  for (size_t first = 0; first < 50; first += 7) {
    ExactSum part(spec, updates.planned, 50);
    for (size_t i = first; i < std::min<size_t>(first + 7, 50); ++i)
      part.add(updates.sets[i], updates.weights[i]);
    tree.add(ExactSum::from_bytes(spec, updates.planned, 50, part.to_bytes()));
  }
  EXPECT_EQ(integers(flat), integers(tree));
  EXPECT_EQ(tree.weight(), updates.planned);
  EXPECT_EQ(tree.count(), 50);
}

TEST(ExactSum, IsTheSameByRangesOnSeveralThreads) {
  const UpdateSpec spec = mean_and_sum();
  const Updates updates(20, spec);
  ExactSum whole(spec, updates.planned, 20), parts(spec, updates.planned, 20);
  for (size_t i = 0; i < 20; ++i) whole.add(updates.sets[i], updates.weights[i]);

  const size_t size = spec.layout->flat_size();
  parts.settle();
  std::vector<std::thread> threads;
  for (size_t k = 0; k < 5; ++k)  // cuts that fall inside tensors
    threads.emplace_back([&, k] {
      for (size_t i = 20; i-- > 0;)
        parts.add_range(updates.sets[i], updates.weights[i], size * k / 5, size * (k + 1) / 5);
    });
  for (std::thread& thread : threads) thread.join();
  for (const int64_t weight : updates.weights) parts.add_weight(weight);
  EXPECT_EQ(integers(whole), integers(parts));
  EXPECT_EQ(parts.weight(), whole.weight());
}

TEST(ExactSum, IsTheSameWhereDenormalsAreFlushed) {
  UpdateSpec spec = mean_and_sum();
  spec.rules[0].log2_limit = -60;  // the finest: 2^-122 is one
  const ParamSet tiny = one_value(spec, std::numeric_limits<float>::denorm_min() * 4e6F);
  ExactSum kept(spec, 1, 1), flushed(spec, 1, 1);
  kept.add(tiny, 1);
  const FloatingPointScope scope;
  flushed.add(tiny, 1);
  EXPECT_EQ(integers(kept), integers(flushed));
}

TEST(ExactSum, OfWeightZeroAddsNothing) {
  const UpdateSpec spec = mean_and_sum();
  ExactSum sum(spec, 0, 1);
  ParamSet update(spec.layout);
  update.fill(3.0F);
  sum.add(update, 0);
  EXPECT_EQ(integers(sum), std::vector<int64_t>(spec.layout->flat_size()));
  EXPECT_EQ(sum.value(0, 0), 0.0);
  EXPECT_EQ(sum.value(1, 0), 0.0);
  EXPECT_EQ(sum.count(), 1);
}

TEST(ExactSum, ValuesAreThoseOfValue) {
  const UpdateSpec spec = mean_and_sum();
  const Updates updates(9, spec);
  ExactSum sum(spec, updates.planned, 9);
  for (size_t i = 0; i < 9; ++i) sum.add(updates.sets[i], updates.weights[i]);
  for (int t = 0; t < 2; ++t) {
    std::vector<double> all(static_cast<size_t>(spec.layout->spec(t).shape.count()));
    sum.values(t, all);
    for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], sum.value(t, i));
  }
}

TEST(ExactSum, IsLikeNewAfterReset) {
  const UpdateSpec spec = mean_and_sum();
  const Updates updates(5, spec);
  ExactSum used(spec, updates.planned, 5);
  for (size_t i = 0; i < 5; ++i) used.add(updates.sets[i], updates.weights[i]);
  used.reset(3, 2);
  ExactSum fresh(spec, 3, 2);
  used.add(updates.sets[0], 3);
  fresh.add(updates.sets[0], 3);
  EXPECT_EQ(used.to_bytes(), fresh.to_bytes());
}

// Magnitudes from what rounds to zero to the limit of 2^10, both signs, both zeros.
ParamSet of_all_sizes(const UpdateSpec& spec) {
  ParamSet update(spec.layout);
  for (int t = 0; t < spec.layout->size(); ++t) {
    const auto values = update.values(t);
    fill_normal(RngKey(5), static_cast<uint64_t>(t), values);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = std::ldexp(std::clamp(values[i], -1.0F, 1.0F), 10 - 2 * static_cast<int>(i));
    values[0] = t == 0 ? 1024.0F : 0.0F;
    values[1] = t == 0 ? -1024.0F : -0.0F;
  }
  return update;
}

TEST(ExactSum, OfOneUpdateIsTheSameTakenOrAdded) {
  UpdateSpec spec = mean_and_sum();
  // Weights that divide evenly and do not; 2^29 - 1 needs all 53 bits of the product.
  for (const int64_t weight : {1, 3, 64, 5000, (1 << 29) - 1})
    for (const int64_t planned : {weight, 7 * weight})
      for (const int log2_limit : {10, 30, 60}) {
        spec.rules[0].log2_limit = log2_limit;
        ExactSum added(spec, planned, 3), taken(spec, planned, 3);
        ParamSet update = of_all_sizes(spec);
        added.add(update, weight);
        ASSERT_TRUE(taken.try_take(update, weight));
        for (int t = 0; t < 2; ++t)
          for (int64_t i = 0; i < spec.layout->spec(t).shape.count(); ++i) {
            const double a = added.value(t, static_cast<size_t>(i));
            const double b = taken.value(t, static_cast<size_t>(i));
            // The bits: 0.0 and -0.0 differ.
            EXPECT_EQ(std::bit_cast<uint64_t>(a), std::bit_cast<uint64_t>(b))
                << "weight " << weight << ", element " << i << ": " << a << " and " << b;
          }
        EXPECT_EQ(taken.weight(), weight);
        EXPECT_EQ(taken.count(), 1);
        taken.settle();
        EXPECT_EQ(integers(added), integers(taken));
        EXPECT_EQ(added.to_bytes(), taken.to_bytes());
      }
}

TEST(ExactSum, TakesTheFirstUpdateThatWeighsSomethingAndAddsTheRest) {
  const UpdateSpec spec = mean_and_sum();
  Updates updates(3, spec);
  ExactSum added(spec, 6, 5), taken(spec, 6, 5);
  for (size_t i = 0; i < 3; ++i) added.add(updates.sets[i], updates.weights[i]);
  ParamSet nothing(spec.layout);
  added.add(nothing, 0);
  added.add(nothing, 0);

  EXPECT_TRUE(taken.try_take(nothing, 0));
  EXPECT_EQ(taken.value(0, 0), 0.0);
  EXPECT_TRUE(taken.try_take(updates.sets[0], 1));
  EXPECT_TRUE(taken.try_take(nothing, 0));
  EXPECT_FALSE(taken.try_take(updates.sets[1], 2));
  taken.add(updates.sets[1], 2);
  EXPECT_FALSE(taken.try_take(updates.sets[2], 3));
  taken.add(updates.sets[2], 3);
  EXPECT_EQ(added.to_bytes(), taken.to_bytes());
  EXPECT_EQ(taken.count(), 5);
}

TEST(ExactSum, TakesAllUpdatesOfAFewUnits) {
  UpdateSpec spec = UpdateSpec::means(
      std::make_shared<const ParamLayout>(std::vector<ParamSpec>{{"w", {13, 100}}, {"n", {3}}}));
  spec.rules[1].combine = Combine::kSum;
  for (const int count : {2, 3, 4}) {
    Updates updates(count, spec);
    const auto units = static_cast<size_t>(count);
    ExactSum added(spec, updates.planned, count), taken(spec, updates.planned, count);
    for (size_t i = 0; i < units; ++i) added.add(updates.sets[i], updates.weights[i]);
    // In another order: a sum does not know it.
    for (size_t i = units; i-- > 0;)
      ASSERT_TRUE(taken.try_take(updates.sets[i], updates.weights[i])) << units << ", " << i;
    for (int t = 0; t < 2; ++t) {
      const auto size = static_cast<size_t>(spec.layout->spec(t).shape.count());
      for (const size_t first : {size_t{0}, size / 2}) {
        std::vector<double> wanted(size - first), got(size - first);
        added.values(t, wanted, first);
        taken.values(t, got, first);
        EXPECT_EQ(wanted, got) << units << " units, tensor " << t << " from " << first;
      }
    }
    taken.settle();
    EXPECT_EQ(added.to_bytes(), taken.to_bytes());
  }
}

TEST(ExactSum, GivesTheMemoryOfTheUpdateBeforeForTheOneItTakes) {
  const UpdateSpec spec = mean_and_sum();
  ExactSum sum(spec, 1, 1);
  ParamSet first = one_value(spec, 1.0F), second = one_value(spec, 2.0F);
  const float* memory = first.flat().data();
  EXPECT_TRUE(sum.try_take(first, 1));
  sum.reset(1, 1);
  EXPECT_EQ(sum.value(0, 0), 0.0);
  EXPECT_TRUE(sum.try_take(second, 1));
  EXPECT_EQ(sum.value(0, 0), 2.0);
  EXPECT_EQ(second.flat().data(), memory);
}

TEST(ExactSumDeathTest, AnUpdateThatWasTakenIsNoIntegersYet) {
  const UpdateSpec spec = mean_and_sum();
  ExactSum sum(spec, 1, 1), other(spec, 1, 1);
  ParamSet update = one_value(spec, 1.0F);
  ASSERT_TRUE(sum.try_take(update, 1));
  EXPECT_DEATH((void)sum.integers(), "settled");
  EXPECT_DEATH((void)sum.to_bytes(), "settled");
  EXPECT_DEATH(sum.add_range(update, 1, 0, 1), "settled");
  EXPECT_DEATH(other.add(sum), "settled");
}

TEST(ExactSum, ValuesOfAPartAreThoseOfTheWhole) {
  const UpdateSpec spec = mean_and_sum();
  Updates updates(1, spec);
  ExactSum sum(spec, 1, 1);
  ASSERT_TRUE(sum.try_take(updates.sets[0], 1));
  std::vector<double> whole(35), part(20);
  sum.values(0, whole);
  sum.values(0, part, 15);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 15));
}

TEST(ExactSumDeathTest, CountsAreAsserted) {
  const UpdateSpec spec = mean_and_sum();
  const ParamSet update(spec.layout);
  ExactSum sum(spec, 10, 2);
  sum.add(update, 6);
  EXPECT_DEATH(sum.add(update, 5), "weight");  // 11 rows of 10
  EXPECT_DEATH(sum.add(update, -1), "weight");
  EXPECT_DEATH(sum.add(ParamSet({{"other", {38}}}), 1), "same_tensors");
  sum.add(update, 4);
  EXPECT_DEATH(sum.add(update, 0), "count");  // the third of two
  EXPECT_DEATH(ExactSum(spec, int64_t{1} << 40, 9).add(update, 1 << 29), "weight");
}

TEST(CheckUpdate, NamesTensorElementAndValue) {
  const UpdateSpec spec = mean_and_sum();
  ParamSet update(spec.layout);
  update.values(0)[34] = -1024.0F;
  update.values(1)[2] = 1024.0F;
  EXPECT_NO_THROW(check_update(spec, update));

  const float too_large = std::nextafter(1024.0F, 2000.0F);
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {too_large, -too_large, infinity, -infinity, std::nanf("")}) {
    update.values(0)[34] = bad;
    const std::string message = message_of<NumericError>([&] { check_update(spec, update); });
    EXPECT_NE(message.find("'weight' (5, 7)"), std::string::npos) << message;
    EXPECT_NE(message.find("element 34"), std::string::npos) << message;
    EXPECT_NE(message.find(fmt::format("is {}", bad)), std::string::npos) << message;
    EXPECT_NE(message.find("2^10"), std::string::npos) << message;
  }
}

TEST(CheckUpdate, TakesTheLimitOfEachTensor) {
  UpdateSpec spec = mean_and_sum();
  spec.rules[1].log2_limit = 12;
  ParamSet update(spec.layout);
  update.values(1)[0] = 4096.0F;
  EXPECT_NO_THROW(check_update(spec, update));
  update.values(1)[0] = 4097.0F;
  EXPECT_THROW(check_update(spec, update), NumericError);
}

// A sum of one update of 3 rows, all 1.0, planned for 8 rows in 2 units.
Bytes damaged(size_t at, int64_t value) {
  const UpdateSpec spec = mean_and_sum();
  ExactSum sum(spec, 8, 2);
  ParamSet update(spec.layout);
  for (int t = 0; t < 2; ++t) std::fill(update.values(t).begin(), update.values(t).end(), 1.0F);
  sum.add(update, 3);
  Bytes bytes = sum.to_bytes();
  std::memcpy(bytes.data() + at, &value, sizeof value);
  return bytes;
}

TEST(ExactSum, DamagedBytesAreAnErrorAndNoSum) {
  const UpdateSpec spec = mean_and_sum();
  const auto read = [&](std::string_view bytes) {
    return message_of<DataError>([&] { (void)ExactSum::from_bytes(spec, 8, 2, bytes); });
  };
  const Bytes good = damaged(0, 8);
  EXPECT_EQ(read(good), "no error");
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_NE(read(good.substr(0, length)), "no error") << length;
  EXPECT_NE(read(good + "x").find("left over"), std::string::npos);
  // In order: rows planned, units, rows, updates, length, integers.
  EXPECT_NE(read(damaged(0, 9)).find("made for 9 rows"), std::string::npos);
  EXPECT_NE(read(damaged(8, 3)).find("in 3 units"), std::string::npos);
  EXPECT_NE(read(damaged(16, 9)).find("holds 9 rows"), std::string::npos);
  EXPECT_NE(read(damaged(16, -1)).find("holds -1 rows"), std::string::npos);
  EXPECT_NE(read(damaged(24, 3)).find("holds 3 updates"), std::string::npos);
  EXPECT_NE(read(damaged(32, 1)).find("array of 1 values"), std::string::npos);
  // 3 of 8 rows can come to 3/8 of 2^62, and the rounding of 1 update.
  const int64_t most = 3 * (int64_t{1} << 59) + 1;
  EXPECT_EQ(read(damaged(40, most)), "no error");
  EXPECT_NE(read(damaged(40, most + 1)).find("'weight', flat element 0"), std::string::npos);
  EXPECT_NE(read(damaged(40, std::numeric_limits<int64_t>::min())), "no error");
  EXPECT_NE(read(damaged(40 + 8 * 35, 1)), "no error");  // padding after 5 x 7 elements
  EXPECT_NE(read(damaged(good.size() - 8, 1)), "no error");
}

}  // namespace
}  // namespace superstep::reduce
