// HDFS over WebHDFS, its HTTP interface: what a NameNode, an HttpFS or a Knox gateway speaks.
//
//   WebHdfs files("hdfs://mycluster", endpoints_of("hdfs://mycluster", conf),
//   login_from_environment()); files.open("hdfs://mycluster/data/rows.csv")->read(chunk);
//
// What it lives through, with a line in the log: a NameNode that does not answer, is in its safe
// mode or is the other's standby (asked again, and the other one too, for `patience`); a DataNode
// that is dead or dies in mid-read (another one is asked for, from the byte on that is missing).
// Files are written whole under another name and renamed, since an uploader that is killed leaves a
// file that looks complete. Reads are pieces of 32 MiB, straight from the DataNodes, and one thread
// reads the next piece ahead, once more than a file's beginning is wanted. Limits: a stream holds
// two pieces; no Kerberos code of ours (SPNEGO is curl's).
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <set>
#include <string>

#include "superstep/io/file_system.h"
#include "superstep/io/hdfs/hadoop_conf.h"
#include "superstep/io/hdfs/http.h"
#include "superstep/io/hdfs/token_file.h"

namespace superstep::io::hdfs {

/// Who asks: a delegation token, else a Kerberos ticket (on a cluster with Kerberos), else a name.
struct Login {
  std::string token;  // in its form for URLs
  std::string user;
  std::string token_file = {};  // where it is from: whoever renews it writes it there
};
/// $SUPERSTEP_HDFS_TOKEN, else the token of HDFS in the file $HADOOP_TOKEN_FILE_LOCATION;
/// $HADOOP_USER_NAME, else the user of this process.
Login login_from_environment();

struct WebHdfsOptions {
  std::chrono::milliseconds patience{60'000};  // how long what may pass is tried again
  std::chrono::seconds silence{60};
  size_t piece = size_t{32} << 20;
};

class WebHdfs : public FileSystem {
 public:
  /// `prefix`: "scheme://authority", as the paths begin.
  WebHdfs(std::string prefix, Endpoints endpoints, Login login, WebHdfsOptions options = {});

  std::optional<FileStatus> status(const std::string& path) override;
  std::vector<FileStatus> list(const std::string& folder) override;
  std::vector<BlockLocation> block_locations(const std::string& path) override;
  std::unique_ptr<ByteStream> open(const std::string& path) override;
  void read(const std::string& path, int64_t offset, std::span<char> out) override;
  void write(const std::string& path, std::string_view bytes) override;
  bool create_exclusive(const std::string& path, std::string_view bytes) override;
  void rename(const std::string& from, const std::string& to) override;
  bool remove(const std::string& path) override;
  void make_folder(const std::string& path) override;

 private:
  struct Call;
  class Patience;
  enum class Created { kYes, kExists };

  [[nodiscard]] std::string url(const std::string& base, const Call& call) const;
  [[nodiscard]] Request request(std::string method, std::string url) const;
  Reply ask(const Call& call, Patience& patience);
  Reply ask(const Call& call);
  Created create(const std::string& path, std::string_view bytes, bool overwrite);
  std::string datanode_at(const std::string& path, int64_t offset, const std::string& location);
  [[noreturn]] void fail(const Call& call, const Reply& reply) const;

  std::string prefix_;
  Endpoints endpoints_;
  Login login_;
  mutable TokenFile token_file_;
  WebHdfsOptions options_;
  std::atomic<size_t> active_{0};  // the NameNode that answered last
};

}  // namespace superstep::io::hdfs
