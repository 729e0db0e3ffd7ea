// Records of comma-separated text (RFC 4180), one after the other.
//
//   CsvReader reader(*io::open_stream("iris.csv"), "iris.csv", ',');
//   while (reader.next())
//     for (size_t i = 0; i < reader.size(); ++i) use(reader.line(), reader.field(i));
//
// Fields may be quoted, with "" for a quote and with line ends inside. Lines end in LF, CRLF or CR.
// A byte order mark is skipped; blanks around a field are dropped, blank lines left out. A quote
// inside a field that does not begin with one is text. Limits: a record of at most 64 MiB.
//
// Why a tokenizer of our own: a file has to be cut at any byte (a split of a large file begins in
// the middle of a line, maybe inside quotes), and every error has to name its line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "superstep/io/stream.h"

namespace superstep::data {

class CsvReader {
 public:
  /// `in` must outlive the reader; `file` names it in errors. Throws DataError for UTF-16.
  CsvReader(io::ByteStream& in, std::string file, char delimiter);

  /// Goes on to the next record; false at the end. Throws DataError for a record that is too long.
  bool next();
  /// The line on which the record begins, from 1.
  [[nodiscard]] int64_t line() const { return line_; }
  [[nodiscard]] size_t size() const { return fields_.size(); }
  [[nodiscard]] std::string_view field(size_t i) const {
    const auto [begin, end] = fields_[i];
    return std::string_view(text_).substr(begin, end - begin);
  }
  /// What is wrong with the quotes of this record; "" when nothing is.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  enum class End { kField, kRecord };
  static constexpr int kNoMore = -1;

  int peek();
  int get();
  void skip_blanks();
  bool is_blank(int c) const { return c == ' ' || (c == '\t' && delimiter_ != '\t'); }
  // Takes what follows a field: a delimiter, a line end or the end of all.
  End take_end();
  End read_field();
  End read_quoted();
  void check_length();

  io::ByteStream& in_;
  std::string file_;
  char delimiter_;
  std::vector<char> buffer_;
  size_t at_ = 0, filled_ = 0;
  int64_t line_ = 0, next_line_ = 1;
  std::string text_;  // of all fields of the record
  std::vector<std::pair<size_t, size_t>> fields_;
  std::string problem_;
};

}  // namespace superstep::data
