// Counter-based random numbers: a value is a pure function of a key and of a place.
//
//   RngKey key = RngKey(seed).fold("pretrain").fold(layer).fold(epoch).fold("hidden");
//   fill_uniform(key, row_number, out);        // out[j] depends on key, row number and j alone
//
// No state, so it does not matter who draws, in what order, or how often. The generator is
// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011). A key never knows the replica or the worker.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace superstep {

/// Philox4x32-10: four 32-bit words for a counter of four words under a key of two.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// A name for a stream of random numbers, made by folding in what it belongs to.
class RngKey {
 public:
  explicit RngKey(uint64_t seed) : bits_(seed) {}

  [[nodiscard]] RngKey fold(uint64_t number) const;
  [[nodiscard]] RngKey fold(std::string_view site) const;

  /// 64 random bits that belong to this key and `number` (a row, a block, a chain).
  [[nodiscard]] uint64_t bits(uint64_t number) const;
  /// Uniform in [0, 1), 53 bits.
  [[nodiscard]] double uniform(uint64_t number) const;

  [[nodiscard]] uint64_t value() const { return bits_; }

 private:
  uint64_t bits_;
};

/// Uniform in [0, 1) with 24 bits for each element of a row.
///
/// Element j takes word (j / 16) mod 4 of the Philox block with counter 16 (j / 64) + j mod 16, so
/// that sixteen lanes computing sixteen blocks store four full vectors side by side.
void fill_uniform(RngKey key, uint64_t row, std::span<float> out);

/// Standard normal for each element of a row (Box and Muller 1958, in double, rounded once).
void fill_normal(RngKey key, uint64_t row, std::span<float> out);

/// A permutation of 0 .. out.size() - 1 (Fisher and Yates, Durstenfeld 1964).
void fill_permutation(RngKey key, std::span<int64_t> out);

}  // namespace superstep
