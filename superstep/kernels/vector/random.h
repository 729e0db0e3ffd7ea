// The uniform numbers of base/rng.h's fill_uniform, to the bit, in vectors.
//
// A row is cut into groups of 64 elements. Element j takes word (j / 16) mod 4 of the Philox block
// with counter 16 (j / 64) + j mod 16. Blocks are computed two vectors at a time, those of even
// and of odd lanes, with each 32-bit word in the low half of 64 bits, where the widening
// multiplication wants it; what gathers in the high halves is dropped at the end.
#pragma once

#include "superstep/base/rng.h"
#include "superstep/kernels/vector/lanes.h"

namespace superstep::kernels::SUPERSTEP_ISA {

/// The four words of kWidth Philox blocks side by side (Salmon et al. 2011, 10 rounds).
struct Words {
  U word[4];
};

[[gnu::always_inline]] inline Words philox(uint64_t key, uint64_t row, uint32_t first_block) {
  const W zero{};
  const W m0 = zero + uint64_t{0xD2511F53}, m1 = zero + uint64_t{0xCD9E8D57};
  W c[2][4];  // of the even and the odd lanes
  for (int odd = 0; odd < 2; ++odd) {
    W lane{};
    for (int64_t i = 0; i < kWidth / 2; ++i) lane[i] = static_cast<uint64_t>(2 * i + odd);
    c[odd][0] = lane + uint64_t{first_block};
    c[odd][1] = zero;
    c[odd][2] = zero + (row & 0xFFFFFFFFU);
    c[odd][3] = zero + (row >> 32);
  }
  auto k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    for (auto& x : c) {
      const W product0 = multiply_low(x[0], m0), product1 = multiply_low(x[2], m1);
      x[0] = (product1 >> 32) ^ x[1] ^ (zero + uint64_t{k0});
      x[1] = product1;
      x[2] = (product0 >> 32) ^ x[3] ^ (zero + uint64_t{k1});
      x[3] = product0;
    }
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  Words words;
  for (int w = 0; w < 4; ++w)
    words.word[w] = reinterpret_cast<U>((c[0][w] & uint64_t{0xFFFFFFFF}) | (c[1][w] << 32));
  return words;
}

/// 24 bits of each word as a number in [0, 1).
[[gnu::always_inline]] inline F uniform(U word) {
  return __builtin_convertvector(reinterpret_cast<I>(word >> 8), F) * 0x1p-24F;
}

/// Calls body(j, lanes, u) for each vector of a row, u being its uniform numbers; not in order.
template <class Body>
[[gnu::always_inline]] inline void for_uniform(uint64_t key, int64_t row, int64_t count,
                                               Body body) {
  constexpr int64_t kGroup = 64, kLanes = 16;
  const auto number = static_cast<uint64_t>(row);
  int64_t group = 0;
  for (; group + kGroup <= count; group += kGroup) {
    for (int64_t lane = 0; lane < kLanes; lane += kWidth) {
      const Words words = philox(key, number, static_cast<uint32_t>(group / 4 + lane));
      for (int64_t w = 0; w < 4; ++w)
        body(group + kLanes * w + lane, Whole{}, uniform(words.word[w]));
    }
  }
  if (group == count) return;
  for (int64_t lane = 0; lane < kLanes && group + lane < count; lane += kWidth) {
    const Words words = philox(key, number, static_cast<uint32_t>(group / 4 + lane));
    for (int64_t w = 0; w < 4; ++w) {
      const int64_t j = group + kLanes * w + lane;
      if (j + kWidth <= count)
        body(j, Whole{}, uniform(words.word[w]));
      else if (j < count)
        body(j, Part{count - j}, uniform(words.word[w]));
    }
  }
}

}  // namespace superstep::kernels::SUPERSTEP_ISA
