#include "superstep/data/formats/metronome.h"

#include "superstep/base/error.h"
#include "superstep/data/formats/memory_stream.h"
#include "superstep/data/testing.h"

namespace superstep::data {
namespace {

Records parse(std::string_view text, const MetronomePlan& plan = {.columns = 9}) {
  MemoryStream in(text);
  return parse_metronome(in, "rows.metronome", plan);
}

MetronomeIndices scan(std::string_view text, bool skip_bad = false) {
  MemoryStream in(text);
  return scan_metronome(in, "rows.metronome", skip_bad);
}

bool is_known(std::string_view text) {
  MemoryStream in(text);
  return is_metronome(in);
}

TEST(Metronome, HoldsWhatRowsNameAndTheClassThatIsOne) {
  // A row of zeros, a zero that is named, indices out of order, no blanks at the bar, CRLF, no end
  // of the last line, and outputs that name a zero.
  const Records records = parse(
      "\xEF\xBB\xBF"
      "0:0.3 4:.21 8:0 | 2:1.0\r\n\n7:-2 1:3|0:1\n\t| 2:1 0:0");
  EXPECT_EQ(records.rows, 3);
  EXPECT_EQ(records.columns, 9);
  const auto& values = std::get<SparseValues>(records.values);
  EXPECT_EQ(values.offsets, (std::vector<int64_t>{0, 2, 4, 4}));
  EXPECT_EQ(values.columns, (std::vector<int32_t>{0, 4, 1, 7}));
  EXPECT_EQ(values.values, (std::vector<double>{0.3, 0.21, 3, -2}));
  EXPECT_EQ(records.label_names, (std::vector<std::string>{"2", "0"}));
  EXPECT_EQ(records.label_codes, (std::vector<int32_t>{0, 1, 0}));
  EXPECT_EQ(records.line_of(0), 1);
  EXPECT_EQ(records.line_of(2), 4);
}

TEST(Metronome, HasASingleOutputAsItsLabel) {
  const Records records =
      parse("0:1 | 0:0.50\n1:1 |\n2:1 | 0:0.0\n", {.columns = 9, .outputs = Outputs::kValue});
  EXPECT_EQ(records.label_names, (std::vector<std::string>{"0.5", "0"}));
  EXPECT_EQ(records.label_codes, (std::vector<int32_t>{0, 1, 1}));
  EXPECT_ERROR(DataError, parse("0:1 | 1:1\n", {.columns = 9, .outputs = Outputs::kValue}),
               "rows.metronome:1: output 1, but there is only output 0");
}

TEST(Metronome, LeavesOutputsAloneWhereTheyAreNoLabel) {
  const Records records =
      parse("0:1 | 0:0.5 1:0.5\n1:1 |\n", {.columns = 9, .outputs = Outputs::kNone});
  EXPECT_EQ(records.rows, 2);
  EXPECT_TRUE(records.label_codes.empty());
}

TEST(Metronome, FindsTheHighestIndices) {
  const MetronomeIndices found = scan("4:1 2:0 | 1:1\n| 0:1\n\n3:1 |\n");
  EXPECT_EQ(found.rows, 3);
  EXPECT_EQ(found.feature, 4);
  EXPECT_EQ(found.output, 1);
  EXPECT_EQ(scan("|\n").feature, -1);
}

TEST(Metronome, IsKnownByItsFirstLines) {
  EXPECT_TRUE(is_known("0:0.3 4:0.21 | 0:1.0"));
  EXPECT_TRUE(is_known("\n0:1|\n| 0:1\r\n"));
  for (const char* other : {"", "|\n", "1|2\n3|4\n", "1 3:1.5\n", "0:1 2:1\n", "0:1 | 0:1 | 0:1\n",
                            "1 | 0:1\n", "0:1 | 0:1\nx|y\n", "at|10:30\n"})
    EXPECT_FALSE(is_known(other)) << other;
  std::string long_rows;
  for (int i = 0; i < 10'000; ++i) long_rows += "3:0.125 4:2 | 1:1\n";
  EXPECT_TRUE(is_known(long_rows));
  EXPECT_TRUE(is_known(long_rows + "no record"));
}

TEST(Metronome, NamesTheLineOfABadRecordAndWhatWasWanted) {
  const std::vector<std::pair<std::string, std::string>> malformed = {
      {"3:1 4:2", "no | between features and outputs"},
      {"3:1 | 0:1 | 1:1", "more than one |"},
      {"3 | 0:1", "'3', wanted index:value"},
      {"-3:1 | 0:1", "'-3:1', wanted index:value"},
      {"3:x | 0:1", "index 3 holds 'x', wanted a number"},
      {"3:nan | 0:1", "index 3 holds 'nan', wanted a number"},
      {"3:1 2:1 3:2 | 0:1", "index 3 stands there twice"},
      {"3:1 | 0:1 0:1", "output 0 stands there twice"},
      {"3:1 | 1", "outputs: '1', wanted index:value"},
      {"3:1 | 0:", "outputs: index 0 holds '', wanted a number"},
      {"16777217:1 | 0:1", "index 16777217, wanted at most 16777216"}};
  const std::vector<std::pair<std::string, std::string>> unfit = {
      {"3:1 | 0:1 2:1", "outputs 0 and 2 are not 0, wanted one class"},
      {"3:1 | 2:0.5", "output 2 is 0.5, wanted 1 for the row's class"},
      {"3:1 | 2:0", "no output is 1, wanted the row's class"},
      {"3:1 |", "no output is 1, wanted the row's class"},
      {"3:1 9:1 | 0:1", "index 9, but columns are 0 to 8"}};
  const auto text_with = [](const std::string& row) {
    return "3:1 | 0:1\n\n" + row + "\n4:1 | 1:1\n";
  };
  const auto check = [](const std::string& text, const std::string& reason) {
    EXPECT_ERROR(DataError, parse(text), "rows.metronome:3: ", reason);
    const Records records = parse(text, {.columns = 9, .skip_bad = true});
    EXPECT_EQ(records.rows, 2);
    EXPECT_EQ(std::get<SparseValues>(records.values).columns, (std::vector<int32_t>{3, 4}));
    EXPECT_EQ(records.label_codes, (std::vector<int32_t>{0, 1}));
    ASSERT_EQ(records.bad.size(), 1U);
    EXPECT_EQ(records.bad[0].line, 3);
    EXPECT_NE(records.bad[0].reason.find(reason), std::string::npos) << records.bad[0].reason;
  };
  for (const auto& [row, reason] : malformed) {
    const std::string text = text_with(row);
    check(text, reason);
    EXPECT_ERROR(DataError, scan(text), "rows.metronome:3: ", reason);
    EXPECT_EQ(scan(text, true).rows, 2) << row;
  }
  for (const auto& [row, reason] : unfit) {
    check(text_with(row), reason);
    EXPECT_EQ(scan(text_with(row)).rows, 3) << row;
  }
}

}  // namespace
}  // namespace superstep::data
