// Hadoop's file of delegation tokens, as YARN lays it beside each container.
#pragma once

#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

namespace superstep::io::hdfs {

/// The first token for HDFS in its form for URLs; empty where there is none. `bytes`: the file, in
/// the form that Credentials.writeTokenStorageToStream writes (version 0). Throws DataError for
/// another (naming `what` and the byte).
std::string hdfs_token_of(std::string_view bytes, const std::string& what);

/// The token as it is now: read again when the file has changed. Threads may share it.
class TokenFile {
 public:
  /// `path`: "" for a token that does not change; `token`: what it holds.
  TokenFile(std::string path, std::string token);

  /// The one before, with a warning, where the file cannot be read or holds none.
  std::string token();

 private:
  const std::string path_;
  std::mutex mutex_;
  std::string token_;
  std::filesystem::file_time_type changed_ = std::filesystem::file_time_type::min();
};

}  // namespace superstep::io::hdfs
