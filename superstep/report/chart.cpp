#include "superstep/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "superstep/base/error.h"
#include "superstep/report/embedded.h"
#include "superstep/report/html.h"
#include "superstep/report/text.h"

namespace superstep::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kTableRows = 12;

std::string value_text(const Chart& chart, double value) {
  return chart.percent ? percent_text(value) : number_text(value);
}

/// Places in 0 .. size - 1, at most `most`, evenly spread, first and last among them.
std::vector<size_t> spread(size_t size, size_t most) {
  std::vector<size_t> places;
  const size_t count = std::min(size, most);
  for (size_t i = 0; i < count; ++i)
    places.push_back(count == 1 ? 0 : (i * (size - 1) + (count - 1) / 2) / (count - 1));
  return places;
}

/// What a person who does not see the chart is told of it.
std::string summary(const Chart& chart) {
  std::string text = fmt::format("{}: {} by {}", chart.title, chart.y_label, chart.x_label);
  if (chart.points)
    return text + fmt::format(", {} points", with_commas(static_cast<int64_t>(chart.x.size())));
  for (const Series& series : chart.series) {
    const auto known = [](double v) { return std::isfinite(v); };
    const auto first = std::find_if(series.y.begin(), series.y.end(), known);
    const auto last = std::find_if(series.y.rbegin(), series.y.rend(), known);
    if (first != series.y.end())
      text += fmt::format("; {} from {} to {}", series.name, value_text(chart, *first),
                          value_text(chart, *last));
  }
  return text;
}

std::string data_json(const Chart& chart) {
  Json json;
  json["x_label"] = chart.x_label;
  json["y_label"] = chart.y_label;
  json["percent"] = chart.percent;
  json["from_zero"] = chart.from_zero;
  json["points"] = chart.points;
  if (chart.mark) {
    json["mark"] = *chart.mark;
    json["mark_label"] = chart.mark_label;
  }
  json["x"] = chart.x;
  json["series"] = Json::array();
  for (const Series& series : chart.series) {
    // NaN and infinity become null, which is uPlot's gap.
    Json y = Json::array();
    for (const double v : series.y) y.push_back(std::isfinite(v) ? Json(v) : Json(nullptr));
    json["series"].push_back({{"name", series.name}, {"y", std::move(y)}});
  }
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  // Inside <script> nothing may look like the end of it.
  for (size_t at = 0; (at = text.find('<', at)) != std::string::npos; at += 6)
    text.replace(at, 1, "\\u003c");
  return text;
}

std::string figures_html(const Chart& chart) {
  Table table;
  table.headers.push_back(chart.x_label);
  for (const Series& series : chart.series) table.headers.push_back(series.name);
  std::vector<size_t> places = spread(chart.x.size(), kTableRows);
  for (size_t i = 0; i < chart.x.size(); ++i)
    if (chart.mark && chart.x[i] == *chart.mark) places.push_back(i);
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  for (const size_t i : places) {
    std::vector<std::string> row = {number_text(chart.x[i])};
    for (const Series& series : chart.series) row.push_back(value_text(chart, series.y[i]));
    table.rows.push_back(std::move(row));
  }
  // Without the chart library the table is all there is to see.
  return fmt::format("<details{}><summary>Figures</summary>{}</details>",
                     embedded::uplot_js.empty() ? " open" : "", table_html(table));
}

}  // namespace

std::string number_text(double value) {
  return std::isfinite(value) ? fmt::format("{:.4g}", value) : "-";
}

std::string percent_text(double share) {
  return std::isfinite(share) ? fmt::format("{:.2f}%", 100 * share) : "-";
}

Chart scatter(const std::string& title, const std::vector<double>& truth,
              const std::vector<double>& predicted) {
  if (truth.size() != predicted.size())
    throw DataError("[scatter] {} true values and {} predicted ones; wanted as many", truth.size(),
                    predicted.size());
  std::vector<std::pair<double, double>> pairs;
  for (size_t i = 0; i < truth.size(); ++i)
    if (std::isfinite(truth[i]) && std::isfinite(predicted[i]))
      pairs.emplace_back(truth[i], predicted[i]);
  std::sort(pairs.begin(), pairs.end());

  Chart chart{.title = title, .x_label = "true value", .y_label = "predicted value"};
  chart.points = true;
  chart.series = {{"predicted", {}}, {"as it should be", {}}};
  for (const size_t i : spread(pairs.size(), kScatterPoints)) {
    chart.x.push_back(pairs[i].first);
    chart.series[0].y.push_back(pairs[i].second);
    chart.series[1].y.push_back(pairs[i].first);
  }
  chart.caption = "Each point is a row; on the line prediction and truth are equal.";
  if (pairs.size() > kScatterPoints)
    chart.caption +=
        fmt::format(" Shown are {} of {} rows, evenly chosen by true value.",
                    with_commas(kScatterPoints), with_commas(static_cast<int64_t>(pairs.size())));
  return chart;
}

std::string chart_html(const Chart& chart) {
  for (const Series& series : chart.series)
    if (series.y.size() != chart.x.size())
      throw DataError("[chart] series '{}' of '{}' has {} values, wanted {}", series.name,
                      chart.title, series.y.size(), chart.x.size());
  std::string out = "<figure class=\"chart\">";
  out += fmt::format("<h3>{}</h3>", escape(chart.title));
  if (!embedded::uplot_js.empty())
    out += fmt::format("<div class=\"plot\" role=\"img\" aria-label=\"{}\"></div>",
                       escape(summary(chart)));
  if (!chart.caption.empty())
    out += fmt::format("<figcaption>{}</figcaption>", escape(chart.caption));
  if (!embedded::uplot_js.empty())
    out += fmt::format("<script type=\"application/json\">{}</script>", data_json(chart));
  return out + figures_html(chart) + "</figure>\n";
}

}  // namespace superstep::report
