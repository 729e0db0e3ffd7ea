#include "superstep/data/dealing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "superstep/base/error.h"

namespace superstep::data {
namespace {

std::vector<int64_t> rows_of(int64_t count) {
  std::vector<int64_t> rows(static_cast<size_t>(count));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = 3 * static_cast<int64_t>(i) + 1;
  return rows;
}

TEST(RoleOf, GivesEachRoleItsShare) {
  // 100,000 rows: 20% test, 10% of the rest valid; 4 standard deviations are 506 and 360.
  int64_t test = 0, valid = 0;
  for (int64_t row = 0; row < 100'000; ++row) {
    const Role role = role_of(5, row, 0.1, 0.2);
    test += role == Role::kTest;
    valid += role == Role::kValid;
  }
  EXPECT_NEAR(static_cast<double>(test), 20'000, 506);
  EXPECT_NEAR(static_cast<double>(valid), 8'000, 360);
}

TEST(RoleOf, HoldsNothingOutWhenNothingIsWanted) {
  for (int64_t row = 0; row < 1000; ++row) EXPECT_EQ(role_of(1, row, 0, 0), Role::kTrain);
}

TEST(RoleOf, KeepsTheTestRowsWhenTheShareToChooseByChanges) {
  for (int64_t row = 0; row < 1000; ++row)
    EXPECT_EQ(role_of(1, row, 0.1, 0.3) == Role::kTest, role_of(1, row, 0.5, 0.3) == Role::kTest);
}

TEST(RoleOf, StaysAsItIs) {
  // Model files depend on it: the first ten test rows of seed 1.
  std::vector<int64_t> test;
  for (int64_t row = 0; test.size() < 10; ++row)
    if (role_of(1, row, 0.1, 0.2) == Role::kTest) test.push_back(row);
  EXPECT_EQ(test, (std::vector<int64_t>{1, 3, 8, 13, 14, 15, 17, 20, 25, 31}));
}

TEST(Dealing, GivesEveryRowOnceAnEpoch) {
  for (const int64_t count : {7, 64, 1149, 20'000})
    for (const int64_t replicas : {1, 2, 7}) {
      const std::vector<int64_t> rows = rows_of(count);
      const Dealing dealing(rows, replicas, 10, 3);
      for (const int64_t epoch : {0, 1}) {
        std::vector<int64_t> all;
        for (int64_t replica = 0; replica < replicas; ++replica) {
          const auto order = dealing.order(replica, epoch, RngKey(9));
          EXPECT_EQ(static_cast<int64_t>(order.size()), dealing.rows(replica));
          EXPECT_FALSE(order.empty());
          all.insert(all.end(), order.begin(), order.end());
        }
        std::sort(all.begin(), all.end());
        EXPECT_EQ(all, rows) << count << " rows, " << replicas << " replicas";
      }
    }
}

TEST(Dealing, BalancesWithinOneBlock) {
  for (const int64_t replicas : {2, 4, 7}) {
    const Dealing dealing(rows_of(60'001), replicas, 100, 1);
    int64_t least = 60'001, most = 0;
    for (int64_t r = 0; r < replicas; ++r) {
      least = std::min(least, dealing.rows(r));
      most = std::max(most, dealing.rows(r));
    }
    EXPECT_LE(most - least, dealing.block_rows());
  }
}

TEST(Dealing, ChoosesTheBlock) {
  EXPECT_EQ(Dealing(rows_of(60'000), 8, 100, 1).block_rows(), 118);  // ceil(60,000 / 512)
  EXPECT_EQ(Dealing(rows_of(1'000), 4, 10, 1).block_rows(), 10);     // a minibatch
  EXPECT_EQ(Dealing(rows_of(150), 4, 100, 1).block_rows(), 37);      // a block a replica
}

TEST(Dealing, ShufflesAnewEachEpochAndBySeed) {
  const Dealing dealing(rows_of(1'000), 2, 10, 1);
  EXPECT_NE(dealing.order(0, 0, RngKey(1)), dealing.order(0, 1, RngKey(1)));
  EXPECT_NE(dealing.order(0, 0, RngKey(1)), dealing.order(0, 0, RngKey(2)));
  EXPECT_EQ(dealing.order(0, 3, RngKey(1)), dealing.order(0, 3, RngKey(1)));
  EXPECT_NE(dealing.order(0, 0, RngKey(1)),
            Dealing(rows_of(1'000), 2, 10, 2).order(0, 0, RngKey(1)));
}

TEST(Dealing, ReadsLargeDataInWindows) {
  // 400,000 rows, blocks of 6,250: windows of 11 blocks, so the first 68,750 rows are 11 blocks.
  const Dealing dealing(rows_of(400'000), 1, 10, 1);
  ASSERT_EQ(dealing.block_rows(), 6'250);
  const auto order = dealing.order(0, 0, RngKey(1));
  std::vector<bool> blocks(64);
  for (size_t i = 0; i < 68'750; ++i) blocks[static_cast<size_t>(order[i] / 3 / 6'250)] = true;
  EXPECT_EQ(std::count(blocks.begin(), blocks.end(), true), 11);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.begin() + 1000));
}

TEST(Dealing, WantsARowForEachReplica) {
  EXPECT_THROW(Dealing(rows_of(3), 4, 10, 1), ConfigError);
  EXPECT_EQ(Dealing(rows_of(4), 4, 10, 1).rows(3), 1);
}

TEST(Dealing, StaysAsItIs) {
  EXPECT_EQ(Dealing(rows_of(12), 2, 2, 1).order(0, 0, RngKey(1)),
            (std::vector<int64_t>{10, 7, 22, 19, 4, 1}));
}

}  // namespace
}  // namespace superstep::data
