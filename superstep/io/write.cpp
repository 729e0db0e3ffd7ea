#include "superstep/io/write.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "superstep/base/error.h"
#include "superstep/io/file_system.h"

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
  if (is_remote(path_)) return;
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
  if (is_remote(path_)) {
    held_ += bytes;
    return;
  }
  SUPERSTEP_ASSERT(file_ >= 0);
  write_all(file_, bytes, path_);
}

void AtomicFile::commit() {
  if (is_remote(path_)) return publish();
  SUPERSTEP_ASSERT(file_ >= 0);
  sync_file(file_, path_);
  publish();
  sync_folder(folder_of(path_));
}

void AtomicFile::publish() {
  if (is_remote(path_)) return file_system_of(path_).write(path_, held_);
  SUPERSTEP_ASSERT(file_ >= 0);
  const int file = std::exchange(file_, -1);
  if (::close(file) != 0) fail(path_, "close", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_, "publish", errno);
  temporary_.clear();
}

void write_file(const std::string& path, std::string_view bytes) {
  if (is_remote(path)) return file_system_of(path).write(path, bytes);
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void replace_file(const std::string& path, std::string_view bytes) {
  if (is_remote(path)) return file_system_of(path).write(path, bytes);
  AtomicFile file(path);
  file.write(bytes);
  file.publish();
}

AppendFile::AppendFile(std::string path) : path_(std::move(path)) {
  if (is_remote(path_)) {
    if (exists(path_)) held_ = read_file(path_);
    position_ = static_cast<int64_t>(held_.size());
    return;
  }
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kForAll);
  if (file_ < 0) fail(path_, "open", errno);
  position_ = ::lseek(file_, 0, SEEK_END);
  if (position_ < 0) {
    const int error = errno;
    ::close(file_);
    fail(path_, "find the end", error);
  }
}

AppendFile::~AppendFile() {
  if (file_ >= 0) ::close(file_);
}

void AppendFile::write(std::string_view bytes) {
  if (file_ < 0) {
    const std::scoped_lock lock(mutex_);
    held_ += bytes;
    position_ += static_cast<int64_t>(bytes.size());
    is_dirty_ = true;
    return;
  }
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
  if (file_ < 0) {
    const std::scoped_lock lock(mutex_);
    held_.resize(static_cast<size_t>(position));
    is_dirty_ = true;
  } else if (::ftruncate(file_, position) != 0) {
    fail(path_, "cut back", errno);
  }
  position_ = position;
}

void AppendFile::sync() {
  if (file_ >= 0) return sync_file(file_, path_);
  const std::scoped_lock one_at_a_time(sending_);
  std::string bytes;
  {
    const std::scoped_lock lock(mutex_);
    if (!std::exchange(is_dirty_, false)) return;
    bytes = held_;
  }
  try {
    file_system_of(path_).write(path_, bytes);
  } catch (const FileError&) {
    const std::scoped_lock lock(mutex_);
    is_dirty_ = true;
    throw;
  }
}

bool create_exclusive(const std::string& path, std::string_view bytes) {
  if (is_remote(path)) return file_system_of(path).create_exclusive(path, bytes);
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
  if (is_remote(path)) return file_system_of(path).make_folder(path);
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw FileError("{}: cannot make the folder: {}", path, error.message());
}

}  // namespace superstep::io
