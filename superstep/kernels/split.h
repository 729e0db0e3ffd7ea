// How the loops of kernels/ are handed to the calling thread's team (base/team.h). Only what is
// written is cut, so the parts have the bits of the whole.
#pragma once

#include <algorithm>
#include <span>

#include "superstep/base/team.h"
#include "superstep/tensor/tensor.h"

namespace superstep::kernels {

/// Elements that are worth a thread: some microseconds, where an element takes an operation or two,
/// and where it takes a random number.
inline constexpr int64_t kFewestElements = 8192, kFewestRandom = 2048;
/// A full vector and a line of the cache, on every instruction set.
inline constexpr int64_t kElementStep = 16;

/// Calls body(part) for ranges of `count` elements.
template <class Body>
void split_elements(int64_t count, const Body& body) {
  split(count, {.fewest = kFewestElements, .step = kElementStep}, body);
}

/// Calls body(part) for ranges of the rows of a matrix.
template <class Body>
void split_rows(ConstMatrix m, const Body& body, int64_t fewest_elements = kFewestElements) {
  split(m.rows, {.fewest = fewest_elements / std::max<int64_t>(m.cols, 1)}, body);
}

/// Calls body(part) for ranges of the columns of a matrix: where rows are summed.
template <class Body>
void split_columns(ConstMatrix m, const Body& body) {
  split(m.cols, {.fewest = kFewestElements / std::max<int64_t>(m.rows, 1), .step = kElementStep},
        body);
}

/// Calls body(m...) for parts of matrices of one size. Where there are no gaps between rows, all
/// are one row: vectors then do not end with each.
template <class Body, class First, class... M>
void split_matrices(const Body& body, const First& first, const M&... m) {
  if (first.stride == first.cols && ((m.stride == m.cols) && ...))
    return split_elements(first.rows * first.cols, [&](const Part& part) {
      const int64_t begin = part.begin, count = part.end - begin;
      body(First(first.data + begin, 1, count), M(m.data + begin, 1, count)...);
    });
  split_rows(first, [&](const Part& part) {
    body(first.row_range(part.begin, part.end), m.row_range(part.begin, part.end)...);
  });
}

/// The share of a span, one element a row or column, that belongs to a part.
template <class T>
std::span<T> share(std::span<T> values, const Part& part) {
  return values.subspan(static_cast<size_t>(part.begin),
                        static_cast<size_t>(part.end - part.begin));
}

}  // namespace superstep::kernels
