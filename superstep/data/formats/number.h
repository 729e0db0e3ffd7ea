// Text to number, in any locale the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace superstep::data {

/// A finite decimal number ("1", "-.5", "+2e3"), all of the text, within the range of a double.
std::optional<double> parse_number(std::string_view text);

/// True for what stands for a label that is not there: nothing, "?", "nan" and infinities.
bool is_missing(std::string_view text);

/// Numbers in their shortest form ("5" for "5.0", "05" and "5e0"), other text as it is: so the same
/// label is the same class in every format.
std::string canonical_label(std::string_view text);

}  // namespace superstep::data
