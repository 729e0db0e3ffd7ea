#include "superstep/data/formats/svmlight.h"

#include "superstep/base/error.h"
#include "superstep/data/formats/memory_stream.h"
#include "superstep/data/testing.h"

namespace superstep::data {
namespace {

Records parse(std::string_view text, const SvmlightPlan& plan = {.first = 1, .columns = 9}) {
  MemoryStream in(text);
  return parse_svmlight(in, "rows.svm", plan);
}

SvmlightIndices scan(std::string_view text, bool skip_bad = false) {
  MemoryStream in(text);
  return scan_svmlight(in, "rows.svm", skip_bad);
}

bool is_known(std::string_view text) {
  MemoryStream in(text);
  return is_svmlight(in);
}

TEST(Svmlight, HoldsWhatRowsName) {
  // A row of zeros, a zero that is named, blanks, a comment, CRLF, no end of the last line.
  const Records records =
      parse("\xEF\xBB\xBFspam 2:1 7:-.5 9:+2e3 # 8:1\r\n+1\n\n  # none\n01.0\t1:0\t 3:4");
  EXPECT_EQ(records.rows, 3);
  EXPECT_EQ(records.columns, 9);
  const auto& values = std::get<SparseValues>(records.values);
  EXPECT_EQ(values.offsets, (std::vector<int64_t>{0, 3, 3, 4}));
  EXPECT_EQ(values.columns, (std::vector<int32_t>{1, 6, 8, 2}));
  EXPECT_EQ(values.values, (std::vector<double>{1, -0.5, 2000, 4}));
  // "+1" and "01.0" are one label.
  EXPECT_EQ(records.label_names, (std::vector<std::string>{"spam", "1"}));
  EXPECT_EQ(records.label_codes, (std::vector<int32_t>{0, 1, 1}));
  EXPECT_EQ(records.line_of(0), 1);
  EXPECT_EQ(records.line_of(1), 2);
  EXPECT_EQ(records.line_of(2), 5);
}

TEST(Svmlight, FindsTheIndicesThatOccur) {
  const SvmlightIndices found = scan("1 4:1 8:0\n2\n3 2:1\n");
  EXPECT_EQ(found.rows, 3);
  EXPECT_EQ(found.lowest, 2);
  EXPECT_EQ(found.highest, 8);
  EXPECT_EQ(scan("1\n2\n").highest, -1);
}

TEST(Svmlight, IsKnownByItsFirstLines) {
  EXPECT_TRUE(is_known("# a comment\n1\n0 3:1.5 4:2\n"));
  EXPECT_TRUE(is_known("spam 0:1"));
  for (const char* other : {"", "1\n0\n", "1,2\n3,4\n", "time,x\n10:30,1\n", "1 2 3\n4 5 6\n",
                            "1:2 3:4\n", "1 3:4\nat 10:x\n"})
    EXPECT_FALSE(is_known(other)) << other;
  // Longer than what is looked at: a row that is cut there does not count.
  std::string long_rows;
  for (int i = 0; i < 10'000; ++i) long_rows += "1 3:0.125 4:2\n";
  EXPECT_TRUE(is_known(long_rows));
  EXPECT_TRUE(is_known(long_rows + "no row"));
}

TEST(Svmlight, NamesTheLineOfABadRowAndWhatWasWanted) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"3:1 4:2", "begins with '3:1', wanted a label"},
      {"nan 3:1", "the label is 'nan'"},
      {"1 3:1 3:2", "index 3 after 3, wanted ascending ones"},
      {"1 3:1 2:2", "index 2 after 3"},
      {"1 3", "'3', wanted index:value"},
      {"1 -3:1", "'-3:1', wanted index:value"},
      {"1 qid:7 3:1", "'qid:7', wanted index:value"},
      {"1 3:", "index 3 holds '', wanted a number"},
      {"1 3:4:5", "index 3 holds '4:5', wanted a number"},
      {"1 3:inf", "index 3 holds 'inf', wanted a number"},
      {"1 99999999999999999999:1", "'99999999999999999999:1', wanted index:value"},
      {"1 16777217:1", "index 16777217, wanted at most 16777216"},
      {"1 3: 4", "index 3 holds ''"},
      {"1,2 x", "'x', wanted index:value"}};
  for (const auto& [row, reason] : cases) {
    const std::string text = "1 3:1\n\n" + row + "\n2 4:1\n";
    EXPECT_ERROR(DataError, parse(text), "rows.svm:3: ", reason);
    EXPECT_ERROR(DataError, scan(text), "rows.svm:3: ", reason);
    EXPECT_EQ(scan(text, true).rows, 2) << row;
    const Records records = parse(text, {.first = 1, .columns = 9, .skip_bad = true});
    EXPECT_EQ(records.rows, 2);
    EXPECT_EQ(std::get<SparseValues>(records.values).columns, (std::vector<int32_t>{2, 3}));
    EXPECT_EQ(records.label_codes, (std::vector<int32_t>{0, 1}));
    ASSERT_EQ(records.bad.size(), 1U);
    EXPECT_EQ(records.bad[0].line, 3);
    EXPECT_NE(records.bad[0].reason.find(reason), std::string::npos) << records.bad[0].reason;
  }
}

TEST(Svmlight, RefusesAnIndexThatIsNoColumn) {
  EXPECT_ERROR(DataError, parse("1 9:1\n1 10:1\n"), "rows.svm:2: index 10, but columns are 1 to 9");
  EXPECT_ERROR(DataError, parse("1 0:1\n"), "index 0, but columns are 1 to 9");
  EXPECT_EQ(parse("1 0:1 8:1\n", {.first = 0, .columns = 9}).rows, 1);
}

}  // namespace
}  // namespace superstep::data
