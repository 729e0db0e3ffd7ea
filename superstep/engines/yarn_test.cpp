#include "superstep/engines/yarn.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "superstep/base/error.h"

namespace superstep::engines {
namespace {

namespace fs = std::filesystem;

class YarnClient : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/yarn-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = fs::canonical(name);
    for (const char* variable : {"HADOOP_HOME", "HADOOP_CONF_DIR", "SUPERSTEP_HADOOP_CLASSPATH"})
      unsetenv(variable);
    setenv("PATH", "/usr/bin:/bin", 1);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void touch(const std::string& name) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << "x";
  }
  std::vector<std::string> command() {
    return yarn_client_command((folder_ / "bin/superstep").string(), {"submit"});
  }

  fs::path folder_;
};

TEST_F(YarnClient, NeedsThePackageAndSaysHowToMakeIt) {
  try {
    command();
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("make package"), std::string::npos) << error.what();
  }
}

TEST_F(YarnClient, NeedsTheConfigurationOfACluster) {
  touch("java/superstep-yarn.jar");
  setenv("HADOOP_CONF_DIR", (folder_ / "conf").c_str(), 1);
  EXPECT_THROW(command(), ConfigError);
}

TEST_F(YarnClient, TakesItsOwnJarsWithTheConfigurationAndAGivenClassPathBefore) {
  touch("java/superstep-yarn.jar");
  touch("conf/core-site.xml");
  const std::string java = (folder_ / "java").string();
  setenv("HADOOP_CONF_DIR", (folder_ / "conf").c_str(), 1);
  std::vector<std::string> words = command();
  EXPECT_EQ(words[words.size() - 1], "submit");
  EXPECT_EQ(words[words.size() - 2], "superstep.yarn.Main");
  EXPECT_EQ(words[words.size() - 3],
            java + "/superstep-yarn.jar:" + (folder_ / "conf").string() + ":" + java + "/lib/*");
  setenv("SUPERSTEP_HADOOP_CLASSPATH", "/site/*", 1);
  words = command();
  EXPECT_EQ(words[words.size() - 3], java + "/superstep-yarn.jar:/site/*");
}

TEST(YarnClientProcess, PassesEventsOnAndReturnsTheLastWord) {
  std::vector<std::string> heard;
  const std::string last = run_yarn_client(
      {.command = {"/bin/sh", "-c",
                   "read job; echo \"{\\\"event\\\":\\\"note\\\",\\\"text\\\":\\\"$job\\\"}\"; "
                   "echo noise; "
                   "echo '{\"event\":\"done\"}'"},
       .environment = {},
       .job = "the job",
       .on_event = [&](const std::string& event) { heard.push_back(event); },
       .stop = {}});
  EXPECT_EQ(last, R"({"event":"done"})");
  EXPECT_EQ(heard, std::vector<std::string>{R"({"event":"note","text":"the job"})"});
}

TEST(YarnClientProcess, IsAskedToStop) {
  std::stop_source stop;
  stop.request_stop();
  const std::string last = run_yarn_client(
      {.command = {"/bin/sh", "-c",
                   "read job; read word; echo '{\"event\":\"done\"}'; test \"$word\""},
       .environment = {},
       .job = "the job",
       .on_event = [](const std::string&) {},
       .stop = stop.get_token()});
  EXPECT_EQ(last, R"({"event":"done"})");
}

TEST(YarnClientProcess, ThatEndsWithoutALastWordIsAnError) {
  EXPECT_THROW(run_yarn_client({.command = {"/bin/sh", "-c", "exit 3"},
                                .environment = {},
                                .job = "",
                                .on_event = [](const std::string&) {},
                                .stop = {}}),
               Error);
}

}  // namespace
}  // namespace superstep::engines
