#include "superstep/data/formats/csv.h"

#include "superstep/base/error.h"
#include "superstep/data/formats/csv_reader.h"
#include "superstep/data/formats/memory_stream.h"
#include "superstep/data/formats/number.h"
#include "superstep/data/testing.h"

namespace superstep::data {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows read(std::string_view text, char delimiter = ',') {
  MemoryStream in(text);
  CsvReader reader(in, "x.csv", delimiter);
  Rows rows;
  while (reader.next()) {
    EXPECT_EQ(reader.problem(), "");
    rows.emplace_back();
    for (size_t i = 0; i < reader.size(); ++i) rows.back().emplace_back(reader.field(i));
  }
  return rows;
}

std::string problem(std::string_view text) {
  MemoryStream in(text);
  CsvReader reader(in, "x.csv", ',');
  while (reader.next())
    if (!reader.problem().empty()) return fmt::format("{}: {}", reader.line(), reader.problem());
  return "";
}

CsvSniff sniff(std::string_view text, const SniffOptions& options = {}) {
  MemoryStream in(text);
  return sniff_csv(in, "x.csv", options);
}

Records parse(std::string_view text, const DataConfig& config) {
  const CsvPlan plan =
      plan_csv(sniff(text, {config.delimiter, config.header, {}}), "x.csv", config, nullptr);
  MemoryStream in(text);
  return parse_csv(in, "x.csv", plan, plan.sniff.header, config.on_bad_record == "skip");
}

const std::vector<double>& values(const Records& records) {
  return std::get<std::vector<double>>(records.values);
}

TEST(CsvReader, ReadsPlainRecordsWithAnyLineEnd) {
  const Rows wanted = {{"1", "2"}, {"3", ""}, {"", "4"}};
  EXPECT_EQ(read("1,2\n3,\n,4\n"), wanted);
  EXPECT_EQ(read("1,2\r\n3,\r\n,4"), wanted);
  EXPECT_EQ(read("1,2\r3,\r,4\r"), wanted);
}

TEST(CsvReader, ReadsQuotesAsRfc4180Says) {
  EXPECT_EQ(read("\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\"\nx, \"y\" ,z\n"),
            (Rows{{"a,b", "say \"hi\"", "two\nlines"}, {"x", "y", "z"}}));
  EXPECT_EQ(read("\" a \",it\"s\n"), (Rows{{" a ", "it\"s"}}));
}

TEST(CsvReader, DropsMarkBlanksAndBlankLines) {
  EXPECT_EQ(read("\xEF\xBB\xBF 1 ,\t2 \n\n  \n3,4\n\n"), (Rows{{"1", "2"}, {"3", "4"}}));
  EXPECT_EQ(read("1\t\t 2\n", '\t'), (Rows{{"1", "", "2"}}));
  EXPECT_EQ(read("\"\"\n1\n"), (Rows{{""}, {"1"}}));  // a quoted nothing is a record
  EXPECT_EQ(read(""), Rows{});
}

TEST(CsvReader, NamesTheLineOfAQuoteThatIsWrong) {
  EXPECT_EQ(problem("1,2\n\"a\nb\",3\n4,\"5\n6\n"),
            "4: the quote opened on line 4 is never closed");
  EXPECT_EQ(problem("1,2\n\"3\"4,5\n6,7\n"), "2: text after the closing quote of field 0 (from 0)");
}

TEST(CsvReader, GoesOnAfterTheLineOfAWrongQuote) {
  MemoryStream in("\"3\"4,5\n6,7\n");
  CsvReader reader(in, "x.csv", ',');
  ASSERT_TRUE(reader.next());
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.field(0), "6");
  EXPECT_EQ(reader.line(), 2);
}

TEST(CsvReader, RefusesUtf16) { EXPECT_ERROR(DataError, read("\xFF\xFE\x31"), "x.csv", "UTF-16"); }

TEST(ParseNumber, TakesDecimalsAndNothingElse) {
  EXPECT_EQ(parse_number("-.5"), -0.5);
  EXPECT_EQ(parse_number("+2e3"), 2000.0);
  EXPECT_EQ(parse_number("3."), 3.0);
  for (const char* text : {"", "?", "nan", "inf", "-INF", "1x", "0x10", "1 2", "+-1", "1e999", "+"})
    EXPECT_FALSE(parse_number(text)) << text;
}

