// The file system of an address such as hdfs://...: made by hdfs/remote.cpp, refused by
// without_hdfs.cpp.
#pragma once

#include "superstep/io/file_system.h"

namespace superstep::io {

/// Throws ConfigError where the build has no HDFS.
FileSystem& remote_file_system(const std::string& address);

}  // namespace superstep::io
