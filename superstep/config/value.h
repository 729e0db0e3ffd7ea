// What a key can hold, and how it is written: the same text in job files, hashes and messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace superstep::config {

/// Where rows are, and their labels when they are kept apart: `train = "rows.csv"` or
/// `train = { rows = "images.idx", labels = "labels.idx" }`. Both empty: not set.
struct Location {
  std::string rows, labels;
  [[nodiscard]] bool empty() const { return rows.empty() && labels.empty(); }
  friend bool operator==(const Location&, const Location&) = default;
};

/// std::monostate: an optional key that is not set.
using Value = std::variant<std::monostate, bool, int64_t, double, std::string, std::vector<int64_t>,
                           std::vector<double>, std::vector<std::string>, Location>;

/// True for what is not set, an empty text, an empty list, an empty location.
bool is_empty(const Value& value);

/// The value as TOML: 0.1, "sgd", [500, 500], { rows = "a", labels = "b" }. A double is written in
/// the shortest form that reads back as the same double. What is not set is the empty string.
std::string to_toml(const Value& value);
/// A TOML basic string: quotes, backslashes and control characters are escaped.
std::string toml_string(std::string_view text);

/// `text` in single quotes for a message: control characters and bytes that are no UTF-8 are shown
/// as \xNN, and what is longer than 100 bytes is cut.
std::string in_quotes(std::string_view text);
bool is_utf8(std::string_view text);

/// The one of `names` that `name` was probably meant to be (a few letters apart, in either case),
/// or an empty view.
std::string_view nearest_name(std::string_view name, const std::vector<std::string>& names);

}  // namespace superstep::config
