// Hadoop's file of delegation tokens, as YARN lays it beside each container.
#pragma once

#include <string>
#include <string_view>

namespace superstep::io::hdfs {

/// The first token for HDFS in its form for URLs; empty where there is none. `bytes`: the file, in
/// the form that Credentials.writeTokenStorageToStream writes (version 0). Throws DataError for
/// another (naming `what` and the byte).
std::string hdfs_token_of(std::string_view bytes, const std::string& what);

}  // namespace superstep::io::hdfs
