// What a cluster says of itself: core-site.xml and hdfs-site.xml of $HADOOP_CONF_DIR.
//
//   const HadoopConf conf = HadoopConf::from_environment();
//   conf.get("fs.defaultFS");                       // "hdfs://mycluster", "" when it is not set
//   Endpoints e = endpoints_of("hdfs://mycluster", conf);   // where its NameNodes answer HTTP
//
// ${name} in a value is replaced by that property; a property marked final keeps its first value.
// Limits: no XInclude; what the files leave out is not set (Hadoop's defaults are not known here).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace superstep::io::hdfs {

class HadoopConf {
 public:
  /// The files of $HADOOP_CONF_DIR, of which either may be missing; empty where that is not set.
  /// Throws ConfigError (file, byte, what is wrong) when one is no such XML.
  static HadoopConf from_environment();

  /// Adds the properties of one file. `origin` names it in errors.
  void add_xml(std::string_view xml, const std::string& origin);

  [[nodiscard]] std::string get(const std::string& name, const std::string& otherwise = "") const;

 private:
  struct Property {
    std::string value;
    bool is_final = false;
  };
  std::map<std::string, Property> properties_;
};

/// Where WebHDFS answers for one file system, and how it wants to be spoken to.
struct Endpoints {
  std::vector<std::string> bases;  // of each NameNode: "http://host:9870/webhdfs/v1"
  bool kerberos = false;
};

/// For "scheme://authority". $SUPERSTEP_WEBHDFS, one base or several with commas, goes first: for
/// HttpFS and Knox. Throws ConfigError where nothing says which NameNode is meant.
Endpoints endpoints_of(const std::string& scheme_and_authority, const HadoopConf& conf);

}  // namespace superstep::io::hdfs
