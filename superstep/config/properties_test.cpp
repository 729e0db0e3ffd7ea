#include "superstep/config/properties.h"

#include <gtest/gtest.h>

#include "superstep/base/error.h"

namespace superstep::config {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs parse(std::string_view text) {
  Pairs pairs;
  for (const Property& p : parse_properties(text, "job.properties"))
    pairs.emplace_back(p.key, p.value);
  return pairs;
}

TEST(Properties, AKeyEndsAtEqualsColonOrBlank) {
  EXPECT_EQ(
      parse("a=1\nb:2\nc 3\n  d \t=  4 5\ne : =6\nf\ng=\n"),
      (Pairs{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4 5"}, {"e", "=6"}, {"f", ""}, {"g", ""}}));
  // A blank at the end stays, as in Java.
  EXPECT_EQ(parse("a=1 "), (Pairs{{"a", "1 "}}));
}

TEST(Properties, CommentsAndBlankLinesAreLeftOutAndAnyLineEndWillDo) {
  EXPECT_EQ(parse("\xEF\xBB\xBF# x=1\r\n  ! y=2\r\n\r\na=#1\rb=2"),
            (Pairs{{"a", "#1"}, {"b", "2"}}));
}

TEST(Properties, ALineThatEndsInABackslashGoesOn) {
  // Blanks at the start of the next line go; a comment sign there is none; two backslashes are one.
  EXPECT_EQ(parse("a=1,\\\n   2,\\\r\n#3\nb=x\\\\\nc=3\\"),
            (Pairs{{"a", "1,2,#3"}, {"b", "x\\"}, {"c", "3"}}));
  const auto properties = parse_properties("\na=1\\\n2\n\nb=3\n", "job.properties");
  EXPECT_EQ(properties[0].line, 2);
  EXPECT_EQ(properties[1].line, 5);
}

TEST(Properties, EscapesStandForOneCharacter) {
  EXPECT_EQ(parse(R"(a\=b\:c\ d = \t\n\r\f\q\\ \u00e9\u20AC\ud83d\ude00)"),
            (Pairs{{"a=b:c d", "\t\n\r\fq\\ \u00e9\u20ac\U0001F600"}}));
}

TEST(Properties, BytesThatAreNoUtf8AreLatin1) {
  EXPECT_EQ(parse("name=caf\xC3\xA9"), (Pairs{{"name", "caf\u00e9"}}));
  EXPECT_EQ(parse("name=caf\xE9"), (Pairs{{"name", "caf\u00e9"}}));
}

TEST(Properties, OfTwoWithOneKeyTheLastCounts) {
  EXPECT_EQ(parse("a=1\nb=2\na=3\n"), (Pairs{{"b", "2"}, {"a", "3"}}));
}

TEST(Properties, AnEscapeThatIsNoCharacterIsAnError) {
  for (const char* bad : {"\\u12", "\\u12g4", "\\uD83D", "\\uD83Dx", "\\uD83D\\u0041", "\\uDE00"}) {
    try {
      parse(std::string("a=1\nb=") + bad);
      FAIL() << bad;
    } catch (const ConfigError& error) {
      EXPECT_EQ(std::string(error.what()).find("job.properties:2: '\\u"), 0U) << error.what();
    }
  }
}

}  // namespace
}  // namespace superstep::config
