// The table of old keys, and how their values are read: see properties_job.h.
#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace superstep::front_door {

/// What a property file trains; a key counts for some of them.
enum OldModel : unsigned {
  kOldDbn = 1,
  kOldMlp = 2,
  kOldLogistic = 4,
  kOldLinear = 8,
  kOldDl4j = 16,
  kOldRegression = kOldLogistic | kOldLinear,
  kOldAll = 31,
};

/// A value that cannot be read; what() is what was wanted.
struct Unreadable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct OldKey {
  const char* group;    ///< What its name begins with.
  const char* rest;     ///< The rest of it; one that ends in * stands for all that begin so.
  unsigned models;      ///< For which it counts; for the others it is ignored.
  const char* becomes;  ///< Settings of ours, with commas; "": ignored.
  /// The value as TOML, "" where it says nothing. Throws Unreadable. Null: whatever it is.
  std::string (*read)(std::string_view value);
  const char* how;  ///< For docs: how it is translated, or why it is ignored.

  [[nodiscard]] std::string name() const { return std::string(group) + rest; }
};

/// In the order in which they are applied: of two that become one setting the later wins. A key
/// that becomes settings of different values has a line for each.
std::span<const OldKey> old_keys();

inline constexpr const char* kForScore = "(score)";  ///< Becomes: read by scoring alone.
inline constexpr const char* kKind = "model.kind";   ///< Becomes: chosen before all others.
inline constexpr const char* kColumns = "data.label, data.drop";  ///< Becomes: worked out together.

std::string_view trimmed(std::string_view text);
/// What stands between commas, trimmed.
std::vector<std::string> old_list(std::string_view value);

}  // namespace superstep::front_door
