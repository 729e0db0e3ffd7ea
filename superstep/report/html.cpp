#include "superstep/report/html.h"

#include <fmt/format.h>

#include <algorithm>

#include "superstep/report/base64.h"

namespace superstep::report {
namespace {

/// Digits with signs, separators and a unit of one sign: "1,149", "-0.03", "1.67%", "5e-05"; or
/// "-".
bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.,+-e%") == std::string_view::npos;
}

/// A column of numbers, but for its header; the first column names the rows.
bool is_number_column(const Table& table, size_t column) {
  const auto fits = [column](const auto& row) {
    return column >= row.size() || is_number(row[column]);
  };
  return column > 0 && std::all_of(table.rows.begin(), table.rows.end(), fits);
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        const bool control = static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t';
        if (control || c == 0x7F)
          out += "\xEF\xBF\xBD";
        else
          out += c;
    }
  }
  return out;
}

std::string table_html(const Table& table) {
  std::string out = "<div class=\"wide\"><table>";
  if (!table.caption.empty()) out += fmt::format("<caption>{}</caption>", escape(table.caption));
  const auto right = [&table](size_t column) {
    return is_number_column(table, column) ? " class=\"n\"" : "";
  };
  if (!table.headers.empty()) {
    out += "<thead><tr>";
    for (size_t i = 0; i < table.headers.size(); ++i)
      out += fmt::format("<th scope=\"col\"{}>{}</th>", right(i), escape(table.headers[i]));
    out += "</tr></thead>";
  }
  out += "<tbody>";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (size_t i = 0; i < row.size(); ++i) {
      if (i == 0)
        out += fmt::format("<th scope=\"row\">{}</th>", escape(row[i]));
      else
        out += fmt::format("<td{}>{}</td>", right(i), escape(row[i]));
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string picture_html(const Picture& picture, std::string_view alt, int zoom) {
  return fmt::format("<img alt=\"{}\" width=\"{}\" height=\"{}\" src=\"data:image/png;base64,{}\">",
                     escape(alt), picture.width * zoom, picture.height * zoom,
                     base64(encode_png(picture)));
}

}  // namespace superstep::report
