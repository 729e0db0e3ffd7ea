// The file systems of HDFS that this process has met.
#include <map>
#include <mutex>

#include "superstep/io/hdfs/webhdfs.h"
#include "superstep/io/remote.h"

namespace superstep::io {

FileSystem& remote_file_system(const std::string& address) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<hdfs::WebHdfs>> known;
  const size_t end = address.find('/', address.find("://") + 3);
  const std::string prefix = address.substr(0, end);
  const std::scoped_lock lock(mutex);
  std::unique_ptr<hdfs::WebHdfs>& files = known[prefix];
  if (!files) {
    const auto conf = hdfs::HadoopConf::from_environment();
    files = std::make_unique<hdfs::WebHdfs>(prefix, hdfs::endpoints_of(prefix, conf),
                                            hdfs::login_from_environment());
  }
  return *files;
}

}  // namespace superstep::io
