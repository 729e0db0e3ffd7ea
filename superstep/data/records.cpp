#include "superstep/data/records.h"

#include <algorithm>

namespace superstep::data {

SparseValues::Row SparseValues::row(int64_t r) const {
  const auto begin = static_cast<size_t>(offsets[static_cast<size_t>(r)]);
  const auto count = static_cast<size_t>(offsets[static_cast<size_t>(r) + 1]) - begin;
  return {std::span(columns).subspan(begin, count), std::span(values).subspan(begin, count)};
}

double Records::value(int64_t row, int64_t column) const {
  if (const auto* sparse = std::get_if<SparseValues>(&values)) {
    const auto [places, held] = sparse->row(row);
    const auto found = std::lower_bound(places.begin(), places.end(), column);
    if (found == places.end() || *found != column) return 0;
    return held[static_cast<size_t>(found - places.begin())];
  }
  const auto at = static_cast<size_t>(row * columns + column);
  if (const auto* bytes = std::get_if<std::vector<uint8_t>>(&values)) return (*bytes)[at];
  return std::get<std::vector<double>>(values)[at];
}

int64_t Records::line_of(int64_t row) const {
  const auto after = std::upper_bound(
      line_marks.begin(), line_marks.end(), row,
      [](int64_t wanted, const std::pair<int64_t, int64_t>& mark) { return wanted < mark.first; });
  if (after == line_marks.begin()) return 0;
  const auto& [mark_row, mark_line] = *std::prev(after);
  return mark_line + (row - mark_row);
}

}  // namespace superstep::data
