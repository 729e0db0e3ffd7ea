// Named tensors over one flat buffer: the parameters of a model, a change of them, a state.
//
//   ParamSet p({{"layer.0.weight", {784, 500}}, {"layer.0.bias", {500}}});
//   Matrix w = p.matrix(p.layout().at("layer.0.weight"));
//   for (float& v : p.flat()) ...         // all tensors at once, padding (zeros) included
//
// Each tensor begins on a 64-byte boundary. Copies share the layout and copy the numbers.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "superstep/tensor/tensor.h"

namespace superstep {

struct ParamSpec {
  std::string name;
  Shape shape;
  friend bool operator==(const ParamSpec&, const ParamSpec&) = default;
};

/// Where each named tensor lies in the flat buffer. Immutable.
class ParamLayout {
 public:
  /// Names must differ.
  explicit ParamLayout(std::vector<ParamSpec> specs);

  [[nodiscard]] int size() const { return static_cast<int>(specs_.size()); }
  [[nodiscard]] const std::vector<ParamSpec>& specs() const { return specs_; }
  [[nodiscard]] const ParamSpec& spec(int i) const { return specs_.at(static_cast<size_t>(i)); }
  [[nodiscard]] size_t offset(int i) const { return offsets_.at(static_cast<size_t>(i)); }
  [[nodiscard]] size_t flat_size() const { return flat_size_; }
  /// Elements without padding: "50,826 numbers".
  [[nodiscard]] int64_t count() const;
  /// The index of a name, or -1.
  [[nodiscard]] int find(std::string_view name) const;
  /// The index of a name that must be there (an assertion).
  [[nodiscard]] int at(std::string_view name) const;

 private:
  std::vector<ParamSpec> specs_;
  std::vector<size_t> offsets_;
  std::unordered_map<std::string, int> index_;
  size_t flat_size_ = 0;
};

/// Floats of its own, zeros at first, or where somebody else has them. A copy has its own.
class Floats {
 public:
  explicit Floats(size_t size) : own_(size), view_(own_) {}
  Floats(std::shared_ptr<float> memory, size_t size)
      : memory_(std::move(memory)), view_(memory_.get(), size) {}
  Floats(const Floats& other) : own_(other.view_.begin(), other.view_.end()), view_(own_) {}
  Floats(Floats&& other) noexcept
      : own_(std::move(other.own_)),
        memory_(std::move(other.memory_)),
        view_(std::exchange(other.view_, {})) {}
  Floats& operator=(Floats other) noexcept {
    own_.swap(other.own_);
    memory_.swap(other.memory_);
    std::swap(view_, other.view_);
    return *this;
  }
  ~Floats() = default;
  [[nodiscard]] std::span<float> all() { return view_; }
  [[nodiscard]] std::span<const float> all() const { return view_; }
  [[nodiscard]] bool own() const { return memory_ == nullptr; }

 private:
  AlignedVector<float> own_;
  std::shared_ptr<float> memory_;
  std::span<float> view_;  // of one of the two
};

class ParamSet {
 public:
  ParamSet() : ParamSet(std::vector<ParamSpec>{}) {}
  explicit ParamSet(std::vector<ParamSpec> specs)
      : ParamSet(std::make_shared<const ParamLayout>(std::move(specs))) {}
  explicit ParamSet(std::shared_ptr<const ParamLayout> layout)
      : layout_(std::move(layout)), flat_(layout_->flat_size()) {}
  /// Over memory of flat_size() floats on a 64-byte boundary, as it is; `memory` keeps it alive.
  ParamSet(std::shared_ptr<const ParamLayout> layout, std::shared_ptr<float> memory)
      : layout_(std::move(layout)), flat_(std::move(memory), layout_->flat_size()) {}

  /// Whether the memory is nobody else's.
  [[nodiscard]] bool owns_memory() const { return flat_.own(); }

  [[nodiscard]] const ParamLayout& layout() const { return *layout_; }
  [[nodiscard]] const std::shared_ptr<const ParamLayout>& shared_layout() const { return layout_; }
  [[nodiscard]] std::span<float> flat() { return flat_.all(); }
  [[nodiscard]] std::span<const float> flat() const { return flat_.all(); }

  [[nodiscard]] std::span<float> values(int i) {
    return {flat().data() + layout_->offset(i), n(i)};
  }
  [[nodiscard]] std::span<const float> values(int i) const {
    return {flat().data() + layout_->offset(i), n(i)};
  }
  [[nodiscard]] std::span<float> values(std::string_view name) { return values(layout_->at(name)); }
  [[nodiscard]] std::span<const float> values(std::string_view name) const {
    return values(layout_->at(name));
  }
  [[nodiscard]] Matrix matrix(int i) {
    const auto [rows, cols] = matrix_sizes(layout_->spec(i).shape);
    return {values(i).data(), rows, cols};
  }
  [[nodiscard]] ConstMatrix matrix(int i) const {
    const auto [rows, cols] = matrix_sizes(layout_->spec(i).shape);
    return {values(i).data(), rows, cols};
  }
  [[nodiscard]] Matrix matrix(std::string_view name) { return matrix(layout_->at(name)); }
  [[nodiscard]] ConstMatrix matrix(std::string_view name) const {
    return matrix(layout_->at(name));
  }
  void fill(float value);

 private:
  [[nodiscard]] size_t n(int i) const {
    return static_cast<size_t>(layout_->spec(i).shape.count());
  }

  std::shared_ptr<const ParamLayout> layout_;
  Floats flat_;
};

}  // namespace superstep
