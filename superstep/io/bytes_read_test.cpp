#include "superstep/io/bytes_read.h"

#include <gtest/gtest.h>

#include "superstep/base/host.h"
#include "superstep/io/file_system.h"

namespace superstep::io {
namespace {

TEST(BytesRead, AreCountedByTheHostTheyComeFrom) {
  set_host_name("node-1.example");
  const BytesRead before = bytes_read();
  count_bytes_read("NODE-1.example", 5);
  count_bytes_read("node-2.example", 7);
  count_bytes_read("", 11);
  set_host_name("");
  EXPECT_EQ(bytes_read().here - before.here, 5);
  EXPECT_EQ(bytes_read().elsewhere - before.elsewhere, 18);
}

TEST(HostsOfMost, AreThoseThatHoldTheMostBytes) {
  EXPECT_TRUE(hosts_of_most({}).empty());
  EXPECT_EQ(hosts_of_most({{0, 8, {"b", "a"}}, {8, 8, {"b", "c"}}}), std::vector<std::string>{"b"});
  EXPECT_EQ(hosts_of_most({{0, 8, {"b", "a"}}}), (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace superstep::io
