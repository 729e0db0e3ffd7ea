#include "superstep/io/write.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "superstep/base/error.h"

namespace superstep::io {
namespace {

constexpr mode_t kForAll = 0666;  // less the umask

std::string folder_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

[[noreturn]] void fail(const std::string& path, const char* doing, int error) {
  throw FileError("{}: cannot {}: {}", path, doing, std::strerror(error));
}

void write_all(int file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(file, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail(path, "write", errno);
    bytes.remove_prefix(static_cast<size_t>(done));
  }
}

void sync_file(int file, const std::string& path) {
  // Some file systems have nothing to sync and say so.
  if (::fsync(file) != 0 && errno != EINVAL && errno != ENOTSUP) fail(path, "sync", errno);
}

/// A new name is safe only when its folder is.
void sync_folder(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) fail(folder, "open the folder", errno);
  const bool failed = ::fsync(file) != 0 && errno != EINVAL && errno != ENOTSUP;
  const int error = errno;
  ::close(file);
  if (failed) fail(folder, "sync the folder", error);
}

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  static std::atomic<int> count{0};
  const std::string folder = folder_of(path_);
  temporary_ = fmt::format("{}/.{}.tmp-{}-{}", folder, path_.substr(path_.find_last_of('/') + 1),
                           ::getpid(), count++);
  file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kForAll);
  if (file_ < 0) fail(path_, "write beside it", errno);
}

AtomicFile::~AtomicFile() {
  if (file_ >= 0) ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  SUPERSTEP_ASSERT(file_ >= 0);
  write_all(file_, bytes, path_);
}

void AtomicFile::commit() {
  SUPERSTEP_ASSERT(file_ >= 0);
  sync_file(file_, path_);
  publish();
  sync_folder(folder_of(path_));
}

void AtomicFile::publish() {
  SUPERSTEP_ASSERT(file_ >= 0);
  const int file = std::exchange(file_, -1);
  if (::close(file) != 0) fail(path_, "close", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_, "publish", errno);
  temporary_.clear();
}

void write_file(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void replace_file(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.publish();
}

AppendFile::AppendFile(std::string path) : path_(std::move(path)) {
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kForAll);
  if (file_ < 0) fail(path_, "open", errno);
  position_ = ::lseek(file_, 0, SEEK_END);
  if (position_ < 0) {
    const int error = errno;
    ::close(file_);
    fail(path_, "find the end", error);
  }
}

AppendFile::~AppendFile() { ::close(file_); }

void AppendFile::write(std::string_view bytes) {
  try {
    write_all(file_, bytes, path_);
  } catch (const FileError&) {
    // No half line stays; should this fail too, the reader forgives a cut last line.
    [[maybe_unused]] const int ignored = ::ftruncate(file_, position_);
    throw;
  }
  position_ += static_cast<int64_t>(bytes.size());
}

void AppendFile::truncate_to(int64_t position) {
  if (position < 0 || position > position_)
    throw FileError("{}: cannot cut back to byte {}: the file holds {}", path_, position,
                    position_);
  if (::ftruncate(file_, position) != 0) fail(path_, "cut back", errno);
  position_ = position;
}

void AppendFile::sync() { sync_file(file_, path_); }

bool create_exclusive(const std::string& path, std::string_view bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kForAll);
  if (file < 0 && errno == EEXIST) return false;
  if (file < 0) fail(path, "create", errno);
  try {
    write_all(file, bytes, path);
    sync_file(file, path);
  } catch (const FileError&) {
    ::close(file);
    ::unlink(path.c_str());
    throw;
  }
  ::close(file);
  sync_folder(folder_of(path));
  return true;
}

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw FileError("{}: cannot make the folder: {}", path, error.message());
}

}  // namespace superstep::io
