// How many features of some rows are not zero, as the first layer sees them: whether it leaves the
// zeros out (numerics.sparse = "auto") is decided once a job by their share.
//
//   const NonzerosProgram program(source, rows);
//   int64_t count = program.result(engines::run_local(program, lanes, {}).run.state);
//
// A phase of its own behind `fit`, for the scaling decides what is zero. Counts are integers: the
// same on any number of workers.
#pragma once

#include <vector>

#include "superstep/reduce/program.h"
#include "superstep/tensor/batch.h"

namespace superstep::training {

/// Below this share of values that are not zero the products without zeros are the quicker ones,
/// those of reading sparse rows and of both directions together. Measured: bench/RESULTS.md.
inline constexpr double kSparseBelow = 0.25;

class NonzerosProgram : public reduce::Program {
 public:
  /// The source outlives it.
  NonzerosProgram(const Source& source, std::vector<int64_t> rows);

  [[nodiscard]] reduce::State initial() const override { return {}; }
  [[nodiscard]] std::optional<reduce::Round> next(const reduce::Round* last,
                                                  const reduce::State& state) const override;
  [[nodiscard]] reduce::UpdateSpec update_spec(const reduce::Round& round) const override;
  [[nodiscard]] reduce::Outcome compute(const reduce::Task& task) const override;
  reduce::Report apply(const reduce::Round& round, reduce::State& state,
                       const reduce::ExactSum& sum, const std::vector<Bytes>& blobs) const override;

  [[nodiscard]] int64_t result(const reduce::State& state) const;

 private:
  const Source& source_;
  std::vector<int64_t> rows_;
};

}  // namespace superstep::training
