#include "superstep/kernels/context.h"

#include <algorithm>

namespace superstep::kernels {

Scratch::~Scratch() { --context_.borrowed_; }

Matrix Scratch::matrix(int64_t rows, int64_t cols) const {
  SUPERSTEP_ASSERT(rows * cols <= static_cast<int64_t>(values_.size()));
  return {values_.data(), rows, cols};
}

Scratch Context::scratch(int64_t count) {
  if (borrowed_ == buffers_.size()) buffers_.emplace_back();
  AlignedVector<float>& buffer = buffers_[borrowed_++];
  const auto size = static_cast<size_t>(count);
  if (buffer.size() < size) buffer.resize(size);
  return {*this, std::span(buffer).first(size)};
}

std::span<int64_t> Context::ranges(int64_t count) {
  const auto size = static_cast<size_t>(count);
  if (ranges_.size() < size) ranges_.resize(size);
  return std::span(ranges_).first(size);
}

void Context::make_members(int count) {
  while (static_cast<int>(members_.size()) + 1 < count)
    members_.push_back(std::make_unique<Context>());
}

}  // namespace superstep::kernels
