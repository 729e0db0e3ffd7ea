#include "superstep/data/formats/svmlight.h"

#include <algorithm>
#include <string_view>

#include "superstep/base/error.h"
#include "superstep/config/value.h"
#include "superstep/data/formats/number.h"
#include "superstep/data/formats/sparse_text.h"

namespace superstep::data {
namespace {

std::string_view without_comment(std::string_view line) { return line.substr(0, line.find('#')); }

bool is_row(std::string_view line) { return !is_blank(without_comment(line)); }

// Calls use(index, value) for each value that a row names. What is wrong with the row, or "".
template <class Use>
std::string parse_row(std::string_view text, std::string_view& label, Use use) {
  label = take_word(text);
  if (label.find(':') != label.npos)
    return fmt::format("begins with {}, wanted a label", config::in_quotes(label));
  if (is_missing(label)) return fmt::format("the label is {}", config::in_quotes(label));
  int64_t last = -1;
  while (true) {
    const std::string_view word = take_word(text);
    if (word.empty()) return "";
    IndexedValue read;
    if (std::string problem = parse_indexed(word, read); !problem.empty()) return problem;
    const auto [index, value] = read;
    if (index <= last) return fmt::format("index {} after {}, wanted ascending ones", index, last);
    last = index;
    if (std::string problem = use(index, value); !problem.empty()) return problem;
  }
}

}  // namespace

bool is_svmlight(io::ByteStream& in) {
  bool any_value = false;
  for (const std::string& line : first_lines(in)) {
    std::string_view label;
    const auto use = [&](int64_t, double) {
      any_value = true;
      return std::string();
    };
    if (is_row(line) && !parse_row(without_comment(line), label, use).empty()) return false;
  }
  return any_value;
}

void SvmlightIndices::add(const SvmlightIndices& other) {
  rows += other.rows;
  if (other.lowest < 0) return;
  lowest = lowest < 0 ? other.lowest : std::min(lowest, other.lowest);
  highest = std::max(highest, other.highest);
}

SvmlightIndices scan_svmlight(io::ByteStream& in, const std::string& file, bool skip_bad) {
  SvmlightIndices all;
  const auto row = [&](std::string_view line, int64_t) -> std::string {
    if (!is_row(line)) return "";
    SvmlightIndices one{.rows = 1};
    std::string_view label;
    std::string problem = parse_row(without_comment(line), label, [&](int64_t index, double) {
      if (one.lowest < 0) one.lowest = index;
      one.highest = index;
      return std::string();
    });
    if (problem.empty()) all.add(one);
    return problem;
  };
  for_rows(in, file, skip_bad, row, [](int64_t, const std::string&) {});
  return all;
}

Records parse_svmlight(io::ByteStream& in, const std::string& file, const SvmlightPlan& plan) {
  SparseRecords records(file, plan.columns);
  const int64_t end = plan.first + plan.columns;
  const auto row = [&](std::string_view line, int64_t number) -> std::string {
    if (!is_row(line)) return "";
    std::string_view label;
    std::string problem = parse_row(without_comment(line), label, [&](int64_t index, double value) {
      if (index < plan.first || index >= end)
        return fmt::format("index {}, but columns are {} to {}", index, plan.first, end - 1);
      records.add_value(index - plan.first, value);
      return std::string();
    });
    if (problem.empty()) records.end_row(number, label);
    return problem;
  };
  for_rows(in, file, plan.skip_bad, row, [&](int64_t number, std::string reason) {
    records.drop_row(number, std::move(reason));
  });
  return records.take();
}

}  // namespace superstep::data
