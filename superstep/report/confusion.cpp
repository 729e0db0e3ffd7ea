#include "superstep/report/confusion.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "superstep/base/error.h"
#include "superstep/report/chart.h"
#include "superstep/report/html.h"
#include "superstep/report/text.h"

namespace superstep::report {
namespace {

constexpr size_t kMatrixClasses = 30, kPairs = 20;

double share(int64_t part, int64_t whole) {
  return whole == 0 ? std::numeric_limits<double>::quiet_NaN()
                    : static_cast<double>(part) / static_cast<double>(whole);
}

int64_t row_sum(const Confusion& c, size_t truth) {
  int64_t sum = 0;
  for (const int64_t count : c.counts[truth]) sum += count;
  return sum;
}

int64_t column_sum(const Confusion& c, size_t predicted) {
  int64_t sum = 0;
  for (const auto& row : c.counts) sum += row[predicted];
  return sum;
}

/// The shade of a cell is the root of its share of the true class, so that one mistake among a
/// hundred rows is seen, yet far from the shade of what is right.
std::string cell(const Confusion& c, size_t truth, size_t predicted) {
  const int64_t count = c.counts[truth][predicted];
  if (count == 0) return "<td class=\"zero\">0</td>";
  const double shade = std::sqrt(share(count, row_sum(c, truth)));
  return fmt::format("<td class=\"{}\" style=\"--shade:{:.2f}\">{}</td>",
                     truth == predicted ? "hit" : "miss", shade, with_commas(count));
}

std::string matrix(const Confusion& c) {
  std::string out =
      "<div class=\"wide\"><table class=\"confusion\">"
      "<caption>Rows: the true class. Columns: what was predicted. Blue is right, red is wrong, "
      "and "
      "the stronger the larger its share of the true class.</caption><thead><tr>"
      "<th scope=\"col\">true \\ predicted</th>";
  for (const std::string& name : c.names)
    out += fmt::format("<th scope=\"col\">{}</th>", escape(name));
  out += "</tr></thead><tbody>";
  for (size_t truth = 0; truth < c.names.size(); ++truth) {
    out += fmt::format("<tr><th scope=\"row\">{}</th>", escape(c.names[truth]));
    for (size_t predicted = 0; predicted < c.names.size(); ++predicted)
      out += cell(c, truth, predicted);
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string commonest_pairs(const Confusion& c) {
  std::vector<std::tuple<int64_t, size_t, size_t>> pairs;  // -count, true, predicted
  for (size_t truth = 0; truth < c.names.size(); ++truth)
    for (size_t predicted = 0; predicted < c.names.size(); ++predicted)
      if (truth != predicted && c.counts[truth][predicted] > 0)
        pairs.emplace_back(-c.counts[truth][predicted], truth, predicted);
  std::sort(pairs.begin(), pairs.end());
  pairs.resize(std::min(pairs.size(), kPairs));
  Table table{.caption = "The commonest confusions", .headers = {"true", "predicted", "rows"}};
  for (const auto& [negated, truth, predicted] : pairs)
    table.rows.push_back({c.names[truth], c.names[predicted], with_commas(-negated)});
  return table_html(table);
}

std::string per_class(const Confusion& c) {
  Table table{.caption =
                  "Precision: of the rows predicted as this class, the share that is. "
                  "Recall: of the rows of this class, the share that was found.",
              .headers = {"class", "rows", "precision", "recall", "F1"}};
  for (size_t k = 0; k < c.names.size(); ++k) {
    const int64_t right = c.counts[k][k], rows = row_sum(c, k), predicted = column_sum(c, k);
    table.rows.push_back({c.names[k], with_commas(rows), percent_text(share(right, predicted)),
                          percent_text(share(right, rows)),
                          // F1 = 2 right / (predicted + rows), the harmonic mean of the two.
                          percent_text(share(2 * right, predicted + rows))});
  }
  return table_html(table);
}

}  // namespace

std::string confusion_html(const Confusion& confusion) {
  const size_t classes = confusion.names.size();
  const auto fits = [classes](const auto& row) { return row.size() == classes; };
  if (confusion.counts.size() != classes ||
      !std::all_of(confusion.counts.begin(), confusion.counts.end(), fits))
    throw DataError("[confusion] wanted {0} x {0} counts for {0} names", classes);
  return (classes <= kMatrixClasses ? matrix(confusion) : commonest_pairs(confusion)) +
         per_class(confusion);
}

}  // namespace superstep::report
