#include "superstep/data/formats/sparse_text.h"

#include <algorithm>
#include <charconv>

#include "superstep/config/value.h"
#include "superstep/data/formats/number.h"

namespace superstep::data {
namespace {

constexpr size_t kBuffer = size_t{1} << 18;
constexpr size_t kLongestLine = size_t{64} << 20;
constexpr size_t kSample = size_t{1} << 16;
constexpr int64_t kMostIndex = int64_t{1} << 24;
constexpr std::string_view kBlanks = " \t";

}  // namespace

std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(kBlanks));
  text.remove_prefix(word.size());
  return word;
}

bool is_blank(std::string_view text) { return text.find_first_not_of(kBlanks) == text.npos; }

std::string parse_indexed(std::string_view word, IndexedValue& to) {
  const size_t colon = word.find(':');
  const std::string_view index = word.substr(0, colon);
  const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), to.index);
  if (colon == word.npos || error != std::errc{} || end != index.data() + index.size() ||
      to.index < 0)
    return fmt::format("{}, wanted index:value", config::in_quotes(word));
  if (to.index > kMostIndex)
    return fmt::format("index {}, wanted at most {}", to.index, kMostIndex);
  const auto value = parse_number(word.substr(colon + 1));
  if (!value)
    return fmt::format("index {} holds {}, wanted a number", to.index,
                       config::in_quotes(word.substr(colon + 1)));
  to.value = *value;
  return "";
}

TextLines::TextLines(io::ByteStream& in, std::string file)
    : in_(in), file_(std::move(file)), buffer_(kBuffer) {}

bool TextLines::next() {
  line_.clear();
  ++number_;
  bool any = false;
  while (true) {
    if (at_ == filled_) {
      at_ = 0;
      filled_ = in_.read(buffer_);
      if (filled_ == 0) break;
    }
    any = true;
    const char* const begin = buffer_.data() + at_;
    const char* const last = buffer_.data() + filled_;
    const char* const end = std::find(begin, last, '\n');
    line_.append(begin, end);
    if (line_.size() > kLongestLine)
      throw DataError("{}:{}: a line of more than {} MiB", file_, number_, kLongestLine >> 20);
    at_ = static_cast<size_t>(end - buffer_.data());
    if (at_ < filled_) {
      ++at_;  // the line's end
      break;
    }
  }
  if (line_.ends_with('\r')) line_.pop_back();
  if (number_ == 1 && line_.starts_with("\xEF\xBB\xBF")) line_.erase(0, 3);
  return any;
}

std::vector<std::string> first_lines(io::ByteStream& in) {
  std::string sample(kSample, '\0');
  const size_t got = in.read(sample);
  sample.resize(got);
  // The last line may be cut.
  if (got == kSample) sample.resize(sample.rfind('\n') == sample.npos ? got : sample.rfind('\n'));
  std::vector<std::string> lines;
  std::string_view rest = sample;
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
  }
  return lines;
}

SparseRecords::SparseRecords(std::string file, int64_t columns) : file_(std::move(file)) {
  records_.columns = columns;
}

void SparseRecords::add_value(int64_t column, double value) {
  if (value == 0) return;
  values_.columns.push_back(static_cast<int32_t>(column));
  values_.values.push_back(value);
}

void SparseRecords::end_row(int64_t line) {
  values_.offsets.push_back(static_cast<int64_t>(values_.columns.size()));
  if (records_.line_marks.empty() || records_.line_of(records_.rows) != line)
    records_.line_marks.emplace_back(records_.rows, line);
  ++records_.rows;
}

void SparseRecords::end_row(int64_t line, std::string_view label) {
  records_.label_codes.push_back(label_code(label));
  end_row(line);
}

void SparseRecords::drop_row(int64_t line, std::string reason) {
  values_.columns.resize(static_cast<size_t>(values_.offsets.back()));
  values_.values.resize(values_.columns.size());
  ++records_.bad_count;
  if (records_.bad_count <= kMaxBadRecordsKept)
    records_.bad.push_back({file_, line, std::move(reason)});
}

Records SparseRecords::take() {
  values_.columns.shrink_to_fit();
  values_.values.shrink_to_fit();
  records_.values = std::move(values_);
  return std::move(records_);
}

// Codes in the order in which labels are met.
int32_t SparseRecords::label_code(std::string_view label) {
  std::string text(label);
  if (const auto known = codes_.find(text); known != codes_.end()) return known->second;
  const std::string name = canonical_label(label);
  auto& names = records_.label_names;
  const auto [entry, fresh] = names_.emplace(name, static_cast<int32_t>(names.size()));
  if (fresh) names.push_back(name);
  codes_.emplace(std::move(text), entry->second);
  return entry->second;
}

}  // namespace superstep::data
