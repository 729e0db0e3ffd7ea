#include "superstep/io/stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "superstep/base/error.h"
#include "superstep/io/file_system.h"

namespace superstep::io {
namespace {

constexpr size_t kChunk = size_t{1} << 16;

class PlainStream : public ByteStream {
 public:
  explicit PlainStream(std::string path)
      : path_(std::move(path)), file_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (file_ < 0) throw FileError("{}: {}", path_, std::strerror(errno));
    struct stat status {};
    if (::fstat(file_, &status) == 0 && S_ISDIR(status.st_mode)) {
      ::close(file_);
      throw FileError("{}: is a folder, wanted a file", path_);
    }
  }
  ~PlainStream() override { ::close(file_); }
  PlainStream(const PlainStream&) = delete;
  PlainStream& operator=(const PlainStream&) = delete;

  size_t read(std::span<char> out) override {
    size_t have = 0;
    while (have < out.size()) {
      const ssize_t got = ::read(file_, out.data() + have, out.size() - have);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw FileError("{}: {}", path_, std::strerror(errno));
      if (got == 0) break;
      have += static_cast<size_t>(got);
    }
    return have;
  }

 private:
  std::string path_;
  int file_;
};

/// Bytes that were read to look at, then the rest.
class PeekedStream : public ByteStream {
 public:
  PeekedStream(std::string path, std::unique_ptr<ByteStream> rest, std::string first)
      : path_(std::move(path)), rest_(std::move(rest)), first_(std::move(first)) {}

  size_t read(std::span<char> out) override {
    const size_t n = std::min(out.size(), first_.size() - at_);
    std::copy_n(first_.data() + at_, n, out.data());
    at_ += n;
    return n + rest_->read(out.subspan(n));
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::unique_ptr<ByteStream> rest_;
  std::string first_;
  size_t at_ = 0;
};

class GzipStream : public ByteStream {
 public:
  explicit GzipStream(std::unique_ptr<PeekedStream> in) : in_(std::move(in)), chunk_(kChunk) {
    constexpr int kGzipOnly = 16;  // zlib: added to the window size, "decode the gzip format only"
    if (inflateInit2(&zlib_, MAX_WBITS + kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~GzipStream() override { inflateEnd(&zlib_); }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  size_t read(std::span<char> out) override {
    size_t have = 0;
    while (have < out.size() && !at_end_) {
      const size_t want = std::min(out.size() - have, kChunk);
      zlib_.next_out = reinterpret_cast<Bytef*>(out.data() + have);
      zlib_.avail_out = static_cast<uInt>(want);
      step();
      have += want - zlib_.avail_out;
    }
    return have;
  }

 private:
  void step() {
    if (zlib_.avail_in == 0 && !refill())
      throw DataError("{}: byte {}: the gzip file is cut short", in_->path(), total_);
    switch (inflate(&zlib_, Z_NO_FLUSH)) {
      case Z_OK:
      case Z_BUF_ERROR:  // wants more input, or more room
        return;
      case Z_STREAM_END:
        return next_member();
      case Z_MEM_ERROR:
        throw std::bad_alloc();
      default:
        throw DataError("{}: byte {}: the gzip file is damaged: {}", in_->path(), byte(),
                        zlib_.msg != nullptr ? zlib_.msg : "it wants a dictionary");
    }
  }

  /// A member has ended: the file ends, zeros fill it up (tapes and block devices leave them), or
  /// another member follows.
  void next_member() {
    if (zlib_.avail_in == 0 && !refill()) {
      at_end_ = true;
      return;
    }
    if (*zlib_.next_in == 0) return skip_zeros();
    if (*zlib_.next_in != 0x1f)
      throw DataError("{}: byte {}: something that is no gzip follows the compressed data",
                      in_->path(), byte());
    inflateReset(&zlib_);
  }
  void skip_zeros() {
    do {
      for (; zlib_.avail_in > 0; ++zlib_.next_in, --zlib_.avail_in)
        if (*zlib_.next_in != 0)
          throw DataError("{}: byte {}: something that is no gzip follows the compressed data",
                          in_->path(), byte());
    } while (refill());
    at_end_ = true;
  }

  bool refill() {
    const size_t got = in_->read(chunk_);
    total_ += got;
    zlib_.next_in = reinterpret_cast<Bytef*>(chunk_.data());
    zlib_.avail_in = static_cast<uInt>(got);
    return got > 0;
  }
  [[nodiscard]] uint64_t byte() const { return total_ - zlib_.avail_in; }

  std::unique_ptr<PeekedStream> in_;
  std::vector<char> chunk_;
  z_stream zlib_{};
  uint64_t total_ = 0;  // bytes read from the file
  bool at_end_ = false;
};

constexpr int kTriesOfAReplacedFile = 5;

std::string read_all(ByteStream& in, size_t guess) {
  std::string text;
  text.resize(std::max(guess, kChunk));
  for (size_t have = 0;;) {
    const size_t got = in.read(std::span(text).subspan(have));
    have += got;
    if (have < text.size()) {
      text.resize(have);
      text.shrink_to_fit();
      return text;
    }
    text.resize(text.size() + std::max(text.size() / 2, kChunk));
  }
}

}  // namespace

std::unique_ptr<ByteStream> open_raw(const std::string& path) {
  if (is_remote(path)) return file_system_of(path).open(path);
  return std::make_unique<PlainStream>(path);
}

std::unique_ptr<ByteStream> open_stream(const std::string& path) {
  auto raw = open_raw(path);
  std::string first(2, '\0');
  first.resize(raw->read(first));
  auto peeked = std::make_unique<PeekedStream>(path, std::move(raw), first);
  if (first != "\x1f\x8b") return peeked;
  return std::make_unique<GzipStream>(std::move(peeked));
}

std::string read_file(const std::string& path) {
  FileSystem& files = file_system_of(path);
  for (int tries = 1;; ++tries) {
    const auto found = files.status(path);
    // Each piece of a remote file is asked for by name: what is replaced meanwhile (a status, say)
    // comes mixed, cut or not at all, and is read again.
    const auto replaced = [&] {
      return is_remote(path) && tries < kTriesOfAReplacedFile && files.status(path) != found;
    };
    try {
      // 0 where that is not known (a pipe); one more byte of room shows the end at once.
      std::string text =
          read_all(*open_raw(path), static_cast<size_t>(found ? found->size : 0) + 1);
      if (!replaced()) return text;
    } catch (const FileError&) {
      if (!replaced()) throw;
    }
  }
}

std::string read_file_decompressed(const std::string& path) {
  const auto in = open_stream(path);
  return read_all(*in, 0);
}

}  // namespace superstep::io
