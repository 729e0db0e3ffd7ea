// Reading bytes, compressed or not: whole files, or a stream of chunks.
//
//   auto in = io::open_stream("rows.csv.gz");       // gzip is told by its first bytes, not its
//   name std::vector<char> chunk(1 << 16); while (size_t n = in->read(chunk)) parse({chunk.data(),
//   n});
//
// A stream holds one chunk, not the file. gzip files of several members (cat a.gz b.gz) are read to
// the end. Limits: one thread a stream, no seeking.
#pragma once

#include <memory>
#include <span>
#include <string>

namespace superstep::io {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// Fills `out` from the left and gives the number of bytes, less than asked for only at the end,
  /// 0 when there are no more. Throws FileError (the file cannot be read) or DataError (gzip that
  /// is damaged or cut short, naming the byte of the file).
  virtual size_t read(std::span<char> out) = 0;
};

/// Throws FileError when there is no such file, or it is a folder.
std::unique_ptr<ByteStream> open_stream(const std::string& path);
/// The same without decompression.
std::unique_ptr<ByteStream> open_raw(const std::string& path);

/// The bytes as they are in the file; a remote one that is replaced meanwhile is read again. Throws
/// FileError.
std::string read_file(const std::string& path);
/// The bytes, decompressed where the file is gzip. Throws FileError and DataError.
std::string read_file_decompressed(const std::string& path);

}  // namespace superstep::io
