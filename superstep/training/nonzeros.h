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

/// The share of values that are not zero below which a whole step is quicker without the zeros, for
/// a first layer of `units`: a row of few units is no work to multiply by, so that taking the zeros
/// out is most of it. Measured, with a margin: bench/RESULTS.md.
inline double sparse_below(int64_t units) { return units < 64 ? 0.08 : 0.25; }

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
