// The sizes that every kernel is tested and timed over: nothing, one, odd, one past a vector.
#pragma once

#include <array>
#include <cstdint>

namespace superstep::kernels {

/// Lengths of a row for elementwise kernels; vectors hold 4, 8 or 16 floats.
inline constexpr std::array<int64_t, 12> kLengths = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 100, 257};

/// A product of (rows, inputs) with (inputs, outputs) and the two products of its derivative.
struct ProductCase {
  int64_t rows, inputs, outputs;
};

inline constexpr std::array<ProductCase, 19> kProducts = {{
    {0, 3, 4},       // no rows
    {3, 0, 4},       // no inputs: zeros
    {3, 4, 0},       // no outputs
    {1, 1, 1},       //
    {1, 7, 5},       // a single row
    {2, 1, 9},       // a single input
    {9, 17, 1},      // regression: a single output
    {100, 784, 1},   //
    {5, 3, 2},       //
    {7, 9, 10},      //
    {16, 16, 16},    // whole vectors
    {17, 33, 15},    // one past, one short
    {20, 64, 256},   // the digits example
    {20, 256, 128},  //
    {20, 128, 10},   //
    {31, 129, 65},   //
    {100, 500, 10},  // MNIST
    {25, 784, 500},  //
    {64, 300, 131},  //
}};

}  // namespace superstep::kernels
