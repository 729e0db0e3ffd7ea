// Two sources as one: the rows of the first, then those of the second, numbered on.
//
//   JoinedSource both(labelled, 1'000, unlabelled);
//   both.read({17, 1'003}, batch);        // row 17 of the first, row 3 of the second
#pragma once

#include <memory>

#include "superstep/tensor/batch.h"

namespace superstep::data {

/// Both have the same columns (ConfigError). Batches hold neither labels nor targets. Safe from
/// many threads.
class JoinedSource : public Source {
 public:
  JoinedSource(std::shared_ptr<const Source> first, int64_t rows_of_first,
               std::shared_ptr<const Source> second);
  [[nodiscard]] int64_t columns() const override { return first_->columns(); }
  void read(std::span<const int64_t> rows, Batch& batch) const override;
  void read_sparse(std::span<const int64_t> rows, Batch& batch) const override;

 private:
  void read_as_parts(std::span<const int64_t> rows, Form form, Batch& batch) const;

  std::shared_ptr<const Source> first_, second_;
  int64_t rows_of_first_;
};

}  // namespace superstep::data
