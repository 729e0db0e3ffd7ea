#include "superstep/front_door/credentials.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "superstep/base/error.h"
#include "superstep/base/host.h"
#include "superstep/io/file.h"

namespace superstep {
namespace {

using Json = nlohmann::ordered_json;

std::string host_of(const std::string& address) {
  std::string host = address.substr(0, address.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

bool is_any(const std::string& host) { return host.empty() || host == "0.0.0.0" || host == "::"; }

// The addresses of all network interfaces.
std::set<std::string> own_addresses() {
  std::set<std::string> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return addresses;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = one->ifa_addr->sa_family;
    const void* address = nullptr;
    if (family == AF_INET)
      address = &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr;
    else if (family == AF_INET6)
      address = &reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
    if (address && inet_ntop(family, address, text.data(), text.size()))
      addresses.insert(text.data());
  }
  return addresses;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

// Empty where the text is none.
std::string from_hex(std::string_view text) {
  std::string bytes;
  for (size_t at = 0; at + 1 < text.size(); at += 2) {
    unsigned char byte = 0;
    const char* end = text.data() + at + 2;
    if (std::from_chars(text.data() + at, end, byte, 16).ptr != end) return {};
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

}  // namespace

std::string Credentials::to_hex() const { return hex(to_text()); }

std::string Credentials::to_text() const {
  Json json{{"secret", secret}};
  if (tls)
    json["tls"] = {
        {"authority", tls->authority}, {"certificate", tls->certificate}, {"key", tls->key}};
  if (tls && !tls->name.empty()) json["tls"]["name"] = tls->name;
  return json.dump();
}

Credentials Credentials::from_text(const std::string& text, const std::string& origin) {
  try {
    const Json json = Json::parse(text.starts_with('{') ? text : from_hex(text));
    Credentials credentials{.secret = json.at("secret").get<std::string>()};
    if (credentials.secret.empty()) throw ConfigError("{}: the secret is empty", origin);
    if (json.contains("tls"))
      credentials.tls = Tls{.authority = json.at("tls").at("authority").get<std::string>(),
                            .certificate = json.at("tls").at("certificate").get<std::string>(),
                            .key = json.at("tls").at("key").get<std::string>(),
                            .name = json.at("tls").value("name", "")};
    return credentials;
  } catch (const Json::exception&) {
    // What it says would quote the text.
    throw ConfigError(
        "{}: no credentials; a coordinator makes them, see superstep coordinator --help", origin);
  }
}

Credentials Credentials::read(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) throw ConfigError("{}: {}", path, std::strerror(errno));
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    throw ConfigError("{}: others may read this secret; chmod 600 {}", path, path);
  return from_text(io::read_file(path), path);
}

void Credentials::write(const std::string& path) const {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) throw FileError("{}: {}", path, std::strerror(errno));
  const std::string text = to_text() + "\n";
  const bool whole = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (close(file) != 0 || !whole) {
    unlink(path.c_str());
    throw FileError("{}: cannot be written: {}", path, std::strerror(error));
  }
}

Credentials make_credentials(const std::string& listen, bool tls) {
  Credentials credentials{.secret = hex(make_secret())};
  const std::string host = host_of(listen);
  if (!tls || is_loopback(host)) return credentials;
  std::set<std::string> hosts{"localhost", machine_name()};
  if (is_any(host))
    hosts.merge(own_addresses());
  else
    hosts.insert(host);
  credentials.tls = issue(make_authority("superstep job"), {hosts.begin(), hosts.end()});
  return credentials;
}

Credentials make_credentials_for_any_host(bool tls) {
  constexpr const char* kName = "coordinator.superstep";
  Credentials credentials{.secret = hex(make_secret())};
  if (!tls) return credentials;
  credentials.tls = issue(make_authority("superstep job"), {kName});
  credentials.tls->name = kName;
  return credentials;
}

}  // namespace superstep
