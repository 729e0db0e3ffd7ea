// Where files are: addresses, lists, and whether a file is still the one it was.
//
//   io::list_files("data/mnist/*-ubyte.gz");       // sorted by the bytes of the path
//   io::list_files("file:///data/rows.csv");       // one file
//   io::list_files("data/parts");                  // the files of a folder, not of its subfolders
//   io::list_files("hdfs:///data/part-*.csv.gz");  // all of this on HDFS as well
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace superstep::io {

/// The path of a plain path or a `file://` address (`%20` is read as a space). Throws ConfigError
/// for another scheme, naming the known ones; is_remote (file_system.h) tells those of HDFS before.
std::string local_path(std::string_view address);

/// The files that a path, a folder or a glob (* ? [abc], in any part) stands for, sorted by the
/// bytes of their paths. A path that exists is itself, whatever characters it holds. In folders and
/// globs, names that begin with '.' or '_' are left out: they are other programs' marks and files
/// being written. Throws FileError when there is none, naming the pattern and the nearest folder
/// that exists.
std::vector<std::string> list_files(std::string_view pattern);

struct FileIdentity {
  std::string path;
  int64_t size = 0;
  int64_t mtime_ns = 0;  // since 1970
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};
/// Throws FileError when `path` is no file that can be looked at.
FileIdentity identify(const std::string& path);
/// Throws FileError naming the file and what differs when it is not as it was.
void check_unchanged(const FileIdentity& as_it_was);

}  // namespace superstep::io
