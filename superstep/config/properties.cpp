#include "superstep/config/properties.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "superstep/base/error.h"
#include "superstep/config/value.h"

namespace superstep::config {
namespace {

constexpr std::string_view kBlanks = " \t\f";

void append_utf8(std::string& text, uint32_t code) {
  const auto put = [&](uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

std::string from_latin1(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) append_utf8(text, static_cast<unsigned char>(byte));
  return text;
}

std::string_view without_leading_blanks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text;
}

// Whether the line goes on with the next one: it ends in a backslash that no other one escapes.
bool goes_on(std::string_view line) {
  const size_t last = line.find_last_not_of('\\');
  return (line.size() - (last == line.npos ? 0 : last + 1)) % 2 == 1;
}

// The lines of a text, whose ends may be LF, CR or CRLF.
class NaturalLines {
 public:
  explicit NaturalLines(std::string_view text) : rest_(text) {}
  bool next() {
    if (rest_.empty()) return false;
    ++number_;
    const size_t end = std::min(rest_.find_first_of("\r\n"), rest_.size());
    line_ = rest_.substr(0, end);
    rest_.remove_prefix(end);
    rest_.remove_prefix(rest_.starts_with("\r\n") ? 2 : rest_.empty() ? 0 : 1);
    return true;
  }
  [[nodiscard]] std::string_view text() const { return line_; }
  [[nodiscard]] int64_t number() const { return number_; }

 private:
  std::string_view rest_, line_;
  int64_t number_ = 0;
};

// Reads the escapes of a key or value, of which errors name the place.
class Unescape {
 public:
  Unescape(const std::string& origin, int64_t line) : origin_(origin), line_(line) {}

  [[nodiscard]] std::string operator()(std::string_view raw) const {
    std::string text;
    while (!raw.empty()) {
      const char c = take(raw);
      if (c != '\\') {
        text += c;
        continue;
      }
      if (raw.empty()) break;  // at the end of the file it goes on with nothing
      const char escaped = take(raw);
      switch (escaped) {
        case 't':
          text += '\t';
          break;
        case 'n':
          text += '\n';
          break;
        case 'r':
          text += '\r';
          break;
        case 'f':
          text += '\f';
          break;
        case 'u':
          append_utf8(text, character(raw));
          break;
        default:
          text += escaped;
      }
    }
    return text;
  }

 private:
  static char take(std::string_view& text) {
    const char c = text.front();
    text.remove_prefix(1);
    return c;
  }

  // Four hexadecimal digits after \u.
  [[nodiscard]] uint32_t unit(std::string_view& raw) const {
    const std::string_view digits = raw.substr(0, 4);
    uint32_t code = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() < 4 || error != std::errc{} || end != digits.data() + digits.size())
      refuse(digits);
    raw.remove_prefix(4);
    return code;
  }

  [[nodiscard]] uint32_t character(std::string_view& raw) const {
    const std::string_view digits = raw.substr(0, 4);
    const uint32_t first = unit(raw);
    if (first < 0xD800 || first > 0xDFFF) return first;
    if (first > 0xDBFF || !raw.starts_with("\\u")) refuse(digits);
    raw.remove_prefix(2);
    const uint32_t second = unit(raw);
    if (second < 0xDC00 || second > 0xDFFF) refuse(digits);
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  }

  [[noreturn]] void refuse(std::string_view digits) const {
    throw ConfigError(
        "{}:{}: {} is no character, wanted four hexadecimal digits after \\u (or a "
        "pair of surrogates)",
        origin_, line_, in_quotes("\\u" + std::string(digits)));
  }

  const std::string& origin_;
  int64_t line_;
};

// Where the key ends: at the first =, : or blank that no backslash stands before.
size_t end_of_key(std::string_view line) {
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\')
      ++i;
    else if (line[i] == '=' || line[i] == ':' || kBlanks.find(line[i]) != kBlanks.npos)
      return i;
  }
  return line.size();
}

Property split(std::string_view line, const Unescape& unescape, int64_t number) {
  const size_t end = end_of_key(line);
  std::string_view value = without_leading_blanks(line.substr(end));
  if (value.starts_with('=') || value.starts_with(':'))
    value = without_leading_blanks(value.substr(1));
  return {unescape(line.substr(0, end)), unescape(value), number};
}

}  // namespace

std::vector<Property> parse_properties(std::string_view bytes, const std::string& origin) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  const std::string text = is_utf8(bytes) ? std::string(bytes) : from_latin1(bytes);
  std::vector<Property> properties;
  NaturalLines lines(text);
  while (lines.next()) {
    std::string line(without_leading_blanks(lines.text()));
    if (line.empty() || line.starts_with('#') || line.starts_with('!')) continue;
    const int64_t number = lines.number();
    while (goes_on(line)) {
      line.pop_back();
      if (!lines.next()) break;
      line += without_leading_blanks(lines.text());
    }
    properties.push_back(split(line, Unescape(origin, number), number));
  }
  std::unordered_map<std::string_view, int64_t> last;  // looked up only, never iterated
  for (const Property& p : properties) last[p.key] = p.line;
  std::vector<Property> kept;
  for (const Property& p : properties)
    if (last.at(p.key) == p.line) kept.push_back(p);
  return kept;
}

}  // namespace superstep::config
