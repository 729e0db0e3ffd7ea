#include "superstep/data/joined_source.h"

#include <algorithm>
#include <array>

#include "superstep/base/error.h"

namespace superstep::data {

JoinedSource::JoinedSource(std::shared_ptr<const Source> first, int64_t rows_of_first,
                           std::shared_ptr<const Source> second)
    : first_(std::move(first)), second_(std::move(second)), rows_of_first_(rows_of_first) {
  if (first_->columns() != second_->columns())
    throw ConfigError("rows of {} columns cannot be joined with rows of {}", first_->columns(),
                      second_->columns());
}

void JoinedSource::read(std::span<const int64_t> rows, Batch& batch) const {
  read_as_parts(rows, Form::kDense, batch);
}

void JoinedSource::read_sparse(std::span<const int64_t> rows, Batch& batch) const {
  read_as_parts(rows, Form::kSparse, batch);
}

void JoinedSource::read_as_parts(std::span<const int64_t> rows, Form form, Batch& batch) const {
  // Each part is read on its own and its rows put where they belong.
  struct Part {
    std::vector<int64_t> rows;
    Batch batch;
  };
  std::array<Part, 2> parts;
  for (const int64_t row : rows) {
    if (row < rows_of_first_)
      parts[0].rows.push_back(row);
    else
      parts[1].rows.push_back(row - rows_of_first_);
  }
  if (!parts[0].rows.empty()) first_->read_as(form, parts[0].rows, parts[0].batch);
  if (!parts[1].rows.empty()) second_->read_as(form, parts[1].rows, parts[1].batch);

  const bool sparse = form == Form::kSparse;
  const auto count = static_cast<int64_t>(rows.size());
  batch.row_numbers.assign(rows.begin(), rows.end());
  batch.labels.clear();
  batch.targets = {};
  batch.x.resize({sparse ? 0 : count, columns()});
  if (sparse) batch.sparse.start(count, columns());
  const Matrix x = batch.x.matrix();
  std::array<int64_t, 2> next = {0, 0};
  for (size_t r = 0; r < rows.size(); ++r) {
    const size_t p = rows[r] < rows_of_first_ ? 0 : 1;
    const int64_t from = next[p]++;
    if (sparse)
      batch.sparse.append_row(parts[p].batch.sparse.view(), from);
    else
      std::ranges::copy(parts[p].batch.x.matrix().row(from),
                        x.row(static_cast<int64_t>(r)).begin());
  }
}

}  // namespace superstep::data
