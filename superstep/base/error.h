// Errors: who can mend it decides the type.
//
//   throw DataError("{}:{}: column '{}' holds '{}', wanted a number", file, line, column, text);
//
// A message says who, what was wanted, what was got and what to do. A broken promise of our own
// code is no exception but an assertion: SUPERSTEP_ASSERT ends the process.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace superstep {

/// The base of everything that Superstep throws on purpose.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A command line, key or value that cannot be (exit code 2).
class ConfigError : public Error {
 public:
  template <class... Args>
  explicit ConfigError(fmt::format_string<Args...> text, Args&&... args)
      : Error(fmt::format(text, std::forward<Args>(args)...)) {}
};

/// Records that do not hold what they should: file, line or byte, field, value, what was wanted.
class DataError : public Error {
 public:
  template <class... Args>
  explicit DataError(fmt::format_string<Args...> text, Args&&... args)
      : Error(fmt::format(text, std::forward<Args>(args)...)) {}
};

/// The world: a file that is missing, cut short or cannot be written; a disk that is full.
class FileError : public Error {
 public:
  template <class... Args>
  explicit FileError(fmt::format_string<Args...> text, Args&&... args)
      : Error(fmt::format(text, std::forward<Args>(args)...)) {}
};

/// A value that is not finite, or too large for the exact sum: layer, superstep, replica, advice.
class NumericError : public Error {
 public:
  template <class... Args>
  explicit NumericError(fmt::format_string<Args...> text, Args&&... args)
      : Error(fmt::format(text, std::forward<Args>(args)...)) {}
};

namespace detail {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}  // namespace detail

}  // namespace superstep

/// Our own promise; holds in every build.
#define SUPERSTEP_ASSERT(condition)                                          \
  do {                                                                       \
    if (!(condition)) [[unlikely]]                                           \
      ::superstep::detail::assertion_failed(#condition, __FILE__, __LINE__); \
  } while (false)
