// Messages for people, on standard error. Answers go to standard output and never through here.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace superstep::log {

enum class Level { kDebug, kInfo, kWarning, kError };

/// Messages below `level` are dropped. Default: kInfo.
void set_level(Level level);
void write(Level level, std::string_view message);

template <class... Args>
void debug(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::kDebug, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::kInfo, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::kWarning, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace superstep::log
