#include "superstep/io/path.h"

#include <fnmatch.h>
#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "superstep/base/error.h"
#include "superstep/io/file_system.h"

namespace superstep::io {
namespace {

namespace fs = std::filesystem;

bool is_scheme(std::string_view text) {
  if (text.empty()) return false;
  return std::ranges::all_of(text, [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.';
  });
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
        hex_digit(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string last_part(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

bool is_mark(const std::string& name) {
  return name.empty() || name.front() == '.' || name.front() == '_';
}

bool is_regular(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_there(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

std::vector<std::string> files_of_folder(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> files;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string path = entries->path().string();
    if (!is_mark(last_part(path)) && is_regular(path)) files.push_back(path);
  }
  if (error) throw FileError("{}: {}", folder, error.message());
  return files;
}

std::vector<std::string> files_of_glob(const std::string& pattern) {
  glob_t found{};
  const int code = ::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found);
  const std::unique_ptr<glob_t, void (*)(glob_t*)> guard(&found, ::globfree);
  if (code == GLOB_NOSPACE) throw FileError("{}: no memory to list the files", pattern);
  const bool asks_for_marks = is_mark(last_part(pattern));
  std::vector<std::string> files;
  for (size_t i = 0; i < found.gl_pathc; ++i) {
    const std::string path = found.gl_pathv[i];
    if ((asks_for_marks || !is_mark(last_part(path))) && is_regular(path)) files.push_back(path);
  }
  return files;
}

/// The longest leading part of `path` that is a folder.
std::string nearest_folder(const std::string& path) {
  std::string folder = path;
  std::error_code ignored;
  while (!fs::is_directory(folder, ignored)) {
    const size_t slash = folder.find_last_of('/');
    if (slash == std::string::npos) return ".";
    if (slash == 0) return "/";
    folder.resize(slash);
  }
  return folder;
}

// The same on a file system that is asked through its interface.

bool has_wildcard(std::string_view text) {
  return text.find_first_of("*?[") != std::string_view::npos;
}

/// What a glob stands for, part by part: `known` is the address so far, without wildcards.
void expand(FileSystem& files, const std::string& known, std::string_view rest,
            std::vector<FileStatus>& found) {
  const size_t slash = rest.find('/');
  const std::string part(rest.substr(0, slash));
  const bool is_last = slash == std::string_view::npos;
  if (!is_last && !has_wildcard(part))
    return expand(files, known + part + "/", rest.substr(slash + 1), found);
  const auto folder = files.status(known);
  if (!folder || !folder->is_folder) return;
  for (const FileStatus& entry : files.list(known)) {
    if (::fnmatch(part.c_str(), last_part(entry.path).c_str(), FNM_PERIOD) != 0) continue;
    if (is_last)
      found.push_back(entry);
    else if (entry.is_folder)
      expand(files, entry.path + "/", rest.substr(slash + 1), found);
  }
}

std::vector<std::string> list_remote_files(const std::string& pattern) {
  FileSystem& files = file_system_of(pattern);
  std::vector<FileStatus> found;
  const auto itself = files.status(pattern);
  const bool is_folder = itself && itself->is_folder;
  if (itself && !is_folder) return {pattern};
  if (is_folder) {
    found = files.list(pattern);
  } else if (has_wildcard(pattern)) {
    const size_t root = pattern.find('/', pattern.find("://") + 3);
    if (root != std::string::npos)
      expand(files, pattern.substr(0, root + 1), std::string_view(pattern).substr(root + 1), found);
  }
  const bool asks_for_marks = !is_folder && is_mark(last_part(pattern));
  std::vector<std::string> paths;
  for (const FileStatus& entry : found)
    if (!entry.is_folder && (asks_for_marks || !is_mark(last_part(entry.path))))
      paths.push_back(entry.path);
  if (paths.empty())
    throw FileError("{}: {}", pattern,
                    is_folder               ? "the folder holds no file"
                    : has_wildcard(pattern) ? "no such file (nothing matches the pattern)"
                                            : "no such file");
  std::ranges::sort(paths);
  return paths;
}

FileIdentity identify_remote(const std::string& path) {
  const auto found = file_system_of(path).status(path);
  if (!found) throw FileError("{}: no such file", path);
  if (found->is_folder) throw FileError("{}: is a folder, wanted a file", path);
  return {path, found->size, found->mtime_ns};
}

}  // namespace

std::string local_path(std::string_view address) {
  const size_t end = address.find("://");
  if (end == std::string_view::npos || !is_scheme(address.substr(0, end)))
    return std::string(address);
  const std::string_view scheme = address.substr(0, end);
  if (scheme != "file")
    throw ConfigError(
        "{}: unknown scheme '{}://'; known: file://, hdfs://, webhdfs://, swebhdfs://, and plain "
        "paths",
        address, scheme);
  std::string_view rest = address.substr(end + 3);
  if (rest.starts_with("localhost/")) rest.remove_prefix(std::strlen("localhost"));
  if (!rest.starts_with('/'))
    throw ConfigError("{}: file:// wants a path from the root, as in file:///data/rows.csv",
                      address);
  return percent_decoded(rest);
}

std::vector<std::string> list_files(std::string_view pattern) {
  if (is_remote(pattern)) return list_remote_files(std::string(pattern));
  const std::string path = local_path(pattern);
  if (path.empty()) throw FileError("an empty path names no file");
  std::error_code ignored;
  std::vector<std::string> files;
  if (fs::is_directory(path, ignored)) {
    files = files_of_folder(path);
    if (files.empty()) throw FileError("{}: the folder holds no file", path);
  } else if (is_there(path)) {
    files = {path};
  } else {
    const bool is_glob = has_wildcard(path);
    if (is_glob) files = files_of_glob(path);
    if (files.empty())
      throw FileError("{}: no such file{}; the nearest folder that exists is '{}'", path,
                      is_glob ? " (nothing matches the pattern)" : "", nearest_folder(path));
  }
  std::ranges::sort(files);
  return files;
}

FileIdentity identify(const std::string& path) {
  if (is_remote(path)) return identify_remote(path);
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw FileError("{}: {}", path, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) throw FileError("{}: is a folder, wanted a file", path);
  return {path, status.st_size,
          int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

void check_unchanged(const FileIdentity& as_it_was) {
  const FileIdentity now = identify(as_it_was.path);
  if (now.size != as_it_was.size)
    throw FileError("{}: the file changed while in use: it held {} bytes, now {}", now.path,
                    as_it_was.size, now.size);
  if (now.mtime_ns != as_it_was.mtime_ns)
    throw FileError("{}: the file was written to while in use (its time of change moved)",
                    now.path);
}

}  // namespace superstep::io