TEST(CanonicalLabel, WritesANumberInOneWay) {
  for (const char* text : {"5", "5.0", "05", "+5", "5.000000000000000000e+00"})
    EXPECT_EQ(canonical_label(text), "5");
  EXPECT_EQ(canonical_label("-0"), "0");
  EXPECT_EQ(canonical_label("0.10"), "0.1");
  EXPECT_EQ(canonical_label("setosa"), "setosa");
}

TEST(SniffCsv, FindsTheDelimiter) {
  EXPECT_EQ(sniff("1,2\n3,4\n").delimiter, ',');
  EXPECT_EQ(sniff("1;2\n3;4\n").delimiter, ';');
  EXPECT_EQ(sniff("1\t2\n3\t4\n").delimiter, '\t');
  EXPECT_EQ(sniff("1|2\n3|4\n").delimiter, '|');
  EXPECT_EQ(sniff("a, b;1;2\nc, d;3;4\n").delimiter, ';');
  EXPECT_EQ(sniff("1\n2\n").delimiter, ',');
  EXPECT_EQ(sniff("1;2\n", {"tab", "infer", {}}).delimiter, '\t');
  EXPECT_ERROR(ConfigError, sniff("1\n", {"ab", "infer", {}}), "delimiter", "'ab'");
}

TEST(SniffCsv, FindsTheHeader) {
  EXPECT_TRUE(sniff("a,b\n1,2\n").header);
  EXPECT_TRUE(sniff("a,species\n1,x\n2,y\n").header);
  EXPECT_FALSE(sniff("1,x\n2,y\n").header);
  EXPECT_FALSE(sniff("x,y\nz,w\n").header);  // nothing tells it from a record
  EXPECT_FALSE(sniff("a,2\n1,2\n").header);  // a damaged cell is no header
  EXPECT_TRUE(sniff("1,2\n3,4\n", {"infer", "yes", {}}).header);
  EXPECT_FALSE(sniff("a,b\n1,2\n", {"infer", "no", {}}).header);
}

TEST(SniffCsv, TakesTheCommonNumberOfFields) { EXPECT_EQ(sniff("1,2\n1,2,3\n4,5,6\n").fields, 3); }

TEST(SniffCsv, RefusesBinaryAndDoubleNames) {
  EXPECT_ERROR(DataError, sniff(std::string_view("P\0Q", 3)), "x.csv", "byte 1", "wanted CSV");
  EXPECT_ERROR(DataError, sniff("a,b,a\n1,2,3\n"), "x.csv:1", "columns 0 and 2", "'a'");
}

