#include "superstep/io/path.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "superstep/base/error.h"

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

bool is_file(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

std::vector<std::string> files_of_folder(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> files;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string path = entries->path().string();
    if (!is_mark(last_part(path)) && is_file(path)) files.push_back(path);
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
    if ((asks_for_marks || !is_mark(last_part(path))) && is_file(path)) files.push_back(path);
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

}  // namespace

std::string local_path(std::string_view address) {
  const size_t end = address.find("://");
  if (end == std::string_view::npos || !is_scheme(address.substr(0, end)))
    return std::string(address);
  const std::string_view scheme = address.substr(0, end);
  if (scheme != "file")
    throw ConfigError("{}: unknown scheme '{}://'; known: file://, and plain paths", address,
                      scheme);
  std::string_view rest = address.substr(end + 3);
  if (rest.starts_with("localhost/")) rest.remove_prefix(std::strlen("localhost"));
  if (!rest.starts_with('/'))
    throw ConfigError("{}: file:// wants a path from the root, as in file:///data/rows.csv",
                      address);
  return percent_decoded(rest);
}

std::vector<std::string> list_files(std::string_view pattern) {
  const std::string path = local_path(pattern);
  if (path.empty()) throw FileError("an empty path names no file");
  std::error_code ignored;
  std::vector<std::string> files;
  if (fs::is_directory(path, ignored)) {
    files = files_of_folder(path);
    if (files.empty()) throw FileError("{}: the folder holds no file", path);
  } else if (exists(path)) {
    files = {path};
  } else {
    const bool has_wildcard = path.find_first_of("*?[") != std::string::npos;
    if (has_wildcard) files = files_of_glob(path);
    if (files.empty())
      throw FileError("{}: no such file{}; the nearest folder that exists is '{}'", path,
                      has_wildcard ? " (nothing matches the pattern)" : "", nearest_folder(path));
  }
  std::ranges::sort(files);
  return files;
}

FileIdentity identify(const std::string& path) {
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
