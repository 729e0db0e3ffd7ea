// Rows by number, as batches: the rows of a data set, scaled and with their targets; or rows that
// are in memory already.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "superstep/data/dataset.h"
#include "superstep/data/row_index.h"
#include "superstep/data/scaling.h"
#include "superstep/data/target.h"
#include "superstep/tensor/batch.h"

namespace superstep::data {

/// Batch::labels are filled when the target is a class, Batch::targets (rows, 1) when it is a
/// number, neither when the data set has no label. Splits are read when a row of theirs is first
/// wanted. Safe from many threads.
class RowSource : public Source {
 public:
  RowSource(std::shared_ptr<const DataSet> data, RowIndex index, Scaling scaling, Target target);
  ~RowSource() override;

  [[nodiscard]] int64_t columns() const override { return scaling_.columns(); }
  [[nodiscard]] int64_t rows() const { return index_.rows; }
  /// Throws DataError naming file and line or row for a label that is not among the classes, text
  /// where a number is to be learned, and a feature beyond the range of a float32.
  void read(std::span<const int64_t> rows, Batch& batch) const override;
  void read_sparse(std::span<const int64_t> rows, Batch& batch) const override;

  [[nodiscard]] const DataSet& data() const { return *data_; }
  [[nodiscard]] const RowIndex& index() const { return index_; }
  [[nodiscard]] const Scaling& scaling() const { return scaling_; }
  [[nodiscard]] const Target& target() const { return target_; }

 private:
  struct Split;
  const Split& split(int number) const;
  void read_features(std::span<const int64_t> rows, Batch& batch, Form form) const;
  void read_labels(std::span<const int64_t> rows, Batch& batch) const;
  [[noreturn]] void refuse_label(int number, int64_t row) const;

  std::shared_ptr<const DataSet> data_;
  RowIndex index_;
  Scaling scaling_;
  Target target_;
  std::vector<std::unique_ptr<Split>> splits_;
};

/// Rows in memory: x (rows, columns), with labels (one a row, or none) or targets (rows, outputs),
/// or neither. Row numbers are places in x. ConfigError when the counts differ.
class MatrixSource : public Source {
 public:
  explicit MatrixSource(Tensor x, std::vector<int32_t> labels = {}, Tensor targets = {});
  /// x with its zeros left out.
  explicit MatrixSource(SparseMatrix x, std::vector<int32_t> labels = {}, Tensor targets = {});

  [[nodiscard]] int64_t columns() const override { return features().cols(); }
  [[nodiscard]] int64_t rows() const { return features().rows(); }
  [[nodiscard]] bool is_sparse() const { return sparse_.has_value(); }
  void read(std::span<const int64_t> rows, Batch& batch) const override;
  void read_sparse(std::span<const int64_t> rows, Batch& batch) const override;

 private:
  [[nodiscard]] Features features() const {
    return sparse_ ? Features(*sparse_) : Features(x_.matrix());
  }
  void check_counts() const;
  void read_answers(std::span<const int64_t> rows, Batch& batch) const;

  Tensor x_;  ///< Of no rows where `sparse_` holds them.
  std::optional<SparseMatrix> sparse_;
  std::vector<int32_t> labels_;
  Tensor targets_;
};

}  // namespace superstep::data
