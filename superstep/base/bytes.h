// Byte strings, and a plain little-endian way to write values into one and read them back.
//
//   ByteWriter w;  w.put(int64_t{3});  w.put_string("abc");  Bytes b = std::move(w).take();
//   ByteReader r(b, "fit statistics");  auto n = r.get<int64_t>();  auto s = r.get_string();
//   r.finish();                          // nothing may be left over
//
// Reading past the end throws DataError naming `what` and the byte.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "superstep/base/error.h"

namespace superstep {

using Bytes = std::string;

class ByteWriter {
 public:
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void put(const T& value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void put_array(std::span<const T> values) {
    put(static_cast<uint64_t>(values.size()));
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  }
  void put_string(std::string_view text) { put_array(std::span(text.data(), text.size())); }
  [[nodiscard]] Bytes take() && { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

class ByteReader {
 public:
  /// `what` names the bytes in errors; both must outlive the reader.
  ByteReader(std::string_view bytes, std::string_view what) : bytes_(bytes), what_(what) {}

  template <class T>
  requires std::is_trivially_copyable_v<T>
  [[nodiscard]] T get() {
    T value;
    std::memcpy(&value, need(sizeof value), sizeof value);
    return value;
  }
  /// Fills `out`; the length written must be the length wanted.
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void get_array(std::span<T> out) {
    const auto length = get<uint64_t>();
    if (length != out.size())
      throw DataError("{}: byte {}: an array of {} values, wanted {}", what_, at_, length,
                      out.size());
    if (out.size_bytes() != 0) std::memcpy(out.data(), need(out.size_bytes()), out.size_bytes());
  }
  /// A container with resize() (std::vector, std::string) of trivially copyable values.
  template <class Container>
  [[nodiscard]] Container get_all() {
    using T = typename Container::value_type;
    const auto length = get<uint64_t>();
    if (length > (bytes_.size() - at_) / sizeof(T)) cut_short(length * sizeof(T));
    Container out;
    out.resize(length);
    if (length != 0) std::memcpy(out.data(), need(length * sizeof(T)), length * sizeof(T));
    return out;
  }
  [[nodiscard]] std::string get_string() { return get_all<std::string>(); }
  [[nodiscard]] bool at_end() const { return at_ == bytes_.size(); }
  /// Throws when bytes are left over.
  void finish() const {
    if (!at_end()) throw DataError("{}: {} bytes left over", what_, bytes_.size() - at_);
  }

 private:
  const char* need(size_t count) {
    if (count > bytes_.size() - at_) cut_short(count);
    at_ += count;
    return bytes_.data() + at_ - count;
  }
  [[noreturn]] void cut_short(uint64_t count) const {
    throw DataError("{}: cut short at byte {}: wanted {} more bytes, have {}", what_, at_, count,
                    bytes_.size() - at_);
  }

  std::string_view bytes_, what_;
  size_t at_ = 0;
};

}  // namespace superstep
