// Line charts and scatters of the report, drawn by uPlot in the page, with their figures in a table
// for readers without script, on paper or with a screen reader.
//
//   Chart chart{.title = "Loss", .x_label = "epoch", .y_label = "loss", .x = {1, 2, 3}};
//   chart.series.push_back({"training", {0.9, 0.5, 0.4}});
//   page += chart_html(chart);
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace superstep::report {

struct Series {
  std::string name;
  std::vector<double> y;  ///< One for each x; NaN leaves a gap.
};

struct Chart {
  std::string title{}, caption{};
  std::string x_label{}, y_label{};
  std::vector<double> x{};  ///< Ascending.
  std::vector<Series> series{};
  bool percent = false;          ///< y is a share: 0.0167 is shown as 1.67%.
  bool from_zero = false;        ///< The y axis begins at 0.
  bool points = false;           ///< The first series is points and not a line: a scatter.
  std::optional<double> mark{};  ///< An x to point out by an upright line, such as the best epoch.
  std::string mark_label{};
};

/// Pairs to compare, as a chart of points with the line on which they would be equal. Above
/// `kScatterPoints` pairs it shows evenly chosen ones, and says so. Pairs that are not finite are
/// left out.
inline constexpr size_t kScatterPoints = 2000;
Chart scatter(const std::string& title, const std::vector<double>& truth,
              const std::vector<double>& predicted);

/// Up to six significant digits: "0.0312", "12.5", "1.2e-05"; "-" for NaN.
std::string number_text(double value);
/// "1.67%"; "-" for NaN.
std::string percent_text(double share);

std::string chart_html(const Chart& chart);

}  // namespace superstep::report
