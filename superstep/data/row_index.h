// Row numbers: every row of a data set has one, from 0, in the order of files and rows. They are
// found by counting (phase `index`, a unit a split) and do not depend on who counted.
//
//   SplitIndex part = index_split(rows, split);          // on a worker
//   RowIndex index = RowIndex::merge(parts);             // in order of splits
//   auto [split, row] = index.find(row_number);
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "superstep/base/bytes.h"
#include "superstep/data/dataset.h"

namespace superstep::data {

/// How often each label occurs. Merged by addition; beyond kMaxLabels different ones only the total
/// and the kind are known.
struct LabelCounts {
  static constexpr size_t kMaxLabels = 10'000;

  std::map<std::string, int64_t> counts;  ///< Empty when `many`.
  bool many = false;                      ///< More than kMaxLabels different labels.
  int64_t total = 0;                      ///< Rows with a label.
  std::string some_text;  ///< The first label by bytes that is no number; "" when all are numbers.

  void add(const std::string& label, int64_t rows);
  void add(const LabelCounts& other);
  friend bool operator==(const LabelCounts&, const LabelCounts&) = default;
};

/// What one split holds: the blob of an `index` unit.
struct SplitIndex {
  int64_t rows = 0;
  LabelCounts labels;
  int64_t bad = 0;  ///< Records left out.

  [[nodiscard]] Bytes to_bytes() const;
  static SplitIndex from_bytes(std::string_view bytes, std::string_view what = "index of a split");
  friend bool operator==(const SplitIndex&, const SplitIndex&) = default;
};

SplitIndex index_split(const DataSet& data, int split);

struct RowIndex {
  std::vector<int64_t> first_row;  ///< Of each split.
  int64_t rows = 0;
  LabelCounts labels;
  int64_t bad = 0;

  struct Place {
    int split;
    int64_t row;  ///< Within the split.
  };
  /// Of a row number in [0, rows).
  [[nodiscard]] Place find(int64_t row_number) const;

  /// Throws DataError when there is no row at all.
  static RowIndex merge(std::span<const SplitIndex> splits);
  /// index_split of every split, merged; for callers without a job (evaluate, predict).
  static RowIndex of(const DataSet& data);

  [[nodiscard]] Bytes to_bytes() const;
  static RowIndex from_bytes(std::string_view bytes, std::string_view what = "row index");
  friend bool operator==(const RowIndex&, const RowIndex&) = default;
};

}  // namespace superstep::data
