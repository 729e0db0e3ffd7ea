#include "superstep/base/rng.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace superstep {
namespace {

constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
constexpr int kRounds = 10;

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every input bit reaches every output bit.
uint64_t mix(uint64_t x) {
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9;
  x ^= x >> 27;
  x *= 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

std::array<uint32_t, 2> words(uint64_t x) {
  return {static_cast<uint32_t>(x), static_cast<uint32_t>(x >> 32)};
}

// The Philox block `block` of a row's stream.
std::array<uint32_t, 4> row_block(RngKey key, uint64_t row, uint64_t block) {
  const auto [row_low, row_high] = words(row);
  const auto [block_low, block_high] = words(block);
  return philox4x32({block_low, block_high, row_low, row_high}, words(key.value()));
}

constexpr float kTwoToMinus24 = 0x1p-24F;

__extension__ typedef unsigned __int128 Wide;

}  // namespace

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) {
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t product0 = uint64_t{kMultiplier0} * c[0];
    const uint64_t product1 = uint64_t{kMultiplier1} * c[2];
    c = {static_cast<uint32_t>(product1 >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(product1),
         static_cast<uint32_t>(product0 >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(product0)};
    k = {k[0] + kWeyl0, k[1] + kWeyl1};
  }
  return c;
}

RngKey RngKey::fold(uint64_t number) const {
  return RngKey(mix(bits_ ^ mix(number + 0x9E3779B97F4A7C15)));
}

RngKey RngKey::fold(std::string_view site) const {
  uint64_t hash = 0xCBF29CE484222325;  // FNV-1a
  for (const char c : site) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return fold(hash);
}

uint64_t RngKey::bits(uint64_t number) const {
  const auto block = row_block(*this, number, 0);
  return uint64_t{block[1]} << 32 | block[0];
}

double RngKey::uniform(uint64_t number) const {
  return static_cast<double>(bits(number) >> 11) * 0x1p-53;
}

void fill_uniform(RngKey key, uint64_t row, std::span<float> out) {
  constexpr size_t kGroup = 64, kLanes = 16;
  for (size_t group = 0; group < out.size(); group += kGroup) {
    for (size_t lane = 0; lane < kLanes && group + lane < out.size(); ++lane) {
      const auto block = row_block(key, row, group / 4 + lane);
      for (size_t word = 0; word < 4; ++word) {
        const size_t j = group + kLanes * word + lane;
        if (j < out.size()) out[j] = static_cast<float>(block[word] >> 8) * kTwoToMinus24;
      }
    }
  }
}

void fill_normal(RngKey key, uint64_t row, std::span<float> out) {
  for (size_t j = 0; j < out.size(); j += 2) {
    const auto block = row_block(key, row, j / 2);
    // u in (0, 1], so that its logarithm is finite.
    const double u = (static_cast<double>(block[0]) + 1.0) * 0x1p-32;
    const double angle = 2.0 * std::numbers::pi * static_cast<double>(block[1]) * 0x1p-32;
    const double radius = std::sqrt(-2.0 * std::log(u));
    out[j] = static_cast<float>(radius * std::cos(angle));
    if (j + 1 < out.size()) out[j + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

void fill_permutation(RngKey key, std::span<int64_t> out) {
  std::iota(out.begin(), out.end(), int64_t{0});
  for (size_t i = out.size(); i > 1; --i) {
    // The high half of a 128-bit product: uniform on 0 .. i - 1 to within 2^-64.
    const auto j = static_cast<size_t>((Wide{key.bits(i)} * i) >> 64);
    std::swap(out[i - 1], out[j]);
  }
}

}  // namespace superstep
