// What a row holds: the features in order and the label. It goes into the model file, so that new
// raw records can be fitted to it; it knows no path, format or delimiter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "superstep/base/bytes.h"

namespace superstep::data {

struct Schema {
  int64_t columns = 0;  ///< Number of features.
  /// Names of the features. From the header when `named`; else the column's number in the file
  /// ("0", "1", ...); empty for IDX.
  std::vector<std::string> names;
  bool named = false;
  bool bytes = false;          ///< Every value is an integer from 0 to 255 by its format.
  std::vector<int64_t> image;  ///< The axes of a row, such as (28, 28) for IDX; empty for tables.

  int64_t label_column = -1;  ///< Its place in a record; -1 for none, or labels of their own file.
  std::string label;          ///< Its name, or its number; "label" for IDX; "" when there is none.
  int64_t fields = 0;         ///< Of a record, with label and dropped columns; 0 for IDX.
  std::vector<int64_t> places;       ///< Of each feature in a record; empty for IDX.
  std::vector<std::string> dropped;  ///< Columns left out.

  [[nodiscard]] bool has_label() const { return !label.empty(); }
  /// The name of a feature for messages and reports: "width", "column 3", "pixel (4, 17)".
  [[nodiscard]] std::string name(int64_t column) const;

  [[nodiscard]] Bytes to_bytes() const;
  /// `what` names the bytes in errors. Throws DataError.
  static Schema from_bytes(std::string_view bytes, std::string_view what = "schema");
  friend bool operator==(const Schema&, const Schema&) = default;
};

}  // namespace superstep::data
