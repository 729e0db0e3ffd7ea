#include "superstep/report/html.h"

#include <gtest/gtest.h>

namespace superstep::report {
namespace {

TEST(Html, EscapesWhatHtmlWouldRead) {
  EXPECT_EQ(escape("<script>alert('a & \"b\"')</script>"),
            "&lt;script&gt;alert(&#39;a &amp; &quot;b&quot;&#39;)&lt;/script&gt;");
  EXPECT_EQ(escape("caf\xC3\xA9\n"), "caf\xC3\xA9\n");
  EXPECT_EQ(escape(std::string_view("a\0b", 3)),
            "a\xEF\xBF\xBD"
            "b");
}

// Of the columns, "n" holds numbers only ("-" stands for none), "v" a word too.
TEST(Html, PutsColumnsOfNumbersToTheRight) {
  const Table table{.headers = {"k", "n", "v"}, .rows = {{"1", "1,149", "5"}, {"2", "-", "iris"}}};
  EXPECT_EQ(table_html(table),
            "<div class=\"wide\"><table><thead><tr><th scope=\"col\">k</th>"
            "<th scope=\"col\" class=\"n\">n</th><th scope=\"col\">v</th></tr></thead><tbody>"
            "<tr><th scope=\"row\">1</th><td class=\"n\">1,149</td><td>5</td></tr>\n"
            "<tr><th scope=\"row\">2</th><td class=\"n\">-</td><td>iris</td></tr>\n"
            "</tbody></table></div>\n");
}

TEST(Html, HoldsThePictureItself) {
  const std::string html = picture_html(Picture{2, 1, 1, {0, 255}}, "a \"two\"", 8);
  EXPECT_EQ(html.find("<img alt=\"a &quot;two&quot;\" width=\"16\" height=\"8\" "
                      "src=\"data:image/png;base64,iVBORw0KGgo"),
            0U);
}

}  // namespace
}  // namespace superstep::report
