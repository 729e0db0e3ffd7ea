#include "superstep/data/formats/svmlight.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "superstep/base/error.h"
#include "superstep/config/value.h"
#include "superstep/data/formats/number.h"

namespace superstep::data {
namespace {

constexpr size_t kBuffer = size_t{1} << 18;
constexpr size_t kLongestLine = size_t{64} << 20;
constexpr size_t kSample = size_t{1} << 16;  // of a file, to know its format by
constexpr int64_t kMostIndex = int64_t{1} << 24;
constexpr std::string_view kBlanks = " \t";

/// The lines of a stream, without their ends.
class Lines {
 public:
  Lines(io::ByteStream& in, std::string file) : in_(in), file_(std::move(file)), buffer_(kBuffer) {}

  bool next() {
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
  [[nodiscard]] std::string_view text() const { return line_; }
  /// From 1.
  [[nodiscard]] int64_t number() const { return number_; }

 private:
  io::ByteStream& in_;
  std::string file_;
  std::vector<char> buffer_;
  size_t at_ = 0, filled_ = 0;
  std::string line_;
  int64_t number_ = 0;
};

// Takes the next word off the text; empty at its end.
std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(kBlanks));
  text.remove_prefix(word.size());
  return word;
}

std::string_view without_comment(std::string_view line) { return line.substr(0, line.find('#')); }

bool is_blank(std::string_view text) { return text.find_first_not_of(kBlanks) == text.npos; }

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
    const size_t colon = word.find(':');
    const std::string_view index_text = word.substr(0, colon);
    int64_t index = 0;
    const auto [end, error] =
        std::from_chars(index_text.data(), index_text.data() + index_text.size(), index);
    if (colon == word.npos || error != std::errc{} ||
        end != index_text.data() + index_text.size() || index < 0)
      return fmt::format("{}, wanted index:value", config::in_quotes(word));
    if (index > kMostIndex) return fmt::format("index {}, wanted at most {}", index, kMostIndex);
    if (index <= last) return fmt::format("index {} after {}, wanted ascending ones", index, last);
    last = index;
    const auto value = parse_number(word.substr(colon + 1));
    if (!value)
      return fmt::format("index {} holds {}, wanted a number", index,
                         config::in_quotes(word.substr(colon + 1)));
    if (std::string problem = use(index, *value); !problem.empty()) return problem;
  }
}

// Calls row(text, line) for every line that is a row: it gives what is wrong with it, or "". A bad
// one is an error, or handed to bad(line, reason).
template <class Row, class Bad>
void for_rows(io::ByteStream& in, const std::string& file, bool skip_bad, Row row, Bad bad) {
  Lines lines(in, file);
  while (lines.next()) {
    const std::string_view text = without_comment(lines.text());
    if (is_blank(text)) continue;
    std::string reason = row(text, lines.number());
    if (reason.empty()) continue;
    if (!skip_bad) throw DataError("{}:{}: {}", file, lines.number(), reason);
    bad(lines.number(), std::move(reason));
  }
}

// Labels as codes, in the order in which they are met.
class LabelCodes {
 public:
  explicit LabelCodes(Records& records) : records_(records) {}
  void add(std::string_view text) {
    text_.assign(text);
    auto known = codes_.find(text_);
    if (known == codes_.end()) known = codes_.emplace(text_, code(canonical_label(text))).first;
    records_.label_codes.push_back(known->second);
  }

 private:
  int32_t code(const std::string& name) {
    auto& names = records_.label_names;
    const auto [entry, fresh] = names_.emplace(name, static_cast<int32_t>(names.size()));
    if (fresh) names.push_back(name);
    return entry->second;
  }

  Records& records_;
  // Looked up only, never iterated: by the text as it stands, and by what it stands for.
  std::unordered_map<std::string, int32_t> codes_, names_;
  std::string text_;
};

}  // namespace

bool is_svmlight(io::ByteStream& in) {
  std::string sample(kSample, '\0');
  const size_t got = in.read(sample);
  sample.resize(got);
  // The last line may be cut.
  if (got == kSample) sample.resize(sample.rfind('\n') == sample.npos ? got : sample.rfind('\n'));
  bool any_value = false;
  for (std::string_view rest = sample; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = without_comment(line);
    if (is_blank(line)) continue;
    std::string_view label;
    const std::string problem = parse_row(line, label, [&](int64_t, double) {
      any_value = true;
      return std::string();
    });
    if (!problem.empty()) return false;
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
  const auto row = [&](std::string_view text, int64_t) {
    SvmlightIndices one{.rows = 1};
    std::string_view label;
    std::string problem = parse_row(text, label, [&](int64_t index, double) {
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
  Records records;
  records.columns = plan.columns;
  SparseValues values;
  LabelCodes labels(records);
  const int64_t end = plan.first + plan.columns;
  const auto row = [&](std::string_view text, int64_t line) {
    std::string_view label;
    std::string problem = parse_row(text, label, [&](int64_t index, double value) {
      if (index < plan.first || index >= end)
        return fmt::format("index {}, but columns are {} to {}", index, plan.first, end - 1);
      if (value == 0) return std::string();
      values.columns.push_back(static_cast<int32_t>(index - plan.first));
      values.values.push_back(value);
      return std::string();
    });
    if (!problem.empty()) {
      values.columns.resize(static_cast<size_t>(values.offsets.back()));
      values.values.resize(values.columns.size());
      return problem;
    }
    labels.add(label);
    values.offsets.push_back(static_cast<int64_t>(values.columns.size()));
    if (records.line_marks.empty() || records.line_of(records.rows) != line)
      records.line_marks.emplace_back(records.rows, line);
    ++records.rows;
    return problem;
  };
  for_rows(in, file, plan.skip_bad, row, [&](int64_t line, std::string reason) {
    ++records.bad_count;
    if (records.bad_count <= kMaxBadRecordsKept)
      records.bad.push_back({file, line, std::move(reason)});
  });
  values.columns.shrink_to_fit();
  values.values.shrink_to_fit();
  records.values = std::move(values);
  return records;
}

}  // namespace superstep::data
