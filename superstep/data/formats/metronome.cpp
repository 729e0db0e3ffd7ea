#include "superstep/data/formats/metronome.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "superstep/data/formats/sparse_text.h"

namespace superstep::data {
namespace {

struct Record {
  std::vector<IndexedValue> features, outputs;  ///< Indices ascend.
};

std::string parse_half(std::string_view text, const char* what, std::vector<IndexedValue>& values) {
  values.clear();
  for (std::string_view word = take_word(text); !word.empty(); word = take_word(text))
    if (std::string problem = parse_indexed(word, values.emplace_back()); !problem.empty())
      return problem;
  const auto by_index = [](const IndexedValue& a, const IndexedValue& b) {
    return a.index < b.index;
  };
  if (!std::is_sorted(values.begin(), values.end(), by_index))
    std::stable_sort(values.begin(), values.end(), by_index);
  for (size_t i = 1; i < values.size(); ++i)
    if (values[i].index == values[i - 1].index)
      return fmt::format("{} {} stands there twice", what, values[i].index);
  return "";
}

// What is wrong with the line, or "".
std::string parse_record(std::string_view line, Record& record) {
  const size_t bar = line.find('|');
  if (bar == line.npos) return "no | between features and outputs";
  std::string problem = parse_half(line.substr(0, bar), "index", record.features);
  if (!problem.empty()) return problem;
  const std::string_view outputs = line.substr(bar + 1);
  if (outputs.find('|') != outputs.npos) return "more than one |";
  problem = parse_half(outputs, "output", record.outputs);
  return problem.empty() ? "" : "outputs: " + problem;
}

// The index of the one output that is 1.
std::string class_of(const Record& record, std::string& label) {
  int64_t found = -1;
  for (const auto& [index, value] : record.outputs) {
    if (value == 0) continue;
    if (found >= 0)
      return fmt::format("outputs {} and {} are not 0, wanted one class", found, index);
    if (value != 1)
      return fmt::format("output {} is {}, wanted 1 for the row's class", index, value);
    found = index;
  }
  if (found < 0) return "no output is 1, wanted the row's class";
  label = std::to_string(found);
  return "";
}

std::string value_of(const Record& record, std::string& label) {
  if (!record.outputs.empty() && record.outputs.back().index > 0)
    return fmt::format("output {}, but there is only output 0", record.outputs.back().index);
  label = fmt::format("{}", record.outputs.empty() ? 0.0 : record.outputs[0].value);
  return "";
}

}  // namespace

bool is_metronome(io::ByteStream& in) {
  bool any = false;
  Record record;
  for (const std::string& line : first_lines(in)) {
    if (is_blank(line)) continue;
    if (!parse_record(line, record).empty()) return false;
    any = any || !record.features.empty() || !record.outputs.empty();
  }
  return any;
}

void MetronomeIndices::add(const MetronomeIndices& other) {
  rows += other.rows;
  feature = std::max(feature, other.feature);
  output = std::max(output, other.output);
}

MetronomeIndices scan_metronome(io::ByteStream& in, const std::string& file, bool skip_bad) {
  MetronomeIndices all;
  Record record;
  const auto row = [&](std::string_view line, int64_t) {
    std::string problem = parse_record(line, record);
    if (problem.empty())
      all.add({.rows = 1,
               .feature = record.features.empty() ? -1 : record.features.back().index,
               .output = record.outputs.empty() ? -1 : record.outputs.back().index});
    return problem;
  };
  for_rows(in, file, skip_bad, row, [](int64_t, const std::string&) {});
  return all;
}

Records parse_metronome(io::ByteStream& in, const std::string& file, const MetronomePlan& plan) {
  SparseRecords records(file, plan.columns);
  Record record;
  std::string label;
  const auto row = [&](std::string_view line, int64_t number) -> std::string {
    std::string problem = parse_record(line, record);
    if (!problem.empty()) return problem;
    if (plan.outputs == Outputs::kClass) problem = class_of(record, label);
    if (plan.outputs == Outputs::kValue) problem = value_of(record, label);
    if (!problem.empty()) return problem;
    for (const auto& [index, value] : record.features) {
      if (index >= plan.columns)
        return fmt::format("index {}, but columns are 0 to {}", index, plan.columns - 1);
      records.add_value(index, value);
    }
    if (plan.outputs == Outputs::kNone)
      records.end_row(number);
    else
      records.end_row(number, label);
    return "";
  };
  for_rows(in, file, plan.skip_bad, row, [&](int64_t number, std::string reason) {
    records.drop_row(number, std::move(reason));
  });
  return records.take();
}

}  // namespace superstep::data
