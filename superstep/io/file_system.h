// Files by address, wherever they are: plain paths, file://, and HDFS.
//
//   io::FileSystem& files = io::file_system_of("hdfs:///data/mnist");
//   for (const io::FileStatus& file : files.list("hdfs:///data/mnist"))
//     if (!file.is_folder) files.open(file.path)->read(chunk);
//
// hdfs://, webhdfs:// and swebhdfs:// go over WebHDFS (hdfs/webhdfs.h); what the minimal build does
// not know is a ConfigError. A path is always the whole address. The methods are those that Arrow's
// file system has, so that an adapter has little to do. Limits: files are written whole.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "superstep/io/stream.h"

namespace superstep::io {

struct FileStatus {
  std::string path;
  bool is_folder = false;
  int64_t size = 0;      // of a file
  int64_t mtime_ns = 0;  // since 1970
  friend bool operator==(const FileStatus&, const FileStatus&) = default;
};

/// Bytes of a file and the hosts that hold them.
struct BlockLocation {
  int64_t offset = 0, length = 0;
  std::vector<std::string> hosts;
};

/// The hosts that hold the most of these bytes, sorted; none where no block names any.
std::vector<std::string> hosts_of_most(const std::vector<BlockLocation>& blocks);

/// Every method may be called from many threads, and throws FileError (path, operation, reason,
/// what to do) when the world will not.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// nullopt: nothing is there.
  virtual std::optional<FileStatus> status(const std::string& path) = 0;
  /// What lies in a folder, sorted by the bytes of the path.
  virtual std::vector<FileStatus> list(const std::string& folder) = 0;
  virtual std::vector<BlockLocation> block_locations(const std::string& path) = 0;

  /// From the first byte to the last, as they are in the file.
  virtual std::unique_ptr<ByteStream> open(const std::string& path) = 0;
  /// Fills `out` from the byte `offset` on; the file must be that long.
  virtual void read(const std::string& path, int64_t offset, std::span<char> out) = 0;

  /// The file appears, or is replaced, whole or not at all. Makes no folder locally.
  virtual void write(const std::string& path, std::string_view bytes) = 0;
  /// False where something of the name is there; of many that try at once, at most one gets true.
  virtual bool create_exclusive(const std::string& path, std::string_view bytes) = 0;
  /// A file of the new name is replaced.
  virtual void rename(const std::string& from, const std::string& to) = 0;
  /// A file, or a folder with all that is in it. False where nothing was there.
  virtual bool remove(const std::string& path) = 0;
  /// With the folders above it; nothing where it is there.
  virtual void make_folder(const std::string& path) = 0;
};

/// Whether an address is for a file system other than this machine's.
bool is_remote(std::string_view address);

/// Lives as long as the process. Throws ConfigError for a scheme that is not known.
FileSystem& file_system_of(const std::string& address);

bool exists(const std::string& path);
bool is_file(const std::string& path);
bool is_folder(const std::string& path);
/// The names of what lies in a folder, sorted; none where there is no such folder.
std::vector<std::string> names_in(const std::string& folder);
/// A file, or a folder with all that is in it. False where nothing was there.
bool remove(const std::string& path);

}  // namespace superstep::io
