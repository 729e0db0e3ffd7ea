#include "superstep/report/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <regex>
#include <set>

#include "superstep/base/error.h"
#include "superstep/report/embedded.h"

namespace superstep::report {
namespace {

constexpr const char* kEvil = "<script>alert(\"x\")</script>";

/// Every field filled, every text hostile.
ReportInput everything() {
  ReportInput in{.title = kEvil};
  in.figure = "50.00%";
  in.answer = kEvil;
  in.facts = {{kEvil, kEvil}};
  for (int64_t e = 0; e < 3; ++e) {
    MetricLine m;
    m.event = "epoch";
    m.phase = "finetune";
    m.epoch = e;
    m.loss = e == 1 ? NAN : 0.5;
    m.numbers["valid_error"] = 0.25;
    in.metrics.push_back(m);
  }
  in.metrics[0].phase = kEvil;
  in.charts = {scatter(kEvil, {1, 2}, {1, 2})};
  in.confusion = Confusion{{kEvil, "b"}, {{3, 1}, {0, 4}}};
  in.mistakes = {{7, kEvil, kEvil, 0.987, Picture{1, 1, 1, {9}}, {}},
                 {1234, "a", "b", 0.5, std::nullopt, {{kEvil, kEvil}}}};
  in.galleries = {{kEvil, kEvil, {{Picture{1, 1, 1, {9}}, kEvil}}, 0}};
  in.tables = {{kEvil, kEvil, {kEvil}, {{kEvil, kEvil}}}};
  in.config = {{kEvil, kEvil}};
  in.repeat = kEvil;
  return in;
}

/// The page without what stands inside its <script> and <style>, whose text is no HTML.
std::string markup(const std::string& page) {
  std::string out;
  size_t at = 0;
  while (at < page.size()) {
    size_t open = std::min(page.find("<script", at), page.find("<style", at));
    if (open == std::string::npos) break;
    const std::string end = page.compare(open, 7, "<script") == 0 ? "</script>" : "</style>";
    open = page.find('>', open) + 1;
    out += page.substr(at, open - at);
    at = page.find(end, open);
  }
  return out + page.substr(at);
}

/// "" when every tag is closed by its own, innermost first; else where it is not.
std::string unbalanced(const std::string& html) {
  static const std::set<std::string> kVoid = {"br", "img", "meta"};
  static const std::regex kTag("<(/?)([a-z][a-z0-9]*)([^<>]*)>");
  std::vector<std::string> open;
  for (std::sregex_iterator tag(html.begin(), html.end(), kTag), none; tag != none; ++tag) {
    const std::string name = (*tag)[2];
    if (kVoid.contains(name)) continue;
    if ((*tag)[1].length() == 0) {
      open.push_back(name);
    } else if (open.empty() || open.back() != name) {
      return "</" + name + "> at byte " + std::to_string(tag->position());
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> is left open";
}

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++n;
  return n;
}

TEST(Report, IsBalancedHtml) {
  EXPECT_EQ(unbalanced(markup(render_html(everything()))), "");
  EXPECT_EQ(unbalanced(markup(render_html({.title = "empty"}))), "");
  EXPECT_EQ(unbalanced("<p><b></p></b>"), "</p> at byte 6");  // the check can fail
}

TEST(Report, EscapesEveryText) {
  const std::string page = render_html(everything());
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_EQ(page.find("alert(\"x\")"), std::string::npos);
  EXPECT_GT(count(page, "&lt;script&gt;alert(&quot;x&quot;)"), 15U);
}

// The only address is in a comment of the chart library.
TEST(Report, AsksForNothingFromAnywhere) {
  const std::string page = render_html(everything());
  EXPECT_EQ(count(page, "://"), embedded::uplot_js.empty() ? 0U : 1U);
  EXPECT_EQ(count(page, "/*! https://"), count(page, "://"));
  EXPECT_EQ(count(page, "src=\""), count(page, "src=\"data:image/png;base64,"));
  for (const char* way : {"<link", "@import", "url(", "fetch(", "XMLHttpRequest", "<iframe"})
    EXPECT_EQ(page.find(way), std::string::npos) << way;
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
}

TEST(Report, GivesTheSameBytesForTheSameInput) {
  EXPECT_EQ(render_html(everything()), render_html(everything()));
}

TEST(Report, DescribesEveryPictureAndHeader) {
  const std::string page = markup(render_html(everything()));
  EXPECT_EQ(count(page, "<img "), 2U);
  EXPECT_EQ(count(page, "<img alt=\""), 2U);
  EXPECT_EQ(count(page, "<th "), count(page, "<th scope=\""));
  EXPECT_GT(count(page, "<th "), 0U);
}

TEST(Report, LeavesOutWhatIsEmpty) {
  const std::string page = markup(render_html({.title = "only a title"}));
  EXPECT_NE(page.find("<h1>only a title</h1>"), std::string::npos);
  EXPECT_EQ(page.find("<section>"), std::string::npos);
}

TEST(Report, SaysAMistakeInWords) {
  const std::string page = render_html(everything());
  EXPECT_NE(page.find("<span>row 7, 98.7% sure</span>"), std::string::npos);
  EXPECT_NE(page.find("<span>row 1,234, 50.0% sure</span>"), std::string::npos);
}

// A chart's gap is null in its data and "-" in its table.
TEST(Report, ShowsTheFiguresOfACurve) {
  Chart chart{.title = "Loss", .x_label = "epoch", .y_label = "loss"};
  chart.x = {1, 2};
  chart.series = {{"training", {0.5, NAN}}};
  const std::string html = chart_html(chart);
  EXPECT_NE(html.find("<th scope=\"row\">2</th><td class=\"n\">-</td>"), std::string::npos);
  EXPECT_NE(html.find("<th scope=\"row\">1</th><td class=\"n\">0.5</td>"), std::string::npos);
  // Where there is no chart library there is no data for it either.
  EXPECT_EQ(count(html, "\"y\":[0.5,null]"), embedded::uplot_js.empty() ? 0U : 1U);
  chart.series[0].y.pop_back();
  EXPECT_THROW((void)chart_html(chart), DataError);
}

// Class a: 3 of 4 rows found, all 3 predictions right. Class b: 4 of 4 found, 4 of 5 right.
// F1 of a: 2 * 3 / (3 + 4) = 85.71%; of b: 2 * 4 / (5 + 4) = 88.89%. The shade of the one
// mistake is sqrt(1 / 4) = 0.50.
TEST(Confusion, GivesPrecisionAndRecallOfEachClass) {
  const std::string html = confusion_html({{"a", "b"}, {{3, 1}, {0, 4}}});
  EXPECT_NE(html.find("<th scope=\"row\">a</th><td class=\"n\">4</td><td class=\"n\">100.00%</td>"
                      "<td class=\"n\">75.00%</td><td class=\"n\">85.71%</td>"),
            std::string::npos);
  EXPECT_NE(html.find("<th scope=\"row\">b</th><td class=\"n\">4</td><td class=\"n\">80.00%</td>"
                      "<td class=\"n\">100.00%</td><td class=\"n\">88.89%</td>"),
            std::string::npos);
  EXPECT_NE(html.find("<td class=\"miss\" style=\"--shade:0.50\">1</td>"), std::string::npos);
}

TEST(Confusion, SaysNothingOfAClassThatNeverComes) {
  const std::string html = confusion_html({{"a", "b"}, {{3, 0}, {0, 0}}});
  EXPECT_NE(html.find("<th scope=\"row\">b</th><td class=\"n\">0</td><td class=\"n\">-</td><td "
                      "class=\"n\">-</td><td class=\"n\">-</td>"),
            std::string::npos);
}

TEST(Confusion, ListsTheCommonestPairsOfManyClasses) {
  Confusion many;
  for (size_t k = 0; k < 31; ++k) {
    many.names.push_back("class " + std::to_string(k));
    many.counts.emplace_back(31, 0);
  }
  many.counts[4][9] = 1200;
  const std::string html = confusion_html(many);
  EXPECT_EQ(html.find("class=\"confusion\""), std::string::npos);
  EXPECT_NE(html.find("class 4</th><td>class 9</td><td class=\"n\">1,200</td>"), std::string::npos);
}

TEST(Confusion, RefusesCountsThatDoNotFit) {
  EXPECT_THROW((void)confusion_html({{"a", "b"}, {{1, 2}}}), DataError);
  EXPECT_THROW((void)confusion_html({{"a"}, {{1, 2}}}), DataError);
}

}  // namespace
}  // namespace superstep::report
