#include "superstep/reduce/outer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "superstep/base/error.h"

namespace superstep::reduce {
namespace {

class Average final : public OuterRule {
 public:
  [[nodiscard]] bool has_momentum() const override { return false; }
  void move(std::span<float> value, std::span<float> momentum,
            std::span<const double> mean) const override {
    SUPERSTEP_ASSERT(value.size() == mean.size() && momentum.empty());
    for (size_t i = 0; i < value.size(); ++i)
      value[i] = static_cast<float>(static_cast<double>(value[i]) + mean[i]);
  }
};

class Nesterov final : public OuterRule {
 public:
  Nesterov(double momentum, double rate) : mu_(momentum), rate_(rate) {}
  [[nodiscard]] bool has_momentum() const override { return true; }
  void move(std::span<float> value, std::span<float> momentum,
            std::span<const double> mean) const override {
    SUPERSTEP_ASSERT(value.size() == mean.size() && momentum.size() == mean.size());
    for (size_t i = 0; i < value.size(); ++i) {
      const double v = mu_ * static_cast<double>(momentum[i]) + mean[i];
      momentum[i] = static_cast<float>(v);
      value[i] = static_cast<float>(static_cast<double>(value[i]) + rate_ * (mean[i] + mu_ * v));
    }
  }

 private:
  double mu_, rate_;
};

constexpr std::array<std::string_view, 2> kNames = {"average", "nesterov"};

}  // namespace

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
