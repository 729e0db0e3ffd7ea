#include "superstep/io/hdfs/token_file.h"

#include <cstdint>

#include "superstep/base/error.h"
#include "superstep/base/log.h"
#include "superstep/io/file.h"

namespace superstep::io::hdfs {
namespace {

constexpr std::string_view kMagic = "HDTS";
constexpr std::string_view kKind = "HDFS_DELEGATION_TOKEN";

/// Walks over what Hadoop's WritableUtils wrote.
class Reader {
 public:
  Reader(std::string_view bytes, const std::string& what) : bytes_(bytes), what_(what) {}

  std::string_view take(size_t n) {
    if (n > bytes_.size() - at_)
      throw DataError("{}: byte {}: the file of tokens is cut short or damaged", what_, at_);
    at_ += n;
    return bytes_.substr(at_ - n, n);
  }
  /// WritableUtils.readVLong: one byte from -112 to 127 is the number itself; below, it tells the
  /// sign and how many bytes of magnitude follow.
  int64_t number() {
    const auto first = static_cast<int8_t>(take(1)[0]);
    if (first >= -112) return first;
    const bool negative = first < -120;
    uint64_t value = 0;
    for (const char c : take(static_cast<size_t>(negative ? -120 - first : -112 - first)))
      value = value << 8 | static_cast<uint8_t>(c);
    return static_cast<int64_t>(negative ? ~value : value);
  }
  std::string_view text() {
    const int64_t n = number();
    if (n < 0) throw DataError("{}: byte {}: a length of {}", what_, at_, n);
    return take(static_cast<size_t>(n));
  }
  [[nodiscard]] size_t at() const { return at_; }

 private:
  std::string_view bytes_;
  const std::string& what_;
  size_t at_ = 0;
};

/// Base64 for URLs (RFC 4648, section 5), without the filling.
std::string base64_for_urls(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  uint32_t bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    for (held += 8; held >= 6; held -= 6) out += kDigits[bits >> (held - 6) & 63];
  }
  if (held > 0) out += kDigits[bits << (6 - held) & 63];
  return out;
}

}  // namespace

std::string hdfs_token_of(std::string_view bytes, const std::string& what) {
  if (!bytes.starts_with(kMagic)) throw DataError("{}: is no file of Hadoop's tokens", what);
  Reader in(bytes, what);
  in.take(kMagic.size());
  if (const int version = in.take(1)[0]; version != 0)
    throw DataError(
        "{}: is a file of tokens of version {}, wanted 0; SUPERSTEP_HDFS_TOKEN takes one "
        "token as text",
        what, version);
  for (int64_t count = in.number(); count > 0; --count) {
    in.text();  // the name under which it was put in
    const size_t start = in.at();
    in.text();  // identifier
    in.text();  // password
    const bool is_hdfs = in.text() == kKind;
    in.text();  // service
    // A token for URLs is these same bytes.
    if (is_hdfs) return base64_for_urls(bytes.substr(start, in.at() - start));
  }
  return "";
}

TokenFile::TokenFile(std::string path, std::string token)
    : path_(std::move(path)), token_(std::move(token)) {}

std::string TokenFile::token() {
  if (path_.empty()) return token_;
  const std::scoped_lock lock(mutex_);
  std::error_code error;
  const auto changed = std::filesystem::last_write_time(path_, error);
  if (error || changed == changed_) return token_;
  changed_ = changed;
  try {
    if (std::string now = hdfs_token_of(read_file(path_), path_); !now.empty()) token_ = now;
  } catch (const Error& bad) {
    log::warning("{}; going on with the token before", bad.what());
  }
  return token_;
}

}  // namespace superstep::io::hdfs
