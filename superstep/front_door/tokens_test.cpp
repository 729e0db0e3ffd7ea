#include "superstep/front_door/tokens.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "superstep/base/error.h"
#include "superstep/io/file.h"
#include "superstep/io/test_folder.h"

namespace superstep::front_door {
namespace {

class Tokens : public io::TestFolder {
 protected:
  ~Tokens() override {
    unsetenv(kTokensVariable);
    unsetenv("HADOOP_TOKEN_FILE_LOCATION");
  }
};

TEST_F(Tokens, AreLaidOverOnesOwnForTheOwnerOnly) {
  const std::string newest = put("newest", "new"), own = put("own", "old");
  setenv(kTokensVariable, ("1 " + newest).c_str(), 1);
  setenv("HADOOP_TOKEN_FILE_LOCATION", own.c_str(), 1);
  const std::jthread thread = carry_tokens();
  while (io::read_file(own) != "new") std::this_thread::yield();
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(own).permissions(), perms::owner_read | perms::owner_write);
}

TEST_F(Tokens, WithoutTheVariableThereIsNothingToDo) { EXPECT_FALSE(carry_tokens().joinable()); }

TEST_F(Tokens, AnotherTextIsRefused) {
  setenv("HADOOP_TOKEN_FILE_LOCATION", path("own").c_str(), 1);
  for (const char* text : {"", "soon /f", "0 /f", "5", "5 "}) {
    setenv(kTokensVariable, text, 1);
    EXPECT_THROW(carry_tokens(), ConfigError) << text;
  }
}

}  // namespace
}  // namespace superstep::front_door
