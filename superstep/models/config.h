// The [model] section of a job.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "superstep/config/section.h"

namespace superstep::models {

/// The valid values of `kind`, and the most units a hidden layer may have.
inline constexpr std::array kKinds = {"logistic", "linear", "mlp", "rbm", "dbn"};
inline constexpr int64_t kMostUnits = 1'000'000;

struct ModelConfig {
  std::string kind = "mlp";
  std::optional<std::string> task;
  std::vector<int64_t> hidden;
  std::string activation = "relu";
  std::string visible = "binary";
  std::string hidden_units = "binary";
  bool generative = false;
  std::string start;

  void declare(config::Section& section);
  /// Checks what no single key shows and fills `hidden` where it was left empty. Throws
  /// ConfigError.
  void complete();

  /// Whether layers are restricted Boltzmann machines, trained one after another.
  [[nodiscard]] bool pretrained() const { return kind == "rbm" || kind == "dbn"; }
  /// Whether there is an output layer, and so labels or targets to learn.
  [[nodiscard]] bool has_output() const { return kind != "rbm" && task != kNoTask; }
  /// The `task` of a dbn that is only pretrained: it has no output layer yet.
  static constexpr const char* kNoTask = "none";
};

}  // namespace superstep::models
