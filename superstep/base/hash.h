// Two hashes: SHA-256 names a model for people, XXH3-128 compares bytes at memory speed.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>

namespace superstep {

/// SHA-256 of `size` bytes, as 64 hexadecimal digits.
std::string sha256_hex(const void* data, size_t size);
/// SHA-256 of a file. Throws FileError.
std::string sha256_file(const std::string& path);

/// 128 bits of XXH3: equal digests mean equal bytes for all but an adversary.
struct Digest {
  uint64_t low = 0, high = 0;
  friend auto operator<=>(const Digest&, const Digest&) = default;
};
Digest digest(const void* data, size_t size);
/// Two digests, in order, as one.
Digest combine(Digest a, Digest b);

}  // namespace superstep
