// Statistics of the features over training rows: count, exact sums, smallest and largest value.
// Merged by addition; the same bits whatever the splits, ranges and order.
//
//   Statistics part = statistics(rows, index, begin, end, is_training);      // on a worker
//   all.add(part);
//   all.columns[3].mean();
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "superstep/base/bytes.h"
#include "superstep/data/long_accumulator.h"
#include "superstep/data/row_index.h"

namespace superstep::data {

struct ColumnStatistics {
  int64_t count = 0;
  LongAccumulator sum, sum_of_squares;
  double min = 0, max = 0;  ///< 0 while count is 0.

  void add(double x);
  /// 0, so often.
  void add_zeros(int64_t times);
  void add(const ColumnStatistics& other);
  /// 0 while count is 0.
  [[nodiscard]] double mean() const;
  /// Of the population: the root of the mean of (x - mean)^2. 0 for a constant column.
  [[nodiscard]] double deviation() const;
  friend bool operator==(const ColumnStatistics&, const ColumnStatistics&) = default;
};

struct Statistics {
  std::vector<ColumnStatistics> columns;
  ColumnStatistics label;  ///< Of the labels that are numbers.

  void add(const Statistics& other);
  [[nodiscard]] Bytes to_bytes() const;
  static Statistics from_bytes(std::string_view bytes, std::string_view what = "statistics");
  friend bool operator==(const Statistics&, const Statistics&) = default;
};

/// Over the row numbers of [begin, end) for which `training` is true.
Statistics statistics(const DataSet& data, const RowIndex& index, int64_t begin, int64_t end,
                      const std::function<bool(int64_t)>& training);

}  // namespace superstep::data
