// The records of one split as they were read: narrow, row-major, labels as codes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace superstep::data {

/// A record that was left out (on_bad_record = "skip").
struct BadRecord {
  std::string file;
  int64_t line = 0;    ///< From 1; the line on which the record begins.
  std::string reason;  ///< "column 2 ('width') holds 'abc', wanted a number".
  friend bool operator==(const BadRecord&, const BadRecord&) = default;
};

/// At most so many bad records a split are kept; all are counted.
inline constexpr int64_t kMaxBadRecordsKept = 1000;

/// Rows of which only the values that are not zero are held. Those of row r are from offsets[r] up
/// to offsets[r + 1]; their columns ascend.
struct SparseValues {
  std::vector<int64_t> offsets = {0};
  std::vector<int32_t> columns;
  std::vector<double> values;

  struct Row {
    std::span<const int32_t> columns;
    std::span<const double> values;
  };
  [[nodiscard]] Row row(int64_t r) const;
};

struct Records {
  int64_t rows = 0, columns = 0;
  /// (rows, columns), row-major. Bytes stay bytes, and what came without zeros has none.
  std::variant<std::vector<uint8_t>, std::vector<double>, SparseValues> values;
  /// One value as it was read.
  [[nodiscard]] double value(int64_t row, int64_t column) const;

  /// The label of each row, as a place in label_names; empty when there are no labels.
  std::vector<int32_t> label_codes;
  /// The labels of this split in the order in which they were met. Numbers are written in their
  /// shortest form ("5", not "5.0" or "05"), so that formats agree.
  std::vector<std::string> label_names;

  int64_t bad_count = 0;
  std::vector<BadRecord> bad;

  /// Rows where the distance between row number and line changes: (row, its line), ascending.
  /// Empty for formats without lines.
  std::vector<std::pair<int64_t, int64_t>> line_marks;
  /// The line on which a row begins, from 1; 0 for formats without lines.
  [[nodiscard]] int64_t line_of(int64_t row) const;
};

}  // namespace superstep::data
