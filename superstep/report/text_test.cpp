#include "superstep/report/text.h"

#include <gtest/gtest.h>

#include <limits>
#include <sstream>

namespace superstep::report {
namespace {

TEST(Text, SeparatesThousands) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1149), "1,149");
  EXPECT_EQ(with_commas(-1149), "-1,149");
  EXPECT_EQ(with_commas(-999), "-999");
  EXPECT_EQ(with_commas(1234567), "1,234,567");
  EXPECT_EQ(with_commas(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(Text, WritesSizesInDecimalUnits) {
  EXPECT_EQ(human_bytes(812), "812 B");
  EXPECT_EQ(human_bytes(20'300), "20.3 kB");
  EXPECT_EQ(human_bytes(203'304), "0.2 MB");  // 50,826 numbers of 4 bytes
  EXPECT_EQ(human_bytes(999'960'000), "1.0 GB");
  EXPECT_EQ(human_bytes(4'200'000'000'000), "4.2 TB");
}

TEST(Text, WritesDurationsInTheUnitThatFits) {
  EXPECT_EQ(human_seconds(0.034), "0.03 s");
  EXPECT_EQ(human_seconds(2.13), "2.1 s");
  EXPECT_EQ(human_seconds(59.96), "1 min 00 s");
  EXPECT_EQ(human_seconds(185), "3 min 05 s");
  EXPECT_EQ(human_seconds(3599.7), "1 h 00 min");
  EXPECT_EQ(human_seconds(7620), "2 h 07 min");
}

/// A printer whose clock the test sets.
struct Printed {
  explicit Printed(bool terminal, int width = 80)
      : printer(out, {.terminal = terminal, .width = width, .now = [this] { return seconds; }}) {}
  double seconds = 100;
  std::ostringstream out;
  ProgressPrinter printer;
};

TEST(ProgressPrinter, PrintsOneLineAPhaseWhenNotATerminal) {
  Printed p(false);
  p.printer.line("data", "1,149 rows to learn from");
  p.printer.begin("pretrain", "layer 1", 20);
  for (int i = 1; i <= 20; ++i) p.printer.update(i, "reconstruction error 0.080");
  p.seconds += 2.1;
  p.printer.end("reconstruction error 0.031");
  p.printer.begin("finetune", "", 50);
  p.printer.update(50, "");
  p.seconds += 3;
  p.printer.end("error 1.7% on the rows to choose by, best at 24");
  EXPECT_EQ(p.out.str(),
            "data      1,149 rows to learn from\n"
            "pretrain  layer 1 ########## 20/20   reconstruction error 0.031     2.1 s\n"
            "finetune          ########## 50/50   error 1.7% on the rows to choose by, best at 24"
            "     3.0 s\n");
}

// Updates at 4, 8, 12, ... 40 s print at 12, 24 and 36 s: the first ones 10 s after the last line.
TEST(ProgressPrinter, PrintsInBetweenOnlyEveryTenSecondsWhenNotATerminal) {
  Printed p(false);
  p.printer.begin("finetune", "", 10);
  for (int i = 1; i <= 10; ++i) {
    p.seconds += 4;
    p.printer.update(i, "");
  }
  const std::string text = p.out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_NE(text.find("###....... 3/10"), std::string::npos);
}

TEST(ProgressPrinter, RedrawsInPlaceOnATerminal) {
  Printed p(true);
  p.printer.begin("finetune", "", 2);
  p.printer.update(1, "too soon to draw");
  p.seconds += 1;
  p.printer.update(1, "loss 0.5");
  p.printer.end("loss 0.4");
  EXPECT_EQ(p.out.str(),
            "\rfinetune          .......... 0/2                                   0.00 s\x1b[K"
            "\rfinetune          #####..... 1/2     loss 0.5                       1.0 s\x1b[K"
            "\rfinetune          #####..... 1/2     loss 0.4                       1.0 s\x1b[K\n");
}

TEST(ProgressPrinter, CutsARedrawToTheWidthOfTheTerminal) {
  Printed p(true, 21);
  p.printer.begin("finetune", "", 2);
  EXPECT_EQ(p.out.str(), "\rfinetune          ..\x1b[K");
}

TEST(ProgressPrinter, EndsAPhaseThatIsStillOpen) {
  Printed p(false);
  p.printer.begin("pretrain", "layer 1", 4);
  p.printer.update(4, "done");
  p.printer.begin("pretrain", "layer 2", 4);
  EXPECT_NE(p.out.str().find("pretrain  layer 1 ########## 4/4     done"), std::string::npos);
}

}  // namespace
}  // namespace superstep::report
