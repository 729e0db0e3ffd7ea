// How a benchmark prints what it measured: a line a figure, for people or, with --json, for
// programs.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace superstep::bench {

class Figures {
 public:
  Figures(int argc, char** argv)
      : json_(std::ranges::any_of(std::span(argv, static_cast<size_t>(argc)),
                                  [](std::string_view word) { return word == "--json"; })) {}

  /// `name` holds no character that JSON escapes.
  void add(const std::string& name, double value, const std::string& unit) const {
    if (json_)
      fmt::print("{{\"name\": \"{}\", \"value\": {}, \"unit\": \"{}\"}}\n", name, value, unit);
    else
      fmt::print("{:<56} {:>10.4g} {}\n", name, value, unit);
    std::fflush(stdout);
  }

 private:
  bool json_;
};

/// The value below which this share of them lies.
inline double percentile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
}
inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace superstep::bench