// Three records and what becomes of them.
TEST(ParseCsv, GivesRowsAndLabels) {
  DataConfig config;
  config.label = "kind";
  config.drop = {"id"};
  const Records r = parse("id,width,kind,height\n7,1.5,b,2\n8,-3,a,.25\n9,0,b,1e2\n", config);
  EXPECT_EQ(r.rows, 3);
  EXPECT_EQ(r.columns, 2);
  EXPECT_EQ(values(r), (std::vector<double>{1.5, 2, -3, 0.25, 0, 100}));
  EXPECT_EQ(r.label_names, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(r.label_codes, (std::vector<int32_t>{0, 1, 0}));
  EXPECT_EQ(r.line_of(2), 4);
}

TEST(ParseCsv, KnowsTheLineOfARowBehindQuotedLineEnds) {
  DataConfig config;
  config.label = "1";
  const Records r = parse("1,\"a\nb\"\n\n2,c\n3,d\n", config);
  EXPECT_EQ(r.line_of(0), 1);
  EXPECT_EQ(r.line_of(1), 4);
  EXPECT_EQ(r.line_of(2), 5);
}

TEST(ParseCsv, NamesFileLineColumnAndValueOfABadRecord) {
  DataConfig config;
  config.label = "kind";
  const std::string head = "width,height,kind\n1,2,a\n3,4,b\n";
  EXPECT_ERROR(DataError, parse(head + "5,b\n", config), "x.csv:4: 2 fields, wanted 3");
  EXPECT_ERROR(DataError, parse(head + "5,6,b,7\n", config), "x.csv:4: 4 fields, wanted 3");
  EXPECT_ERROR(DataError, parse(head + "5,tall,b\n", config),
               "x.csv:4: column 'height' (1 from 0) holds 'tall', wanted a number");
  EXPECT_ERROR(DataError, parse(head + "nan,6,b\n", config), "x.csv:4", "'width'", "'nan'");
  EXPECT_ERROR(DataError, parse(head + "5,,b\n", config), "x.csv:4", "'height'", "''");
  EXPECT_ERROR(DataError, parse(head + "5,6,?\n", config), "x.csv:4", "'kind'", "wanted a label");
  config.label = "2";
  EXPECT_ERROR(DataError, parse("1,2,a\n3,x,b\n", config),
               "x.csv:2: column 1 (from 0) holds 'x', wanted a number");
}

TEST(ParseCsv, LeavesBadRecordsOutWhenToldTo) {
  DataConfig config;
  config.on_bad_record = "skip";
  const Records r = parse("1,2\n3\n4,x\n\"5\"6,7\n8,9\n", config);
  EXPECT_EQ(values(r), (std::vector<double>{1, 2, 8, 9}));
  EXPECT_EQ(r.bad_count, 3);
  ASSERT_EQ(r.bad.size(), 3U);
  EXPECT_EQ(r.bad[0], (BadRecord{"x.csv", 2, "1 fields, wanted 2"}));
  EXPECT_EQ(r.bad[1].line, 3);
  EXPECT_EQ(r.line_of(1), 5);
}

TEST(PlanCsv, NamesAColumnThatIsNotThere) {
  DataConfig config;
  config.label = "knd";
  EXPECT_ERROR(ConfigError, parse("width,kind\n1,2\n", config), "label = 'knd'", "x.csv",
               "did you mean 'kind'");
  config.label = "7";
  EXPECT_ERROR(ConfigError, parse("1,2\n3,4\n", config), "label = '7'", "no header", "'0', '1'");
  config.label = "0";
  config.drop = {"0"};
  EXPECT_ERROR(ConfigError, parse("1,2\n3,4\n", config), "drop", "is the label");
}

CsvPlan fit(std::string_view text, const Schema& model, const DataConfig& config = {}) {
  const auto names = model.named ? model.names : std::vector<std::string>{};
  return plan_csv(sniff(text, {"infer", "infer", names}), "new.csv", config, &model);
}

TEST(PlanCsv, FindsTheColumnsOfAModelByNameInAnyOrder) {
  DataConfig config;
  config.label = "kind";
  config.drop = {"id"};
  const Schema model = plan_csv(sniff("id,a,b,kind\n1,2,3,x\n"), "x.csv", config, nullptr).schema;
  const CsvPlan plan = fit("b,kind,a\n1,x,2\n", model);
  EXPECT_EQ(plan.roles, (std::vector<int32_t>{1, CsvPlan::kLabel, 0}));
  EXPECT_EQ(fit("a,id,b\n1,2,3\n", model).schema.has_label(), false);
  EXPECT_ERROR(DataError, fit("a,c\n1,2\n", model), "new.csv", "missing 'b'",
               "not known to it 'c'");
}

TEST(PlanCsv, FitsRecordsWithoutNamesByTheirNumber) {
  DataConfig config;
  config.label = "1";
  const Schema model = plan_csv(sniff("1,x,2\n3,y,4\n"), "x.csv", config, nullptr).schema;
  EXPECT_EQ(fit("1,x,2\n", model).roles, (std::vector<int32_t>{0, CsvPlan::kLabel, 1}));
  EXPECT_EQ(fit("1,2\n", model).roles, (std::vector<int32_t>{0, 1}));
  EXPECT_ERROR(DataError, fit("1,2,3,4\n", model), "new.csv: 4 columns", "wants 2", "or 3 with");
  DataConfig own;
  own.label = "3";
  own.drop = {"0"};
  EXPECT_EQ(fit("1,2,3,4\n", model, own).roles,
            (std::vector<int32_t>{CsvPlan::kDropped, 0, 1, CsvPlan::kLabel}));
}

}  // namespace
}  // namespace superstep::data
