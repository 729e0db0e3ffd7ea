// The frame of a page that holds all it shows: style, scripts, and the policy that it fetches
// nothing.
#pragma once

#include <string>
#include <string_view>

namespace superstep::report {

struct Page {
  std::string title{};  ///< Text.
  std::string head{};   ///< More of <head>: HTML.
  std::string body{};   ///< Of <main>: HTML.
};
std::string page_html(const Page& page);

/// A <section> under a heading; "" where the body is empty.
std::string section(std::string_view title, std::string_view body);

/// What stands in every footer about what the page is made of: HTML.
std::string colophon();

}  // namespace superstep::report
