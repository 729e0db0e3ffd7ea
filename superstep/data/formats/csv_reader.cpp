#include "superstep/data/formats/csv_reader.h"

#include <algorithm>

#include "superstep/base/error.h"

namespace superstep::data {
namespace {

constexpr size_t kBuffer = size_t{1} << 18;
constexpr size_t kLongestRecord = size_t{64} << 20;

}  // namespace

CsvReader::CsvReader(io::ByteStream& in, std::string file, char delimiter)
    : in_(in), file_(std::move(file)), delimiter_(delimiter), buffer_(kBuffer) {
  if (peek() == kNoMore) return;
  const std::string_view start(buffer_.data(), std::min<size_t>(filled_, 3));
  if (start.starts_with("\xFF\xFE") || start.starts_with("\xFE\xFF"))
    throw DataError("{}: byte 0: UTF-16 text, wanted UTF-8", file_);
  if (start == "\xEF\xBB\xBF") at_ = 3;
}

int CsvReader::peek() {
  if (at_ == filled_) {
    at_ = 0;
    filled_ = in_.read(buffer_);
    if (filled_ == 0) return kNoMore;
  }
  return static_cast<unsigned char>(buffer_[at_]);
}

int CsvReader::get() {
  const int c = peek();
  if (c != kNoMore) ++at_;
  return c;
}

void CsvReader::skip_blanks() {
  while (is_blank(peek())) ++at_;
}

void CsvReader::check_length() {
  if (text_.size() > kLongestRecord)
    throw DataError("{}:{}: a record of more than {} MiB; is a closing quote missing?", file_,
                    line_, kLongestRecord >> 20);
}

CsvReader::End CsvReader::take_end() {
  const int c = get();
  if (c == static_cast<unsigned char>(delimiter_)) return End::kField;
  if (c == '\r' && peek() == '\n') ++at_;
  if (c != kNoMore) ++next_line_;
  return End::kRecord;
}

CsvReader::End CsvReader::read_quoted() {
  const int64_t opened = next_line_;
  const size_t begin = text_.size();
  ++at_;  // the opening quote
  while (true) {
    const int c = get();
    if (c == kNoMore) {
      problem_ = fmt::format("the quote opened on line {} is never closed", opened);
      break;
    }
    if (c == '"') {
      if (peek() != '"') break;
      ++at_;
    }
    // CR, LF and CRLF are one line each.
    if (c == '\n' || (c == '\r' && peek() != '\n')) ++next_line_;
    text_ += static_cast<char>(c);
    check_length();
  }
  fields_.emplace_back(begin, text_.size());
  skip_blanks();
  const auto ends = [&](int c) {
    return c == kNoMore || c == static_cast<unsigned char>(delimiter_) || c == '\n' || c == '\r';
  };
  if (!ends(peek())) {
    problem_ = fmt::format("text after the closing quote of field {} (from 0)", fields_.size() - 1);
    while (peek() != kNoMore && peek() != '\n' && peek() != '\r') ++at_;
  }
  return take_end();
}

CsvReader::End CsvReader::read_field() {
  skip_blanks();
  if (peek() == '"') return read_quoted();
  const size_t begin = text_.size();
  while (peek() != kNoMore) {
    const char* const first = buffer_.data() + at_;
    const char* const last = buffer_.data() + filled_;
    const char* const end = std::find_if(
        first, last, [d = delimiter_](char c) { return c == d || c == '\n' || c == '\r'; });
    text_.append(first, end);
    at_ += static_cast<size_t>(end - first);
    check_length();
    if (end != last) break;
  }
  size_t end = text_.size();
  while (end > begin && is_blank(text_[end - 1])) --end;
  fields_.emplace_back(begin, end);
  return take_end();
}

bool CsvReader::next() {
  while (peek() != kNoMore) {
    text_.clear();
    fields_.clear();
    problem_.clear();
    line_ = next_line_;
    bool quoted = false;
    do {
      skip_blanks();
      quoted = quoted || peek() == '"';
    } while (read_field() == End::kField);
    const bool blank = fields_.size() == 1 && fields_[0].first == fields_[0].second && !quoted;
    if (!blank) return true;
  }
  return false;
}

}  // namespace superstep::data
