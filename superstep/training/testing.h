// For tests of Programs: the loop of reduce/program.h as it stands there, on one thread; and small
// sets of rows to learn.
#pragma once

#include <functional>
#include <vector>

#include "superstep/base/floating_point.h"
#include "superstep/base/rng.h"
#include "superstep/data/row_source.h"
#include "superstep/reduce/program.h"

namespace superstep::training::testing {

/// A round, and what it came to.
struct Done {
  reduce::Round round;
  reduce::Report report;
  std::vector<reduce::Outcome> outcomes;

  /// A measure of the report; -1 where it has none of the name.
  [[nodiscard]] double measure(const std::string& name) const {
    for (const auto& [key, value] : report.measures)
      if (key == name) return value;
    return -1;
  }
};

/// Runs a program to its end. `look` sees the state after every round.
inline reduce::State run_serially(
    const reduce::Program& program,
    const std::function<void(const Done&, const reduce::State&)>& look = {}) {
  const FloatingPointScope floating_point;
  reduce::State state = program.initial();
  const auto scratch = program.make_scratch();
  reduce::Progress progress;
  auto round = program.next(nullptr, state);
  while (round) {
    const auto spec = program.update_spec(*round);
    int64_t planned = 0;
    for (const auto& unit : round->units) planned += unit.weight;
    reduce::ExactSum sum(spec, planned, static_cast<int64_t>(round->units.size()));
    Done done{.round = *round, .report = {}, .outcomes = {}};
    std::vector<Bytes> blobs;
    for (const auto& unit : round->units) {
      done.outcomes.push_back(program.compute({.round = *round,
                                               .unit = unit,
                                               .shared = state.shared,
                                               .private_state = {},
                                               .scratch = *scratch,
                                               .progress = progress}));
      reduce::check_update(spec, done.outcomes.back().update);
      sum.add(done.outcomes.back().update, done.outcomes.back().weight);
      blobs.push_back(done.outcomes.back().blob);
    }
    done.report = program.apply(*round, state, sum, blobs);
    if (look) look(done, state);
    round = program.next(&*round, state);
  }
  return state;
}

/// Pictures of 4 x 4 with bars (class 0) or stripes (class 1): each row, or each column, is dark or
/// light throughout; one pixel in twenty is flipped. No single pixel says anything of the class.
inline data::MatrixSource bars_and_stripes(int64_t rows, uint64_t seed) {
  constexpr size_t kSide = 4;
  Tensor x({rows, kSide * kSide});
  std::vector<int32_t> labels;
  std::vector<float> flip(kSide * kSide);
  for (int64_t r = 0; r < rows; ++r) {
    const RngKey key = RngKey(seed).fold(static_cast<uint64_t>(r));
    const bool stripes = key.uniform(0) < 0.5;
    const auto lit = 1 + key.bits(1) % 14;  // neither all dark nor all light, which would be both
    fill_uniform(key, 2, flip);
    for (size_t i = 0; i < kSide * kSide; ++i) {
      const size_t line = stripes ? i % kSide : i / kSide;
      const bool on = (lit >> line & 1) != 0;
      x.matrix().row(r)[i] = on != (flip[i] < 0.05F) ? 1.0F : 0.0F;
    }
    labels.push_back(stripes ? 1 : 0);
  }
  return data::MatrixSource(std::move(x), std::move(labels));
}

}  // namespace superstep::training::testing
