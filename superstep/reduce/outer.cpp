#include "superstep/reduce/outer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "superstep/base/error.h"
#include "superstep/base/team.h"
#include "superstep/reduce/clones.h"

namespace superstep::reduce {
namespace {

// Means of so many elements at a time: 16 KiB.
constexpr size_t kPiece = 2048;

SUPERSTEP_CLONES void add_means(const double* mean, float* value, size_t n) {
  for (size_t i = 0; i < n; ++i)
    value[i] = static_cast<float>(static_cast<double>(value[i]) + mean[i]);
}

SUPERSTEP_CLONES void add_with_momentum(const double* mean, double mu, double rate,
                                        float* __restrict momentum, float* __restrict value,
                                        size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const double v = mu * static_cast<double>(momentum[i]) + mean[i];
    momentum[i] = static_cast<float>(v);
    value[i] = static_cast<float>(static_cast<double>(value[i]) + rate * (mean[i] + mu * v));
  }
}

class Average final : public OuterRule {
 public:
  [[nodiscard]] bool has_momentum() const override { return false; }
  void move(std::span<float> value, std::span<float> momentum,
            std::span<const double> mean) const override {
    SUPERSTEP_ASSERT(value.size() == mean.size() && momentum.empty());
    add_means(mean.data(), value.data(), value.size());
  }
};

class Nesterov final : public OuterRule {
 public:
  Nesterov(double momentum, double rate) : mu_(momentum), rate_(rate) {}
  [[nodiscard]] bool has_momentum() const override { return true; }
  void move(std::span<float> value, std::span<float> momentum,
            std::span<const double> mean) const override {
    SUPERSTEP_ASSERT(value.size() == mean.size() && momentum.size() == mean.size());
    add_with_momentum(mean.data(), mu_, rate_, momentum.data(), value.data(), value.size());
  }

 private:
  double mu_, rate_;
};

constexpr std::array<std::string_view, 2> kNames = {"average", "nesterov"};

}  // namespace

void move_by_mean(const OuterRule& rule, const ExactSum& sum, int tensor, std::span<float> value,
                  std::span<float> momentum) {
  constexpr Cut kCut{.fewest = int64_t{8} * kPiece, .step = kPiece};
  split(static_cast<int64_t>(value.size()), kCut, [&](const Part& part) {
    std::array<double, kPiece> means;
    const auto end = static_cast<size_t>(part.end);
    for (auto first = static_cast<size_t>(part.begin); first < end; first += kPiece) {
      const size_t n = std::min(kPiece, end - first);
      const std::span<double> mean = std::span(means).first(n);
      sum.values(tensor, mean, first);
      rule.move(value.subspan(first, n), momentum.empty() ? momentum : momentum.subspan(first, n),
                mean);
    }
  });
}

std::unique_ptr<OuterRule> make_outer_rule(std::string_view name, double momentum, double rate) {
  if (name == "average") return std::make_unique<Average>();
  if (name == "nesterov") {
    if (!(momentum >= 0 && momentum < 1))
      throw ConfigError("[reduce] outer_momentum is {}, wanted at least 0 and below 1", momentum);
    if (!(rate > 0 && std::isfinite(rate)))
      throw ConfigError("[reduce] outer_rate is {}, wanted a positive number", rate);
    return std::make_unique<Nesterov>(momentum, rate);
  }
  throw ConfigError("[reduce] no outer rule '{}'; there are: {}", name, fmt::join(kNames, ", "));
}

std::span<const std::string_view> outer_rule_names() { return kNames; }

}  // namespace superstep::reduce
