#include "superstep/engines/child_process.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <fstream>
#include <thread>

#include "superstep/base/error.h"

namespace superstep::engines {
namespace {

// All lines until the child's output ends.
std::vector<std::string> all_lines(ChildProcess& child) {
  std::vector<std::string> lines;
  while (!child.output_ended()) {
    pollfd waiting{child.output(), POLLIN, 0};
    poll(&waiting, 1, -1);
    for (std::string& line : child.read_lines()) lines.push_back(std::move(line));
  }
  return lines;
}

TEST(ChildProcess, LinesGoBothWays) {
  ChildProcess child({"/bin/sh", "-c", "read a; read b; echo \"$b$X\"; echo \"$a\""}, {{"X", "!"}});
  child.write_line("first");
  child.write_line("second");
  EXPECT_EQ(all_lines(child), (std::vector<std::string>{"second!", "first"}));
  EXPECT_EQ(child.wait().code, 0);
}

TEST(ChildProcess, EndsWithCodeOrSignal) {
  ChildProcess fails({"/bin/sh", "-c", "exit 7"}, {});
  EXPECT_EQ(fails.wait().text(), "exit code 7");
  ChildProcess hangs({"/bin/sh", "-c", "read a"}, {});
  EXPECT_FALSE(hangs.ended());
  hangs.send_signal(SIGTERM);
  EXPECT_EQ(hangs.wait().signal, SIGTERM);
  EXPECT_TRUE(hangs.ended());
}

TEST(ChildProcess, AnEndedChildTakesLinesInSilence) {
  ChildProcess child({"/bin/sh", "-c", "exit 0"}, {});
  child.wait();
  for (int i = 0; i < 3; ++i) child.write_line("nobody reads this");
  EXPECT_TRUE(all_lines(child).empty());
}

// A killed process whose parent has not asked for it yet still has a name: gone or a zombie.
bool runs(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text;
  if (!std::getline(file, text)) return false;
  return text[text.rfind(')') + 2] != 'Z';
}

TEST(ChildProcess, IsKilledWithItsOwnerAndWithWhatItStarted) {
  pid_t child_pid = 0, grandchild_pid = 0;
  {
    ChildProcess child({"/bin/sh", "-c", "sleep 1000 & echo $!; wait"}, {});
    child_pid = child.pid();
    while (grandchild_pid == 0) {
      pollfd waiting{child.output(), POLLIN, 0};
      ASSERT_EQ(poll(&waiting, 1, -1), 1);
      for (const std::string& line : child.read_lines()) grandchild_pid = std::stoi(line);
    }
    EXPECT_TRUE(runs(child_pid));
    EXPECT_TRUE(runs(grandchild_pid));
  }
  EXPECT_FALSE(runs(child_pid));
  while (runs(grandchild_pid)) std::this_thread::yield();
}

TEST(ChildProcess, SaysWhatCannotBeStarted) {
  EXPECT_THROW(ChildProcess({"/nowhere/superstep"}, {}), FileError);
}

}  // namespace
}  // namespace superstep::engines
