// Writing files so that no reader ever sees half of one.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace superstep::io {

/// A file that appears under its name whole or not at all.
///
///   AtomicFile out("model.safetensors");  out.write(header);  out.write(numbers);  out.commit();
///
/// The bytes go to `.model.safetensors.tmp-<process>-<n>` beside it; commit syncs the file, renames
/// it over the name and syncs the folder. The destructor removes what was not committed. Every
/// failure (no folder, no permission, no room) is a FileError with the path and the reason. On HDFS
/// the bytes are held until then, and sent at once.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  /// Once, last.
  void commit();
  /// commit() without the syncs.
  void publish();

 private:
  std::string path_, temporary_;
  int file_ = -1;
  std::string held_;  // for a file system that takes files whole
};

/// AtomicFile in one call.
void write_file(const std::string& path, std::string_view bytes);

/// The same for what is soon replaced again: nothing is synced, so the disk is not waited for.
/// After a loss of power the file may hold anything.
void replace_file(const std::string& path, std::string_view bytes);

/// A file that only grows, but can be cut back: metrics.jsonl. Made if it is not there. Each write
/// reaches the operating system before it returns, so what a killed process wrote stays. On HDFS
/// the whole file is held here, and sync replaces it there: what a killed process wrote since is
/// lost (appending there would leave a file that the dead process still has open). sync may be
/// called beside the other methods, from one other thread.
class AppendFile {
 public:
  explicit AppendFile(std::string path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  void write(std::string_view bytes);
  /// Bytes in the file.
  [[nodiscard]] int64_t position() const { return position_; }
  /// Whether what was written waits for sync.
  [[nodiscard]] bool is_held() const { return file_ < 0; }
  /// Cuts the file back to a position that it had. Throws FileError when it is shorter.
  void truncate_to(int64_t position);
  /// Until the disk has it.
  void sync();

 private:
  std::string path_;
  int file_ = -1;  // -1: on a file system that has no appending
  int64_t position_ = 0;
  std::mutex mutex_, sending_;
  std::string held_;
  bool is_dirty_ = false;
};

/// Makes the file with these bytes if no file of the name is there; of several processes that try
/// at once, one gets true. Throws FileError when it cannot be made for another reason.
bool create_exclusive(const std::string& path, std::string_view bytes = "");

/// Makes the folder and those above it; nothing where it is there. Throws FileError.
void make_folder(const std::string& path);

}  // namespace superstep::io
