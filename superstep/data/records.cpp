#include "superstep/data/records.h"

#include <algorithm>

namespace superstep::data {

int64_t Records::line_of(int64_t row) const {
  const auto after = std::upper_bound(
      line_marks.begin(), line_marks.end(), row,
      [](int64_t wanted, const std::pair<int64_t, int64_t>& mark) { return wanted < mark.first; });
  if (after == line_marks.begin()) return 0;
  const auto& [mark_row, mark_line] = *std::prev(after);
  return mark_line + (row - mark_row);
}

}  // namespace superstep::data
