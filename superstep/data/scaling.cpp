#include "superstep/data/scaling.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "superstep/config/value.h"

namespace superstep::data {
namespace {

constexpr double kLargestByte = 255;
constexpr double kLargestFloat = std::numeric_limits<float>::max();

template <Scale kScale>
double feature(double x, double offset, double factor, double threshold) {
  double y = (x - offset) * factor;
  if constexpr (kScale == Scale::kMinmax || kScale == Scale::kBinarise)
    y = std::min(std::max(y, 0.0), 1.0);
  if constexpr (kScale == Scale::kBinarise) y = y > threshold ? 1.0 : 0.0;
  return y;
}

template <Scale kScale, class T>
bool scale_row(std::span<const T> row, const double* offset, const double* factor, double threshold,
               std::span<float> out) {
  bool fits = true;
  for (size_t i = 0; i < row.size(); ++i) {
    const double y = feature<kScale>(static_cast<double>(row[i]), offset[i], factor[i], threshold);
    fits &= std::abs(y) <= kLargestFloat;
    out[i] = static_cast<float>(y);
  }
  return fits;
}

template <class T>
bool scale_row(Scale scale, std::span<const T> row, const double* offset, const double* factor,
               double threshold, std::span<float> out) {
  switch (scale) {
    case Scale::kNone:
      return scale_row<Scale::kNone>(row, offset, factor, threshold, out);
    case Scale::kStandardise:
    case Scale::kTogether:
      return scale_row<Scale::kStandardise>(row, offset, factor, threshold, out);
    case Scale::kMinmax:
      return scale_row<Scale::kMinmax>(row, offset, factor, threshold, out);
    case Scale::kBinarise:
      return scale_row<Scale::kBinarise>(row, offset, factor, threshold, out);
  }
  SUPERSTEP_ASSERT(false);
}

}  // namespace

Scale Scaling::resolve(std::string_view scale, const Schema& schema) {
  if (scale == "infer") return schema.bytes ? Scale::kMinmax : Scale::kStandardise;
  if (scale == "none") return Scale::kNone;
  if (scale == "standardise") return Scale::kStandardise;
  if (scale == "together") return Scale::kTogether;
  if (scale == "minmax") return Scale::kMinmax;
  if (scale == "binarise") return Scale::kBinarise;
  throw ConfigError(
      "[data] scale = {}: wanted infer, standardise, together, minmax, binarise or none",
      config::in_quotes(scale));
}

bool Scaling::needs_statistics(Scale scale, const Schema& schema) {
  if (scale == Scale::kNone) return false;
  return scale == Scale::kStandardise || scale == Scale::kTogether || !schema.bytes;
}

Scaling Scaling::fit(std::string_view scale, const Schema& schema, const Statistics& statistics,
                     double threshold) {
  Scaling s;
  s.scale_ = resolve(scale, schema);
  s.threshold_ = threshold;
  const auto columns = static_cast<size_t>(schema.columns);
  SUPERSTEP_ASSERT(!needs_statistics(s.scale_, schema) || statistics.columns.size() == columns);
  s.offset_.assign(columns, 0.0);
  s.factor_.assign(columns, 1.0);
  double common_deviation = 0;  // the root of the mean variance
  if (s.scale_ == Scale::kTogether && columns > 0) {
    double variances = 0;
    for (const ColumnStatistics& column : statistics.columns)
      variances += column.deviation() * column.deviation();
    common_deviation = std::sqrt(variances / static_cast<double>(columns));
  }
  for (size_t i = 0; i < columns && s.scale_ != Scale::kNone; ++i) {
    double range = kLargestByte;
    if (s.scale_ == Scale::kStandardise || s.scale_ == Scale::kTogether) {
      s.offset_[i] = statistics.columns[i].mean();
      range = s.scale_ == Scale::kTogether ? common_deviation : statistics.columns[i].deviation();
    } else if (!schema.bytes) {
      s.offset_[i] = statistics.columns[i].min;
      range = statistics.columns[i].max - statistics.columns[i].min;
    }
    const double factor = range > 0 ? 1 / range : 0;
    if (!std::isfinite(range) || !std::isfinite(factor))
      throw DataError("{}: values from {} to {} cannot be scaled in double precision",
                      schema.name(static_cast<int64_t>(i)), statistics.columns[i].min,
                      statistics.columns[i].max);
    s.factor_[i] = factor;
  }
  s.finish();
  return s;
}

void Scaling::finish() {
  const auto same = [](const std::vector<double>& values) {
    return std::all_of(values.begin(), values.end(), [&](double v) { return v == values[0]; });
  };
  zeros_.clear();
  for (size_t i = 0; i < offset_.size(); ++i) zeros_.push_back(apply(0, static_cast<int64_t>(i)));
  zeros_kept_ = std::count(zeros_.begin(), zeros_.end(), 0.0F);
  byte_table_.clear();
  if (offset_.empty() || !same(offset_) || !same(factor_)) return;
  for (int value = 0; value <= static_cast<int>(kLargestByte); ++value)
    byte_table_.push_back(apply(value, 0));
}

float Scaling::apply(double x, int64_t column) const {
  float out = 0;
  const auto i = static_cast<size_t>(column);
  scale_row<double>(scale_, {&x, 1}, &offset_.at(i), &factor_.at(i), threshold_, {&out, 1});
  return out;
}

int64_t Scaling::apply(std::span<const double> row, std::span<float> out) const {
  SUPERSTEP_ASSERT(row.size() == offset_.size() && out.size() == offset_.size());
  if (scale_row(scale_, row, offset_.data(), factor_.data(), threshold_, out)) return -1;
  const auto wrong =
      std::find_if(out.begin(), out.end(), [](float y) { return !std::isfinite(y); });
  // A value that rounds down to the largest float32 fits after all.
  return wrong == out.end() ? -1 : wrong - out.begin();
}

void Scaling::apply(std::span<const uint8_t> row, std::span<float> out) const {
  SUPERSTEP_ASSERT(row.size() == offset_.size() && out.size() == offset_.size());
  if (byte_table_.empty()) {
    scale_row(scale_, row, offset_.data(), factor_.data(), threshold_, out);
    return;
  }
  for (size_t i = 0; i < row.size(); ++i) out[i] = byte_table_[row[i]];
}

int64_t Scaling::apply(const SparseValues::Row& row, std::span<float> out) const {
  SUPERSTEP_ASSERT(out.size() == offset_.size());
  std::copy(zeros_.begin(), zeros_.end(), out.begin());
  for (size_t i = 0; i < row.columns.size(); ++i) {
    const int32_t column = row.columns[i];
    const float y = apply(row.values[i], column);
    if (!std::isfinite(y)) return column;
    out[static_cast<size_t>(column)] = y;
  }
  return -1;
}

int64_t Scaling::append(std::span<const double> row, SparseMatrix& out,
                        std::span<float> memory) const {
  const int64_t wrong = apply(row, memory);
  if (wrong < 0) out.append_row(memory);
  return wrong;
}

int64_t Scaling::append(std::span<const uint8_t> row, SparseMatrix& out,
                        std::span<float> memory) const {
  if (!keeps_zeros() || byte_table_.empty()) {
    apply(row, memory);
    out.append_row(memory);
    return -1;
  }
  SUPERSTEP_ASSERT(row.size() == offset_.size());
  const SparseMatrix::Room room =
      out.room(this->columns() + 1);  // each is written before it is counted
  int64_t n = 0;
  const auto take = [&](size_t i) {
    room.columns[n] = static_cast<int32_t>(i);
    room.values[n] = byte_table_[row[i]];
    n += room.values[n] != 0.0F ? 1 : 0;
  };
  // Zeros come in runs: eight of them are passed over at a time.
  size_t i = 0;
  for (; i + sizeof(uint64_t) <= row.size(); i += sizeof(uint64_t)) {
    uint64_t eight;
    std::memcpy(&eight, &row[i], sizeof eight);
    for (size_t k = i; eight != 0 && k < i + sizeof eight; ++k) take(k);
  }
  for (; i < row.size(); ++i) take(i);
  out.end_row(n);
  return -1;
}

int64_t Scaling::append(const SparseValues::Row& row, SparseMatrix& out,
                        std::span<float> memory) const {
  if (!keeps_zeros()) {
    const int64_t wrong = apply(row, memory);
    if (wrong < 0) out.append_row(memory);
    return wrong;
  }
  for (size_t i = 0; i < row.columns.size(); ++i) {
    const float y = apply(row.values[i], row.columns[i]);
    if (!std::isfinite(y)) return row.columns[i];
    if (y != 0.0F) out.append(row.columns[i], y);
  }
  out.end_row();
  return -1;
}

Bytes Scaling::to_bytes() const {
  ByteWriter w;
  w.put(static_cast<uint8_t>(scale_));
  w.put(threshold_);
  w.put_array(std::span<const double>(offset_));
  w.put_array(std::span<const double>(factor_));
  return std::move(w).take();
}

Scaling Scaling::from_bytes(std::string_view bytes, std::string_view what) {
  ByteReader r(bytes, what);
  Scaling s;
  const auto scale = r.get<uint8_t>();
  if (scale > static_cast<uint8_t>(Scale::kTogether))
    throw DataError("{}: scale {}, wanted 0 to 4", what, scale);
  s.scale_ = static_cast<Scale>(scale);
  s.threshold_ = r.get<double>();
  s.offset_ = r.get_all<std::vector<double>>();
  s.factor_ = r.get_all<std::vector<double>>();
  r.finish();
  if (s.offset_.size() != s.factor_.size())
    throw DataError("{}: {} offsets and {} factors", what, s.offset_.size(), s.factor_.size());
  if (!std::isfinite(s.threshold_))
    throw DataError("{}: threshold {}, wanted a number", what, s.threshold_);
  for (size_t i = 0; i < s.offset_.size(); ++i)
    if (!std::isfinite(s.offset_[i]) || !std::isfinite(s.factor_[i]))
      throw DataError("{}: column {}: offset {} and factor {}, wanted finite numbers", what, i,
                      s.offset_[i], s.factor_[i]);
  s.finish();
  return s;
}

}  // namespace superstep::data
