#include "superstep/base/error.h"
#include "superstep/io/remote.h"

namespace superstep::io {

FileSystem& remote_file_system(const std::string& address) {
  throw ConfigError("{}: this build has no HDFS (made with -DSUPERSTEP_HDFS=OFF)", address);
}

}  // namespace superstep::io
