#include "superstep/training/layer_input.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "superstep/models/testing.h"
#include "superstep/training/testing.h"

namespace superstep::training {
namespace {

using testing::bars_and_stripes;

constexpr int64_t kRows = 600;
constexpr int64_t kRowBytes = 6 * 4;  // of the six units below layer 1

// A net 16-6-4-2 on 600 pictures, with what its layer 1 sees.
struct Stack {
  Stack() : params(network.layout()) { models::testing::randomize(params, 4); }
  [[nodiscard]] LayerInput input(int layer, int64_t budget, bool labels = false) const {
    return {network, layer, source, budget, labels};
  }
  // Computed afresh, row by row.
  [[nodiscard]] std::vector<float> wanted(std::span<const int64_t> rows) {
    std::vector<float> all;
    for (const int64_t row : rows) {
      Batch batch;
      source->read(std::span(&row, 1), batch);
      const layers::Pass pass{layers::Mode::kEvaluate, RngKey(0), batch.row_numbers, context};
      const auto y = network.forward(params, batch.x.matrix(), 1, work, pass).row(0);
      all.insert(all.end(), y.begin(), y.end());
    }
    return all;
  }

  models::Network network = models::make_network(testing::Trial::config_of("dbn", {6, 4}), 16, 2);
  std::shared_ptr<const Source> source =
      std::make_shared<data::MatrixSource>(bars_and_stripes(kRows, 1));
  ParamSet params;
  kernels::Context context;
  models::Network::Workspace work;
};

std::vector<float> values_of(const Batch& batch) {
  const auto values = batch.x.values();
  return {values.begin(), values.end()};
}

// Batches of other sizes and orders, each seen more than once; rows on both sides of a small
// budget and of the blocks of 256 that memory is taken in.
const std::vector<std::vector<int64_t>> kBatches = {
    {0, 1, 2},   {300, 2, 599, 0, 255, 256, 257}, {2, 1, 0}, {299, 300, 301},
    {599, 0},    {300, 2, 599, 0, 255, 256, 257}, {5},       {301, 5, 2, 300, 4},
    {0, 1, 2, 3}};

TEST(LayerInput, GivesTheSameBytesWhateverTheBudget) {
  Stack stack;
  std::vector<int64_t> hits;
  for (const int64_t budget : {int64_t{0}, kRowBytes - 1, 300 * kRowBytes, int64_t{1} << 20}) {
    LayerInput input = stack.input(1, budget);
    Batch batch;
    for (const auto& rows : kBatches) {
      LayerInput::Reader reader = input.reader(stack.params, stack.context);
      reader.read(rows, batch);
      EXPECT_EQ(batch.row_numbers, rows);
      EXPECT_EQ(batch.x.shape(), Shape({static_cast<int64_t>(rows.size()), 6}));
      EXPECT_EQ(values_of(batch), stack.wanted(rows)) << budget;
    }
    hits.push_back(input.hits());
  }
  // Seen before, of 34 in all: 22 of any number, 13 of a number below 300.
  int64_t again = 0, again_below = 0;
  std::map<int64_t, int> seen;
  for (const auto& rows : kBatches)
    for (const int64_t row : rows)
      if (seen[row]++ > 0) {
        ++again;
        again_below += row < 300 ? 1 : 0;
      }
  EXPECT_EQ(hits, (std::vector<int64_t>{0, 0, again_below, again}));
  EXPECT_LT(again_below, again);
  EXPECT_GT(again_below, 0);
}

TEST(LayerInput, ForgetsWhenTheLayersBelowChangeAndNotOtherwise) {
  Stack stack;
  LayerInput input = stack.input(1, 1 << 20);
  const std::vector<int64_t> rows{3, 4, 5};
  Batch batch;
  const auto read = [&] {
    input.reader(stack.params, stack.context).read(rows, batch);
    EXPECT_EQ(values_of(batch), stack.wanted(rows));
    return input.hits();
  };
  EXPECT_EQ(read(), 0);
  EXPECT_EQ(read(), 3);
  stack.params.values("layer.1.weight")[0] += 1;  // of the layer itself: not below it
  stack.params.values("layer.2.bias")[0] += 1;
  EXPECT_EQ(read(), 6);
  stack.params.values("layer.0.weight")[5] += 1;
  EXPECT_EQ(read(), 6);
  EXPECT_EQ(read(), 9);
  stack.params.values("layer.0.bias")[0] += 1;
  EXPECT_EQ(read(), 9);
}

TEST(LayerInput, ForgetsWhenTold) {
  Stack stack;
  LayerInput input = stack.input(1, 1 << 20);
  const std::vector<int64_t> rows{3, 4, 5};
  Batch batch;
  LayerInput::Reader before = input.reader(stack.params, stack.context);
  before.read(rows, batch);
  input.forget();
  before.read(rows, batch);  // a reader at work has what it had
  EXPECT_EQ(values_of(batch), stack.wanted(rows));
  EXPECT_EQ(input.hits(), 3);
  input.reader(stack.params, stack.context).read(rows, batch);
  EXPECT_EQ(values_of(batch), stack.wanted(rows));
  EXPECT_EQ(input.hits(), 3);
}

// A reader goes on with the parameters that it was made for, beside one of newer ones.
TEST(LayerInput, KeepsApartReadersOfOtherParameters) {
  Stack old_one, new_one;
  new_one.params.values("layer.0.weight")[5] += 1;
  LayerInput input = old_one.input(1, 1 << 20);
  const std::vector<int64_t> rows{3, 4, 5};
  LayerInput::Reader a = input.reader(old_one.params, old_one.context);
  LayerInput::Reader b = input.reader(new_one.params, new_one.context);
  Batch batch;
  for (int times = 0; times < 2; ++times) {
    a.read(rows, batch);
    EXPECT_EQ(values_of(batch), old_one.wanted(rows));
    b.read(rows, batch);
    EXPECT_EQ(values_of(batch), new_one.wanted(rows));
  }
}

TEST(LayerInput, OfTheLowestLayerIsTheSource) {
  Stack stack;
  LayerInput input = stack.input(0, 1 << 20);
  Batch batch, plain;
  const std::vector<int64_t> rows{7, 3};
  input.reader(stack.params, stack.context).read(rows, batch);
  stack.source->read(rows, plain);
  EXPECT_EQ(values_of(batch), values_of(plain));
  EXPECT_EQ(batch.labels, plain.labels);
  EXPECT_EQ(input.hits(), 0);
}

TEST(LayerInput, HasLabelsWhereTheyAreAskedForKeptOrNot) {
  Stack stack;
  LayerInput input = stack.input(1, 5 * kRowBytes, true);
  const std::vector<int64_t> rows{7, 3, 4};
  Batch batch, plain;
  stack.source->read(rows, plain);
  for (int times = 0; times < 2; ++times) {
    input.reader(stack.params, stack.context).read(rows, batch);
    EXPECT_EQ(batch.labels, plain.labels);
    EXPECT_EQ(values_of(batch), stack.wanted(rows));
  }
  EXPECT_EQ(input.hits(), 2);  // rows 3 and 4, the second time
}

// Four threads read the same rows in other orders while these are being kept.
TEST(LayerInput, IsReadByManyThreadsAtOnce) {
  Stack stack;
  LayerInput input = stack.input(1, 400 * kRowBytes);
  const auto all = testing::numbers(0, kRows);
  const std::vector<float> wanted = stack.wanted(all);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      kernels::Context context;
      Batch batch;
      for (int64_t times = 0; times < 3; ++times) {
        std::vector<int64_t> order(kRows);
        fill_permutation(RngKey(static_cast<uint64_t>(t / 2 + 10 * times)), order);
        LayerInput::Reader reader = input.reader(stack.params, context);
        for (size_t begin = 0; begin < order.size(); begin += 20) {
          const auto rows = std::span<const int64_t>(order).subspan(begin, 20);
          reader.read(rows, batch);
          for (size_t r = 0; r < rows.size(); ++r)
            if (!std::ranges::equal(batch.x.matrix().row(static_cast<int64_t>(r)),
                                    std::span(wanted).subspan(static_cast<size_t>(6 * rows[r]), 6)))
              ++wrong;
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  // 400 rows are kept: of 12 passes at least the last 8 had them all, for each thread's first pass
  // had computed what was not there yet.
  EXPECT_GE(input.hits(), 8 * 400);
  EXPECT_LE(input.hits(), 11 * 400);
}

}  // namespace
}  // namespace superstep::training
