#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "superstep/base/error.h"
#include "superstep/io/hdfs/token_file.h"
#include "superstep/io/hdfs/webhdfs.h"

namespace superstep::io::hdfs {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string this_user() {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
      found != nullptr)
    return found->pw_name;
  return environment("USER");
}

}  // namespace

Login login_from_environment() {
  Login login{.token = environment("SUPERSTEP_HDFS_TOKEN"),
              .user = environment("HADOOP_USER_NAME"),
              .token_file = {}};
  if (const std::string file = environment("HADOOP_TOKEN_FILE_LOCATION");
      login.token.empty() && !file.empty()) {
    login.token_file = file;
    login.token = hdfs_token_of(read_file(file), file);
  }
  if (login.user.empty()) login.user = this_user();
  return login;
}

}  // namespace superstep::io::hdfs
