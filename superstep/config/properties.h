// The format of Java's .properties files (java.util.Properties.load), in which jobs of 2014 are
// written:
//
//   # a comment, as is a line that begins with !
//   app.name = digits
//   app.input.path: hdfs:///rows
//
//   for (const config::Property& p : config::parse_properties(text, "job.properties")) ...
//
// =, : or a blank ends a key. A line that ends in a backslash goes on with the next one, without
// the blanks that this begins with. Escapes in keys and values: \t \n \r \f, \uXXXX (pairs of
// surrogates for what is beyond), and a backslash before any other character stands for that one.
// The text is UTF-8, or else ISO-8859-1. Limit: blanks at the end of a value stay, as in Java.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace superstep::config {

struct Property {
  std::string key, value;  ///< UTF-8.
  int64_t line = 0;        ///< From 1; the one on which it begins.
};

/// All properties in the order of their lines; of those with one key the last, as in Java. Throws
/// ConfigError naming `origin` and line for a \u that is no character.
std::vector<Property> parse_properties(std::string_view text, const std::string& origin);

}  // namespace superstep::config
