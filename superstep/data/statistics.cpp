#include "superstep/data/statistics.h"

#include <algorithm>
#include <cmath>

#include "superstep/base/floating_point.h"
#include "superstep/data/formats/number.h"

namespace superstep::data {
namespace {

// Sums of bytes need no long accumulator: 2^40 rows of 255^2 are below 2^57.
struct ByteSums {
  uint64_t sum = 0, squares = 0;
  uint8_t min = 255, max = 0;
};

// How far to scale a column so that its largest value is near 1 and no square is out of range.
int scale_of(const ColumnStatistics& column) {
  const double largest = std::max(std::abs(column.min), std::abs(column.max));
  return largest == 0 ? 0 : std::ilogb(largest);
}

DoubleDouble product(double a, double b) {
  const double high = a * b;
  return {high, std::fma(a, b, -high)};
}

void write(ByteWriter& w, const ColumnStatistics& column) {
  w.put(column.count);
  column.sum.write(w);
  column.sum_of_squares.write(w);
  w.put(column.min);
  w.put(column.max);
}

ColumnStatistics read_column(ByteReader& r, std::string_view what) {
  ColumnStatistics column;
  column.count = r.get<int64_t>();
  column.sum = LongAccumulator::read(r, what);
  column.sum_of_squares = LongAccumulator::read(r, what);
  column.min = r.get<double>();
  column.max = r.get<double>();
  if (column.count < 0 || !std::isfinite(column.min) || !std::isfinite(column.max) ||
      column.min > column.max)
    throw DataError("{}: {} values from {} to {}", what, column.count, column.min, column.max);
  return column;
}

}  // namespace

void ColumnStatistics::add(double x) {
  x += 0.0;  // -0 becomes 0, or the smallest of -0 and 0 would depend on the order
  min = count == 0 ? x : std::min(min, x);
  max = count == 0 ? x : std::max(max, x);
  ++count;
  sum.add(x);
  sum_of_squares.add_product(x, x);
}

void ColumnStatistics::add_zeros(int64_t times) {
  if (times == 0) return;
  min = count == 0 ? 0 : std::min(min, 0.0);
  max = count == 0 ? 0 : std::max(max, 0.0);
  count += times;
}

void ColumnStatistics::add(const ColumnStatistics& other) {
  if (other.count == 0) return;
  min = count == 0 ? other.min : std::min(min, other.min);
  max = count == 0 ? other.max : std::max(max, other.max);
  count += other.count;
  sum.add(other.sum);
  sum_of_squares.add(other.sum_of_squares);
}

double ColumnStatistics::mean() const {
  if (count == 0) return 0;
  const int scale = scale_of(*this);
  const auto [high, low] = sum.scaled(-scale);
  const auto n = static_cast<double>(count);
  const double quotient = high / n;
  const double rest = std::fma(-quotient, n, high) + low;
  return std::ldexp(quotient + rest / n, scale);
}

double ColumnStatistics::deviation() const {
  if (count == 0 || min == max) return 0;
  // n^2 variance = n * sum of squares - (sum)^2, in about 106 bits: what the difference cancels is
  // not what a double would have lost.
  const int scale = scale_of(*this);
  const DoubleDouble s = sum.scaled(-scale), q = sum_of_squares.scaled(-2 * scale);
  const auto n = static_cast<double>(count);
  DoubleDouble squares = product(n, q.high), square = product(s.high, s.high);
  squares.low += n * q.low;
  square.low += 2 * s.high * s.low;
  const double difference = (squares.high - square.high) + (squares.low - square.low);
  return difference <= 0 ? 0 : std::ldexp(std::sqrt(difference) / n, scale);
}

void Statistics::add(const Statistics& other) {
  if (columns.empty()) columns.resize(other.columns.size());
  SUPERSTEP_ASSERT(columns.size() == other.columns.size());
  for (size_t i = 0; i < columns.size(); ++i) columns[i].add(other.columns[i]);
  label.add(other.label);
}

Bytes Statistics::to_bytes() const {
  ByteWriter w;
  w.put(static_cast<uint64_t>(columns.size()));
  for (const ColumnStatistics& column : columns) write(w, column);
  write(w, label);
  return std::move(w).take();
}

Statistics Statistics::from_bytes(std::string_view bytes, std::string_view what) {
  ByteReader r(bytes, what);
  Statistics all;
  const auto columns = r.get<uint64_t>();
  for (uint64_t i = 0; i < columns; ++i) all.columns.push_back(read_column(r, what));
  all.label = read_column(r, what);
  r.finish();
  return all;
}

Statistics statistics(const DataSet& data, const RowIndex& index, int64_t begin, int64_t end,
                      const std::function<bool(int64_t)>& training) {
  const FloatingPointScope scope;
  const auto columns = static_cast<size_t>(data.schema().columns);
  Statistics all;
  all.columns.resize(columns);
  std::vector<ByteSums> sums(data.schema().bytes ? columns : 0);
  int64_t byte_rows = 0, sparse_rows = 0;

  for (int64_t number = begin; number < end; ++number) {
    if (!training(number)) continue;
    const auto [split, row] = index.find(number);
    const Records& records = data.records(split);
    const auto first = static_cast<size_t>(row) * columns;
    if (const auto* bytes = std::get_if<std::vector<uint8_t>>(&records.values)) {
      ++byte_rows;
      for (size_t i = 0; i < columns; ++i) {
        const uint8_t x = (*bytes)[first + i];
        sums[i].sum += x;
        sums[i].squares += static_cast<uint64_t>(x) * x;
        sums[i].min = std::min(sums[i].min, x);
        sums[i].max = std::max(sums[i].max, x);
      }
    } else if (const auto* values = std::get_if<std::vector<double>>(&records.values)) {
      for (size_t i = 0; i < columns; ++i) all.columns[i].add((*values)[first + i]);
    } else {
      ++sparse_rows;
      const auto [places, held] = std::get<SparseValues>(records.values).row(row);
      for (size_t i = 0; i < places.size(); ++i)
        all.columns[static_cast<size_t>(places[i])].add(held[i]);
    }
    if (!records.label_codes.empty()) {
      const int32_t code = records.label_codes[static_cast<size_t>(row)];
      const auto value = parse_number(records.label_names[static_cast<size_t>(code)]);
      if (value) all.label.add(*value);
    }
  }

  // A data set has one format, so what a column has not counted are its zeros.
  if (sparse_rows > 0)
    for (ColumnStatistics& column : all.columns) column.add_zeros(sparse_rows - column.count);
  if (byte_rows > 0)
    for (size_t i = 0; i < columns; ++i) {
      ColumnStatistics& column = all.columns[i];
      column.count = byte_rows;
      column.sum.add(sums[i].sum);
      column.sum_of_squares.add(sums[i].squares);
      column.min = sums[i].min;
      column.max = sums[i].max;
    }
  return all;
}

}  // namespace superstep::data
