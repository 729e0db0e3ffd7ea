#include "superstep/base/host.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace superstep {
namespace {

TEST(Host, IsWhatWasGivenElseTheNodesNameElseTheMachines) {
  ::unsetenv("NM_HOST");
  EXPECT_EQ(host_name(), machine_name());
  EXPECT_FALSE(machine_name().empty());
  ::setenv("NM_HOST", "node-3.example", 1);
  EXPECT_EQ(host_name(), "node-3.example");
  set_host_name("here");
  EXPECT_EQ(host_name(), "here");
  set_host_name("");
  EXPECT_EQ(host_name(), "node-3.example");
  ::setenv("NM_HOST", "", 1);
  EXPECT_EQ(host_name(), machine_name());
  ::unsetenv("NM_HOST");
}

TEST(Host, IsTheSameWithOrWithoutItsDomain) {
  EXPECT_TRUE(same_host("node-3", "node-3"));
  EXPECT_TRUE(same_host("Node-3.example", "node-3.EXAMPLE"));
  EXPECT_TRUE(same_host("node-3", "node-3.example"));
  EXPECT_TRUE(same_host("node-3.example", "node-3"));
  EXPECT_FALSE(same_host("node-3.example", "node-3.other"));
  EXPECT_FALSE(same_host("node-3", "node-33"));
  EXPECT_FALSE(same_host("", "node-3"));
}

TEST(Host, OfAnAddressIsTheSameAsTextOnly) {
  EXPECT_TRUE(same_host("127.0.0.2", "127.0.0.2"));
  EXPECT_FALSE(same_host("127.0.0.2", "127.0.0.3"));
  EXPECT_FALSE(same_host("127.0.0.2", "127"));
  EXPECT_FALSE(same_host("[::1]", "localhost"));
}

}  // namespace
}  // namespace superstep
