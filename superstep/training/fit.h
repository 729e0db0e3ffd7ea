// The phase `fit` as a Program: what must be known of the data before anything can be learned.
//
//   index       a unit is a split: rows are counted, labels too, every record is checked
//   statistics  a unit is a range of row numbers of one split: sums over the training rows of every
//   column;
//               left out where the scaling needs none
//
// The result depends on the rows alone, not on how files were cut or who read them.
#pragma once

#include <functional>
#include <memory>

#include "superstep/data/dataset.h"
#include "superstep/data/row_index.h"
#include "superstep/data/scaling.h"
#include "superstep/data/target.h"
#include "superstep/reduce/program.h"

namespace superstep::training {

struct FitOptions {
  std::string task = "infer";   ///< As data::infer_target takes it.
  std::string scale = "infer";  ///< As data::Scaling::fit takes it.
  double threshold = 0.5;
  data::Statistics more = {};             ///< Of other rows that the scaling is fitted to as well.
  std::function<bool(int64_t)> training;  ///< Whether a row number is one to learn from.
};

/// What fit found.
struct Fitted {
  data::RowIndex index;
  data::Target target;
  data::Scaling scaling;
  data::Statistics statistics;  ///< Of these rows alone; empty where the scaling needs none.
};

class FitProgram : public reduce::Program {
 public:
  FitProgram(std::shared_ptr<const data::DataSet> data, FitOptions options);

  [[nodiscard]] reduce::State initial() const override { return {}; }
  [[nodiscard]] std::optional<reduce::Round> next(const reduce::Round* last,
                                                  const reduce::State& state) const override;
  [[nodiscard]] std::vector<std::vector<std::string>> hosts(
      const reduce::Round& round) const override;
  [[nodiscard]] reduce::UpdateSpec update_spec(const reduce::Round& round) const override;
  [[nodiscard]] reduce::Outcome compute(const reduce::Task& task) const override;
  reduce::Report apply(const reduce::Round& round, reduce::State& state,
                       const reduce::ExactSum& sum, const std::vector<Bytes>& blobs) const override;

  [[nodiscard]] Fitted result(const reduce::State& state) const;

 private:
  [[nodiscard]] data::Target target(const data::RowIndex& index) const;

  std::shared_ptr<const data::DataSet> data_;
  FitOptions options_;
};

}  // namespace superstep::training
