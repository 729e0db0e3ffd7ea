#include "superstep/io/hdfs/hadoop_conf.h"

#include <cstdlib>
#include <filesystem>
#include <pugixml.hpp>

#include "superstep/base/error.h"
#include "superstep/io/stream.h"

namespace superstep::io::hdfs {
namespace {

constexpr const char* kPath = "/webhdfs/v1";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    if (std::string part = trimmed(text.substr(0, comma)); !part.empty())
      parts.push_back(std::move(part));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return parts;
}

std::string host_of(const std::string& host_and_port) {
  return host_and_port.substr(0, host_and_port.rfind(':'));
}

/// 0.0.0.0 is where a daemon listens, not where it is.
std::string reachable(const std::string& address, const std::string& host) {
  return address.starts_with("0.0.0.0:") && !host.empty() ? host + address.substr(7) : address;
}

std::string base_of(bool https, const std::string& address) {
  return (https ? "https://" : "http://") + address + kPath;
}

std::vector<std::string> bases_of_service(const std::string& service, bool https,
                                          const HadoopConf& conf) {
  std::vector<std::string> bases;
  const std::string key = https ? "dfs.namenode.https-address." : "dfs.namenode.http-address.";
  for (const std::string& id : split_at_commas(conf.get("dfs.ha.namenodes." + service))) {
    const std::string which = service + "." + id;
    const std::string host = host_of(conf.get("dfs.namenode.rpc-address." + which));
    std::string address = reachable(conf.get(key + which), host);
    if (address.empty() && !host.empty()) address = host + (https ? ":9871" : ":9870");
    if (!address.empty()) bases.push_back(base_of(https, address));
  }
  return bases;
}

}  // namespace

HadoopConf HadoopConf::from_environment() {
  HadoopConf conf;
  const std::string folder = environment("HADOOP_CONF_DIR");
  if (folder.empty()) return conf;
  for (const char* name : {"core-site.xml", "hdfs-site.xml"}) {
    const std::string path = folder + "/" + name;
    if (std::filesystem::exists(path)) conf.add_xml(read_file(path), path);
  }
  return conf;
}

void HadoopConf::add_xml(std::string_view xml, const std::string& origin) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(xml.data(), xml.size());
  if (!parsed)
    throw ConfigError("{}: byte {}: {}; wanted Hadoop's XML of properties", origin, parsed.offset,
                      parsed.description());
  const pugi::xml_node root = document.child("configuration");
  if (!root) throw ConfigError("{}: has no <configuration>", origin);
  for (const pugi::xml_node& node : root.children("property")) {
    Property& property = properties_[trimmed(node.child_value("name"))];
    if (property.is_final) continue;
    property.value = trimmed(node.child_value("value"));
    property.is_final = trimmed(node.child_value("final")) == "true";
  }
}

std::string HadoopConf::get(const std::string& name, const std::string& otherwise) const {
  const auto found = properties_.find(name);
  if (found == properties_.end()) return otherwise;
  std::string value = found->second.value;
  constexpr int kDeepest = 20;  // Hadoop's own limit: a property may name itself
  for (int i = 0; i < kDeepest; ++i) {
    const size_t open = value.find("${");
    const size_t close = open == std::string::npos ? open : value.find('}', open);
    if (close == std::string::npos) break;
    const auto inner = properties_.find(value.substr(open + 2, close - open - 2));
    if (inner == properties_.end()) break;
    value.replace(open, close - open + 1, inner->second.value);
  }
  return value;
}

Endpoints endpoints_of(const std::string& scheme_and_authority, const HadoopConf& conf) {
  const size_t colon = scheme_and_authority.find("://");
  const std::string scheme = scheme_and_authority.substr(0, colon);
  std::string authority = scheme_and_authority.substr(colon + 3);
  Endpoints out;
  out.kerberos = conf.get("hadoop.security.authentication") == "kerberos";

  for (std::string base : split_at_commas(environment("SUPERSTEP_WEBHDFS"))) {
    while (base.ends_with('/')) base.pop_back();
    if (!base.starts_with("http://") && !base.starts_with("https://"))
      throw ConfigError(
          "SUPERSTEP_WEBHDFS: '{}': wanted an address such as https://gateway:8443/gateway/"
          "default/webhdfs/v1",
          base);
    out.bases.push_back(std::move(base));
  }
  if (!out.bases.empty()) return out;

  const std::string default_fs = conf.get("fs.defaultFS");
  const std::string default_authority = default_fs.find("://") == std::string::npos
                                            ? ""
                                            : default_fs.substr(default_fs.find("://") + 3);
  if (authority.empty()) authority = default_authority.substr(0, default_authority.find('/'));
  if (authority.empty())
    throw ConfigError(
        "{}:// without a host: set HADOOP_CONF_DIR to the folder of the cluster's core-site.xml "
        "and "
        "hdfs-site.xml, or name the host",
        scheme);

  const bool https = scheme == "swebhdfs" || conf.get("dfs.http.policy") == "HTTPS_ONLY";
  out.bases = bases_of_service(authority, https, conf);
  if (!out.bases.empty()) return out;
  // The port of hdfs:// is that of Hadoop's own protocol; that of webhdfs:// is HTTP's.
  if (scheme != "hdfs") {
    const bool has_port = authority.find(':') != std::string::npos;
    out.bases = {base_of(https, has_port ? authority : authority + (https ? ":9871" : ":9870"))};
    return out;
  }
  const std::string rpc = conf.get("dfs.namenode.rpc-address", default_authority);
  const std::string told =
      conf.get(https ? "dfs.namenode.https-address" : "dfs.namenode.http-address");
  const bool is_told = !told.empty() && (authority == rpc || authority == default_authority);
  out.bases = {base_of(https, is_told ? reachable(told, host_of(rpc))
                                      : host_of(authority) + (https ? ":9871" : ":9870"))};
  return out;
}

}  // namespace superstep::io::hdfs
