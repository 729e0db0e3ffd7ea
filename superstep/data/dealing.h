// Which rows are held out, which replica owns which of the others, and in what order it takes them.
// All of it follows from the seed and row numbers; none of it knows of workers.
//
//   if (role_of(seed, row, 0.1, 0.2) == Role::kTrain) training.push_back(row);
//   Dealing dealing(training, replicas, batch, seed);
//   for (int64_t row : dealing.order(replica, epoch, key)) ...
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "superstep/base/rng.h"

namespace superstep::data {

enum class Role : uint8_t { kTrain, kValid, kTest };

/// By a hash of (seed, row). test_fraction is of all rows, valid_fraction of those that remain.
Role role_of(uint64_t seed, int64_t row, double valid_fraction, double test_fraction);

/// Blocks of consecutive training rows, dealt to replicas.
///
/// A block has max(batch, ceil(rows / (64 x replicas))) rows, or rows / replicas where these would
/// make fewer blocks than replicas. Blocks are dealt round by round in the order of a permutation
/// from the seed, so that the shares of two replicas differ by at most one block.
class Dealing {
 public:
  /// `rows` ascending; replicas and batch at least 1. ConfigError when there are fewer rows than
  /// replicas.
  Dealing(std::span<const int64_t> rows, int64_t replicas, int64_t batch, uint64_t seed);

  [[nodiscard]] int64_t replicas() const { return static_cast<int64_t>(blocks_.size()); }
  [[nodiscard]] int64_t block_rows() const { return block_rows_; }
  /// Rows that a replica owns.
  [[nodiscard]] int64_t rows(int64_t replica) const;
  /// All rows of a replica, each once, in the order of an epoch: its blocks shuffled, consecutive
  /// ones gathered into windows of at least 65,536 rows, rows shuffled within a window, so that
  /// large data is read nearly in file order. Both orders are keyed by (key, epoch, number).
  [[nodiscard]] std::vector<int64_t> order(int64_t replica, int64_t epoch, RngKey key) const;

 private:
  [[nodiscard]] std::span<const int64_t> block(int64_t number) const;

  std::vector<int64_t> all_rows_;
  int64_t block_rows_ = 0;
  std::vector<std::vector<int64_t>> blocks_;  // of each replica
};

}  // namespace superstep::data
