#include "superstep/report/page.h"

#include <fmt/format.h>

#include "superstep/report/embedded.h"
#include "superstep/report/html.h"

namespace superstep::report {
namespace {

std::string scripts() {
  if (embedded::uplot_js.empty()) return "";
  return fmt::format("<script>\n/*\n{}\n*/\n{}</script>\n<script>\n{}</script>\n",
                     embedded::uplot_licence, embedded::uplot_js, embedded::page_js);
}

}  // namespace

std::string page_html(const Page& page) {
  // The policy makes the promise a rule: the browser fetches nothing, whatever a text contains.
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
      "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n{}<title>{} - Superstep</title>\n"
      "<style>\n{}\n{}</style>\n</head>\n<body>\n<main>\n{}</main>\n{}</body>\n</html>\n",
      page.head, escape(page.title), embedded::uplot_css, embedded::page_css, page.body, scripts());
}

std::string section(std::string_view title, std::string_view body) {
  return body.empty() ? ""
                      : fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", escape(title), body);
}

std::string colophon() {
  return std::string(
             "Written by Superstep. This page holds all that it shows and fetches nothing.") +
         (embedded::uplot_js.empty() ? "" : " Charts: uPlot, MIT licence.");
}

}  // namespace superstep::report
