#include "superstep/data/row_index.h"

#include <algorithm>

#include "superstep/data/formats/number.h"

namespace superstep::data {
namespace {

void write(ByteWriter& w, const LabelCounts& labels) {
  w.put(static_cast<uint8_t>(labels.many));
  w.put(labels.total);
  w.put_string(labels.some_text);
  w.put(static_cast<uint64_t>(labels.counts.size()));
  for (const auto& [label, count] : labels.counts) {
    w.put_string(label);
    w.put(count);
  }
}

LabelCounts read_labels(ByteReader& r, std::string_view what) {
  LabelCounts labels;
  labels.many = r.get<uint8_t>() != 0;
  labels.total = r.get<int64_t>();
  labels.some_text = r.get_string();
  const auto size = r.get<uint64_t>();
  int64_t left = labels.total;
  for (uint64_t i = 0; i < size; ++i) {
    std::string label = r.get_string();
    const auto count = r.get<int64_t>();
    if (count < 1 || count > left)
      throw DataError("{}: label {} counted {} times among {} rows", what, config::in_quotes(label),
                      count, labels.total);
    left -= count;
    labels.counts.emplace(std::move(label), count);
  }
  if (labels.total < 0 || labels.counts.size() != size || (!labels.many && left != 0))
    throw DataError("{}: label counts do not add up to {}", what, labels.total);
  return labels;
}

int64_t read_count(ByteReader& r, std::string_view what, std::string_view of) {
  const auto count = r.get<int64_t>();
  if (count < 0) throw DataError("{}: {} {}, wanted at least 0", what, count, of);
  return count;
}

}  // namespace

void LabelCounts::add(const std::string& label, int64_t rows) {
  total += rows;
  if (!parse_number(label) && (some_text.empty() || label < some_text)) some_text = label;
  if (!many) counts[label] += rows;
  if (counts.size() > kMaxLabels) many = true;
  if (many) counts.clear();
}

void LabelCounts::add(const LabelCounts& other) {
  total += other.total;
  if (!other.some_text.empty() && (some_text.empty() || other.some_text < some_text))
    some_text = other.some_text;
  many = many || other.many;
  if (!many)
    for (const auto& [label, count] : other.counts) counts[label] += count;
  if (counts.size() > kMaxLabels) many = true;
  if (many) counts.clear();
}

Bytes SplitIndex::to_bytes() const {
  ByteWriter w;
  w.put(rows);
  w.put(bad);
  write(w, labels);
  return std::move(w).take();
}

SplitIndex SplitIndex::from_bytes(std::string_view bytes, std::string_view what) {
  ByteReader r(bytes, what);
  SplitIndex index;
  index.rows = read_count(r, what, "rows");
  index.bad = read_count(r, what, "bad records");
  index.labels = read_labels(r, what);
  r.finish();
  return index;
}

SplitIndex index_split(const DataSet& data, int split) {
  const Records& records = data.records(split);
  SplitIndex index;
  index.rows = records.rows;
  index.bad = records.bad_count;
  std::vector<int64_t> counts(records.label_names.size());
  for (const int32_t code : records.label_codes) ++counts[static_cast<size_t>(code)];
  for (size_t i = 0; i < counts.size(); ++i) index.labels.add(records.label_names[i], counts[i]);
  return index;
}

RowIndex::Place RowIndex::find(int64_t row_number) const {
  SUPERSTEP_ASSERT(row_number >= 0 && row_number < rows);
  const auto after = std::upper_bound(first_row.begin(), first_row.end(), row_number);
  const auto split = static_cast<int>(after - first_row.begin()) - 1;
  return {split, row_number - first_row[static_cast<size_t>(split)]};
}

RowIndex RowIndex::merge(std::span<const SplitIndex> splits) {
  RowIndex index;
  for (const SplitIndex& split : splits) {
    index.first_row.push_back(index.rows);
    index.rows += split.rows;
    index.labels.add(split.labels);
    index.bad += split.bad;
  }
  if (index.rows == 0)
    throw DataError("the data holds no row{}",
                    index.bad == 0 ? "" : fmt::format("; {} bad records were left out", index.bad));
  return index;
}

RowIndex RowIndex::of(const DataSet& data) {
  std::vector<SplitIndex> splits;
  for (int split = 0; split < data.splits(); ++split) splits.push_back(index_split(data, split));
  return merge(splits);
}

Bytes RowIndex::to_bytes() const {
  ByteWriter w;
  w.put_array(std::span<const int64_t>(first_row));
  w.put(rows);
  w.put(bad);
  write(w, labels);
  return std::move(w).take();
}

RowIndex RowIndex::from_bytes(std::string_view bytes, std::string_view what) {
  ByteReader r(bytes, what);
  RowIndex index;
  index.first_row = r.get_all<std::vector<int64_t>>();
  index.rows = read_count(r, what, "rows");
  index.bad = read_count(r, what, "bad records");
  index.labels = read_labels(r, what);
  r.finish();
  const std::vector<int64_t>& first = index.first_row;
  if (first.empty() || first[0] != 0 || !std::is_sorted(first.begin(), first.end()) ||
      first.back() > index.rows)
    throw DataError("{}: the first rows of splits do not ascend from 0 to {}", what, index.rows);
  return index;
}

}  // namespace superstep::data
