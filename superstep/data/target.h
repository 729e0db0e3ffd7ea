// What is to be learned of a row: a class, a number, or nothing.
//
//   Target target = infer_target(index, rows->schema());
//   int32_t c = target.classes.index("Iris-setosa");      // 0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "superstep/base/bytes.h"
#include "superstep/data/row_index.h"
#include "superstep/data/schema.h"

namespace superstep::data {

/// Class names in order, numerically when all are numbers, else by their bytes.
class ClassList {
 public:
  ClassList() = default;
  /// Sorts; names must differ.
  explicit ClassList(std::vector<std::string> names);

  [[nodiscard]] int64_t size() const { return static_cast<int64_t>(names_.size()); }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] const std::string& name(int64_t i) const {
    return names_.at(static_cast<size_t>(i));
  }
  /// -1 for a name that is not among them.
  [[nodiscard]] int32_t index(const std::string& name) const;
  friend bool operator==(const ClassList& a, const ClassList& b) { return a.names_ == b.names_; }

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, int32_t> index_;
};

enum class Task : uint8_t { kNone, kClassify, kRegress };

struct Target {
  Task task = Task::kNone;
  std::string label;  ///< The column's name, for messages.
  ClassList classes;  ///< Of kClassify.
  /// Of kRegress: a batch holds (y - mean) / deviation. The caller sets them, from
  /// Statistics::label of the training rows, where the model learns better so.
  double mean = 0, deviation = 1;

  [[nodiscard]] Bytes to_bytes() const;
  static Target from_bytes(std::string_view bytes, std::string_view what = "target");
  friend bool operator==(const Target&, const Target&) = default;
};

/// `task`: "classify", "regress", "none" or "infer": text is classified; so are integers with at
/// most 100 different values, which must be at most half as many as the rows; other numbers are
/// regressed on; without a label, none. Throws DataError for fewer than two classes, more than
/// LabelCounts::kMaxLabels, or text to regress on; ConfigError where a label is wanted and there is
/// none.
Target infer_target(const RowIndex& index, const Schema& schema, std::string_view task = "infer");

}  // namespace superstep::data
