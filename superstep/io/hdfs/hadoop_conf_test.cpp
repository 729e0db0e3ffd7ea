#include "superstep/io/hdfs/hadoop_conf.h"

#include <gtest/gtest.h>

#include "superstep/base/error.h"

namespace superstep::io::hdfs {
namespace {

HadoopConf conf_of(std::initializer_list<std::pair<const char*, const char*>> properties) {
  std::string xml = "<?xml version=\"1.0\"?><configuration>";
  for (const auto& [name, value] : properties)
    xml += fmt::format("<property><name>{}</name><value>{}</value></property>", name, value);
  HadoopConf conf;
  conf.add_xml(xml + "</configuration>", "test");
  return conf;
}

std::vector<std::string> bases(const std::string& prefix, const HadoopConf& conf) {
  return endpoints_of(prefix, conf).bases;
}

using Bases = std::vector<std::string>;

TEST(HadoopConf, ExpandsPropertiesAndKeepsFinalOnes) {
  HadoopConf conf;
  conf.add_xml(
      "<configuration><property><name>a</name><value> ${b}/x </value></property>"
      "<property><name>b</name><value>1</value><final>true</final></property>"
      "<property><name>loop</name><value>${loop}</value></property></configuration>",
      "one");
  conf.add_xml("<configuration><property><name>b</name><value>2</value></property></configuration>",
               "two");
  EXPECT_EQ(conf.get("a"), "1/x");
  EXPECT_EQ(conf.get("loop"), "${loop}");
  EXPECT_EQ(conf.get("none", "otherwise"), "otherwise");
}

TEST(HadoopConf, DamagedFilesAreNamed) {
  HadoopConf conf;
  EXPECT_THROW(conf.add_xml("<configuration><property>", "core-site.xml"), ConfigError);
  EXPECT_THROW(conf.add_xml("<html/>", "core-site.xml"), ConfigError);
}

TEST(Endpoints, TheDefaultFileSystemIsThatOfTheConf) {
  const HadoopConf conf =
      conf_of({{"fs.defaultFS", "hdfs://nn:8020"}, {"dfs.namenode.http-address", "0.0.0.0:19870"}});
  EXPECT_EQ(bases("hdfs://", conf), Bases{"http://nn:19870/webhdfs/v1"});
  EXPECT_EQ(bases("hdfs://nn:8020", conf), Bases{"http://nn:19870/webhdfs/v1"});
  // Another cluster: its port of HTTP is not known here.
  EXPECT_EQ(bases("hdfs://other:8020", conf), Bases{"http://other:9870/webhdfs/v1"});
  EXPECT_THROW(bases("hdfs://", HadoopConf()), ConfigError);
}

TEST(Endpoints, APairHasTwoAndHttpsOnlyIsHttps) {
  const HadoopConf pair = conf_of({{"fs.defaultFS", "hdfs://blue"},
                                   {"dfs.nameservices", "blue"},
                                   {"dfs.ha.namenodes.blue", "nn1, nn2"},
                                   {"dfs.namenode.http-address.blue.nn1", "a:9870"},
                                   {"dfs.namenode.rpc-address.blue.nn2", "b:8020"},
                                   {"dfs.namenode.https-address.blue.nn1", "a:9871"},
                                   {"dfs.namenode.https-address.blue.nn2", "b:50470"}});
  EXPECT_EQ(bases("hdfs://blue", pair),
            (Bases{"http://a:9870/webhdfs/v1", "http://b:9870/webhdfs/v1"}));
  EXPECT_EQ(bases("swebhdfs://blue", pair),
            (Bases{"https://a:9871/webhdfs/v1", "https://b:50470/webhdfs/v1"}));
  const HadoopConf https = conf_of({{"fs.defaultFS", "hdfs://nn:8020"},
                                    {"dfs.http.policy", "HTTPS_ONLY"},
                                    {"hadoop.security.authentication", "kerberos"}});
  EXPECT_EQ(bases("hdfs://", https), Bases{"https://nn:9871/webhdfs/v1"});
  EXPECT_TRUE(endpoints_of("hdfs://", https).kerberos);
}

TEST(Endpoints, ThePortOfWebhdfsIsItsOwn) {
  EXPECT_EQ(bases("webhdfs://nn:14000", HadoopConf()), Bases{"http://nn:14000/webhdfs/v1"});
  EXPECT_EQ(bases("swebhdfs://nn", HadoopConf()), Bases{"https://nn:9871/webhdfs/v1"});
}

TEST(Endpoints, AGatewayGoesFirst) {
  ::setenv("SUPERSTEP_WEBHDFS", "https://gw:8443/gateway/default/webhdfs/v1/", 1);
  EXPECT_EQ(bases("hdfs://nn:8020", HadoopConf()),
            Bases{"https://gw:8443/gateway/default/webhdfs/v1"});
  ::setenv("SUPERSTEP_WEBHDFS", "gw:8443", 1);
  EXPECT_THROW(bases("hdfs://nn:8020", HadoopConf()), ConfigError);
  ::unsetenv("SUPERSTEP_WEBHDFS");
}

}  // namespace
}  // namespace superstep::io::hdfs
