// How a raw value becomes a float32 feature. Fitted on training rows; part of the model file.
//
//   Scaling scaling = Scaling::fit("standardise", rows->schema(), statistics);
//   float v = scaling.apply(raw, column);
//
//   standardise   (x - mean) / deviation;  0 for a column that was constant
//   together      (x - mean) / the deviation of all columns together, the root of their mean
//                 variance: for columns of one unit. By standardise a pixel that is hardly ever lit
//                 would become a hundred where it is
//   minmax        (x - min) / (max - min), kept within 0 and 1;  0 for a constant column
//   binarise      1 where the minmax value is above the threshold, else 0
//   none          x
//
// For bytes, min and max are 0 and 255 whatever the rows hold. A new row beyond min and max is
// clamped to 0 or 1 by minmax (a binary RBM takes its inputs for probabilities); standardise lets
// it pass. All is computed in double as (x - offset) * factor and rounded once to float32.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "superstep/base/bytes.h"
#include "superstep/data/records.h"
#include "superstep/data/schema.h"
#include "superstep/data/statistics.h"
#include "superstep/tensor/sparse_matrix.h"

namespace superstep::data {

enum class Scale : uint8_t { kNone, kStandardise, kMinmax, kBinarise, kTogether };

class Scaling {
 public:
  /// No columns.
  Scaling() = default;
  /// `scale`: a name from above, or "infer": minmax for bytes, else standardise. Other names are a
  /// ConfigError.
  static Scaling fit(std::string_view scale, const Schema& schema, const Statistics& statistics,
                     double threshold = 0.5);
  /// "infer" resolved; a ConfigError for a name that is none of the above.
  static Scale resolve(std::string_view scale, const Schema& schema);
  /// Of a scale and rows that need no fitting: kNone for anything, kMinmax and kBinarise for bytes.
  static bool needs_statistics(Scale scale, const Schema& schema);

  [[nodiscard]] Scale scale() const { return scale_; }
  [[nodiscard]] int64_t columns() const { return static_cast<int64_t>(offset_.size()); }
  [[nodiscard]] std::span<const double> offset() const { return offset_; }
  [[nodiscard]] std::span<const double> factor() const { return factor_; }
  /// True when features lie between 0 and 1.
  [[nodiscard]] bool unit_interval() const {
    return scale_ == Scale::kMinmax || scale_ == Scale::kBinarise;
  }

  /// One value.
  [[nodiscard]] float apply(double x, int64_t column) const;
  /// A row of columns() values. Gives the first column whose feature is beyond the range of a
  /// float32 (or not a number), or -1.
  int64_t apply(std::span<const double> row, std::span<float> out) const;
  void apply(std::span<const uint8_t> row, std::span<float> out) const;
  /// A row that is held without its zeros.
  int64_t apply(const SparseValues::Row& row, std::span<float> out) const;

  /// The same as a further row of `out`, which leaves zeros out: quickest where keeps_zeros().
  /// `memory` is of columns().
  int64_t append(std::span<const double> row, SparseMatrix& out, std::span<float> memory) const;
  int64_t append(std::span<const uint8_t> row, SparseMatrix& out, std::span<float> memory) const;
  int64_t append(const SparseValues::Row& row, SparseMatrix& out, std::span<float> memory) const;
  /// Whether 0 stays 0 in every column.
  [[nodiscard]] bool keeps_zeros() const { return zeros_kept_ == columns(); }
  /// In how many columns it does.
  [[nodiscard]] int64_t zeros_kept() const { return zeros_kept_; }

  [[nodiscard]] Bytes to_bytes() const;
  static Scaling from_bytes(std::string_view bytes, std::string_view what = "scaling");
  friend bool operator==(const Scaling& a, const Scaling& b) {
    return a.scale_ == b.scale_ && a.threshold_ == b.threshold_ && a.offset_ == b.offset_ &&
           a.factor_ == b.factor_;
  }

 private:
  void finish();

  Scale scale_ = Scale::kNone;
  double threshold_ = 0.5;
  std::vector<double> offset_, factor_;
  std::vector<float> zeros_;  // what a row of zeros becomes
  int64_t zeros_kept_ = 0;
  std::vector<float> byte_table_;  // 256 values, when all columns have one offset and factor
};

}  // namespace superstep::data
