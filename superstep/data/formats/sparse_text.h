// What the formats of text share that name only what is not zero, as index:value: SVMLight and
// Metronome.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "superstep/base/error.h"
#include "superstep/data/records.h"
#include "superstep/io/stream.h"

namespace superstep::data {

/// Takes the next word off the text, between blanks; empty at its end.
std::string_view take_word(std::string_view& text);
bool is_blank(std::string_view text);

struct IndexedValue {
  int64_t index = 0;
  double value = 0;
};
/// Reads "12:0.5" where the index is at most 2^24. What is wrong with the word, or "".
std::string parse_indexed(std::string_view word, IndexedValue& to);

/// The lines of a stream, without their ends (LF or CRLF) and a byte order mark. Throws DataError
/// for a line of more than 64 MiB.
class TextLines {
 public:
  TextLines(io::ByteStream& in, std::string file);
  bool next();
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

/// The whole lines among the first 64 KiB, to know a format by.
std::vector<std::string> first_lines(io::ByteStream& in);

/// Calls row(text, line) for every line that is not blank: it gives what is wrong with it, or "". A
/// bad one is an error, or handed to bad(line, reason).
template <class Row, class Bad>
void for_rows(io::ByteStream& in, const std::string& file, bool skip_bad, Row row, Bad bad) {
  TextLines lines(in, file);
  while (lines.next()) {
    if (is_blank(lines.text())) continue;
    std::string reason = row(lines.text(), lines.number());
    if (reason.empty()) continue;
    if (!skip_bad) throw DataError("{}:{}: {}", file, lines.number(), reason);
    bad(lines.number(), std::move(reason));
  }
}

/// Records of such a file in the making: the values of a row one by one, then its end.
class SparseRecords {
 public:
  SparseRecords(std::string file, int64_t columns);
  /// Columns ascend within a row.
  void add_value(int64_t column, double value);
  void end_row(int64_t line);
  void end_row(int64_t line, std::string_view label);
  /// Takes back the row that has begun: a bad record.
  void drop_row(int64_t line, std::string reason);
  [[nodiscard]] Records take();

 private:
  int32_t label_code(std::string_view text);

  std::string file_;
  Records records_;
  SparseValues values_;
  // Labels by their text, and by what that stands for. Looked up only, never iterated.
  std::unordered_map<std::string, int32_t> codes_, names_;
};

}  // namespace superstep::data
