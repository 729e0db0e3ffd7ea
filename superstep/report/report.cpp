#include "superstep/report/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "superstep/report/curves.h"
#include "superstep/report/embedded.h"
#include "superstep/report/over_training_html.h"
#include "superstep/report/page.h"
#include "superstep/report/text.h"

namespace superstep::report {
namespace {

// About so many screen pixels wide is a picture of a gallery, a lone one (a sheet), a mistake.
constexpr int kItemPixels = 64, kSheetPixels = 940, kMistakePixels = 80;

constexpr int kMaxZoom = 10, kMaxSheetZoom = 5;

int zoom_for(const Picture& picture, int pixels, int most = kMaxZoom) {
  return std::clamp(pixels / std::max(1, picture.width), 1, most);
}

std::string opening(const ReportInput& input) {
  std::string out = fmt::format("<header>\n<h1>{}</h1>\n", escape(input.title));
  if (!input.figure.empty() || !input.answer.empty())
    out += fmt::format("<p class=\"answer\"><strong>{}</strong> {}</p>\n", escape(input.figure),
                       escape(input.answer));
  if (!input.facts.empty()) {
    out += "<dl class=\"facts\">\n";
    for (const auto& [label, value] : input.facts)
      out += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(label), escape(value));
    out += "</dl>\n";
  }
  return out + "</header>\n";
}

std::string charts(const ReportInput& input) {
  std::vector<Chart> all = curves(input.metrics);
  all.insert(all.end(), input.charts.begin(), input.charts.end());
  if (all.empty()) return "";
  std::string body;
  if (!embedded::uplot_js.empty())
    body =
        "<noscript><p>The charts are drawn by a script in this page, and scripts are off; their "
        "figures are in the tables.</p></noscript>\n";
  body += "<div class=\"charts\">\n";
  for (const Chart& chart : all) body += chart_html(chart);
  return section("Curves", body + "</div>\n");
}

std::string mistakes(const ReportInput& input) {
  if (input.mistakes.empty()) return "";
  std::string body = "<div class=\"mistakes\">\n";
  for (const Mistake& mistake : input.mistakes) {
    const std::string row = with_commas(mistake.row);
    body += "<figure>";
    if (mistake.picture)
      body += picture_html(
          *mistake.picture,
          fmt::format("row {}: {}, taken for {}", row, mistake.truth, mistake.predicted),
          zoom_for(*mistake.picture, kMistakePixels));
    body += fmt::format(
        "<figcaption><b>{}</b> taken for <b class=\"wrong\">{}</b><br>"
        "<span>row {}, {:.1f}% sure</span></figcaption>",
        escape(mistake.truth), escape(mistake.predicted), row, 100 * mistake.probability);
    if (!mistake.features.empty()) {
      body += "<dl>";
      for (const auto& [name, value] : mistake.features)
        body += fmt::format("<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
      body += "</dl>";
    }
    body += "</figure>\n";
  }
  return section("Worst mistakes", body + "</div>\n");
}

std::string gallery(const Gallery& gallery) {
  std::string body;
  if (!gallery.caption.empty()) body += fmt::format("<p>{}</p>\n", escape(gallery.caption));
  body += "<div class=\"gallery\">\n";
  const bool sheet = gallery.items.size() == 1;
  for (size_t i = 0; i < gallery.items.size(); ++i) {
    const auto& [picture, label] = gallery.items[i];
    const int fitting =
        zoom_for(picture, sheet ? kSheetPixels : kItemPixels, sheet ? kMaxSheetZoom : kMaxZoom);
    const int zoom = gallery.zoom > 0 ? gallery.zoom : fitting;
    const std::string alt =
        label.empty() ? fmt::format("{}, {} of {}", gallery.title, i + 1, gallery.items.size())
                      : label;
    body += "<figure>" + picture_html(picture, alt, zoom);
    if (!label.empty()) body += fmt::format("<figcaption>{}</figcaption>", escape(label));
    body += "</figure>\n";
  }
  return section(gallery.title, body + "</div>\n");
}

std::string closing(const ReportInput& input) {
  std::string out;
  if (!input.repeat.empty())
    out += section("To repeat it", fmt::format("<pre>{}</pre>\n", escape(input.repeat)));
  if (!input.config.empty()) {
    Table table{.headers = {"key", "value"}};
    for (const auto& [key, value] : input.config) table.rows.push_back({key, value});
    out += section("Config", table_html(table));
  }
  return out + "<footer>" + colophon() + "</footer>\n";
}

}  // namespace

std::string render_html(const ReportInput& input) {
  std::string out = opening(input) + charts(input);
  if (input.confusion) out += section("Confusion", confusion_html(*input.confusion));
  out += mistakes(input);
  for (const Gallery& g : input.galleries) out += gallery(g);
  out += over_training_html(input.over_training);
  for (const Table& table : input.tables) out += section(table.title, table_html(table));
  if (!input.metrics.empty()) {
    const Table time = time_table(input.metrics);
    out += section(time.title, table_html(time));
  }
  return page_html({.title = input.title, .body = out + closing(input)});
}

}  // namespace superstep::report
