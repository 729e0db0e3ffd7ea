// Bytes in memory as a stream, for samples and tests. The bytes must outlive it.
#pragma once

#include <algorithm>
#include <span>
#include <string_view>

#include "superstep/io/stream.h"

namespace superstep::data {

class MemoryStream : public io::ByteStream {
 public:
  explicit MemoryStream(std::string_view bytes) : bytes_(bytes) {}
  size_t read(std::span<char> out) override {
    const size_t count = std::min(out.size(), bytes_.size());
    std::copy_n(bytes_.data(), count, out.data());
    bytes_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view bytes_;
};

}  // namespace superstep::data
