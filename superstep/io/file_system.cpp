#include "superstep/io/file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include "superstep/base/error.h"
#include "superstep/io/path.h"
#include "superstep/io/remote.h"
#include "superstep/io/write.h"

namespace superstep::io {
namespace {

namespace fs = std::filesystem;

class LocalFileSystem : public FileSystem {
 public:
  std::optional<FileStatus> status(const std::string& path) override {
    struct stat found {};
    if (::stat(local_path(path).c_str(), &found) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
      throw FileError("{}: {}", path, std::strerror(errno));
    }
    return FileStatus{
        .path = path,
        .is_folder = S_ISDIR(found.st_mode),
        .size = found.st_size,
        .mtime_ns = int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec};
  }

  std::vector<FileStatus> list(const std::string& folder) override {
    std::error_code error;
    std::vector<FileStatus> found;
    fs::directory_iterator entries(local_path(folder), error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error))
      if (auto entry = status(entries->path().string())) found.push_back(std::move(*entry));
    if (error) throw FileError("{}: {}", folder, error.message());
    std::ranges::sort(found, {}, &FileStatus::path);
    return found;
  }

  std::vector<BlockLocation> block_locations(const std::string& path) override {
    return {{.offset = 0, .length = identify(local_path(path)).size, .hosts = {"localhost"}}};
  }

  std::unique_ptr<ByteStream> open(const std::string& path) override {
    return open_raw(local_path(path));
  }

  void read(const std::string& path, int64_t offset, std::span<char> out) override {
    const int file = ::open(local_path(path).c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) throw FileError("{}: {}", path, std::strerror(errno));
    ssize_t got = 1;
    while (!out.empty() && got > 0) {
      got = ::pread(file, out.data(), out.size(), offset);
      if (got < 0 && errno == EINTR)
        got = 1;
      else if (got > 0) {
        out = out.subspan(static_cast<size_t>(got));
        offset += got;
      }
    }
    const int error = errno;
    ::close(file);
    if (got < 0) throw FileError("{}: {}", path, std::strerror(error));
    if (!out.empty())
      throw FileError("{}: ends at byte {}, wanted {} more", path, offset, out.size());
  }

  void write(const std::string& path, std::string_view bytes) override {
    write_file(local_path(path), bytes);
  }
  bool create_exclusive(const std::string& path, std::string_view bytes) override {
    return io::create_exclusive(local_path(path), bytes);
  }
  void rename(const std::string& from, const std::string& to) override {
    if (::rename(local_path(from).c_str(), local_path(to).c_str()) != 0)
      throw FileError("{}: cannot be renamed to {}: {}", from, to, std::strerror(errno));
  }
  bool remove(const std::string& path) override {
    std::error_code error;
    const auto count = fs::remove_all(local_path(path), error);
    if (error) throw FileError("{}: cannot be removed: {}", path, error.message());
    return count > 0;
  }
  void make_folder(const std::string& path) override { io::make_folder(local_path(path)); }
};

}  // namespace

std::vector<std::string> hosts_of_most(const std::vector<BlockLocation>& blocks) {
  std::map<std::string, int64_t> bytes;
  int64_t most = 0;
  for (const BlockLocation& block : blocks)
    for (const std::string& host : block.hosts) most = std::max(most, bytes[host] += block.length);
  std::vector<std::string> hosts;
  for (const auto& [host, held] : bytes)
    if (held == most) hosts.push_back(host);
  return hosts;
}

bool is_remote(std::string_view address) {
  return address.starts_with("hdfs://") || address.starts_with("webhdfs://") ||
         address.starts_with("swebhdfs://");
}

FileSystem& file_system_of(const std::string& address) {
  static LocalFileSystem local;
  if (is_remote(address)) return remote_file_system(address);
  local_path(address);  // refuses what it does not know
  return local;
}

bool exists(const std::string& path) { return file_system_of(path).status(path).has_value(); }

bool is_file(const std::string& path) {
  const auto found = file_system_of(path).status(path);
  return found && !found->is_folder;
}

bool is_folder(const std::string& path) {
  const auto found = file_system_of(path).status(path);
  return found && found->is_folder;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  if (!is_folder(folder)) return names;
  for (const FileStatus& entry : file_system_of(folder).list(folder))
    names.push_back(entry.path.substr(entry.path.find_last_of('/') + 1));
  return names;
}

bool remove(const std::string& path) { return file_system_of(path).remove(path); }

}  // namespace superstep::io
