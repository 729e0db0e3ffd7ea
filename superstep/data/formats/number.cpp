#include "superstep/data/formats/number.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>

namespace superstep::data {
namespace {

// std::from_chars, which takes no plus sign.
std::from_chars_result read_double(std::string_view text, double& value) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  return std::from_chars(text.data(), text.data() + text.size(), value);
}

}  // namespace

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = read_double(text, value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

bool is_missing(std::string_view text) {
  if (text.empty() || text == "?") return true;
  double value = 0;
  const auto [end, error] = read_double(text, value);
  return error == std::errc{} && end == text.data() + text.size() && !std::isfinite(value);
}

std::string canonical_label(std::string_view text) {
  const auto value = parse_number(text);
  if (!value) return std::string(text);
  constexpr double kExactIntegers = 0x1p53;
  if (*value == std::trunc(*value) && std::abs(*value) < kExactIntegers)
    return fmt::format("{}", static_cast<int64_t>(*value));
  return fmt::format("{}", *value);
}

}  // namespace superstep::data
