#include "superstep/tensor/param_set.h"

#include <algorithm>

namespace superstep {

ParamLayout::ParamLayout(std::vector<ParamSpec> specs) : specs_(std::move(specs)) {
  constexpr size_t kFloatsPerLine = 16;
  for (const ParamSpec& spec : specs_) {
    SUPERSTEP_ASSERT(index_.emplace(spec.name, static_cast<int>(offsets_.size())).second);
    offsets_.push_back(flat_size_);
    const auto count = static_cast<size_t>(spec.shape.count());
    flat_size_ += (count + kFloatsPerLine - 1) / kFloatsPerLine * kFloatsPerLine;
  }
}

int64_t ParamLayout::count() const {
  int64_t total = 0;
  for (const ParamSpec& spec : specs_) total += spec.shape.count();
  return total;
}

int ParamLayout::find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? -1 : found->second;
}

int ParamLayout::at(std::string_view name) const {
  const int i = find(name);
  SUPERSTEP_ASSERT(i >= 0);
  return i;
}

void ParamSet::fill(float value) {
  for (int i = 0; i < layout_->size(); ++i) std::ranges::fill(values(i), value);
}

}  // namespace superstep
