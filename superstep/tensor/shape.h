// The sizes of a tensor's axes, slowest first: (rows, columns) for a matrix.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace superstep {

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : sizes_(sizes) {}
  explicit Shape(std::vector<int64_t> sizes) : sizes_(std::move(sizes)) {}

  [[nodiscard]] size_t rank() const { return sizes_.size(); }
  [[nodiscard]] int64_t operator[](size_t axis) const { return sizes_.at(axis); }
  [[nodiscard]] const std::vector<int64_t>& sizes() const { return sizes_; }
  /// Number of elements; 1 for rank 0.
  [[nodiscard]] int64_t count() const {
    int64_t n = 1;
    for (const int64_t size : sizes_) n *= size;
    return n;
  }
  /// "(100, 784)".
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  std::vector<int64_t> sizes_;
};

}  // namespace superstep
