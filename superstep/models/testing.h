// For tests of models and of what trains them: gradients in a buffer, random tensors, a model
// fitted to a table.
#pragma once

#include <string>
#include <vector>

#include "superstep/data/dataset.h"
#include "superstep/data/row_source.h"
#include "superstep/data/statistics.h"
#include "superstep/data/testing.h"
#include "superstep/models/model.h"

namespace superstep::models::testing {

/// Adds gradients up, in plain loops and double.
class BufferSink : public GradSink {
 public:
  explicit BufferSink(const ParamLayout& layout) {
    for (const ParamSpec& spec : layout.specs())
      gradients_.emplace_back(static_cast<size_t>(spec.shape.count()));
  }
  void add_product(int param, ConstMatrix a, ConstMatrix b) override {
    auto& g = gradients_.at(static_cast<size_t>(param));
    for (int64_t r = 0; r < a.rows; ++r)
      for (size_t i = 0; i < a.row(r).size(); ++i)
        for (size_t j = 0; j < b.row(r).size(); ++j)
          g.at(i * b.row(r).size() + j) += double{a.row(r)[i]} * double{b.row(r)[j]};
  }
  void add_sparse_product(int param, const SparseView& a, ConstMatrix b) override {
    Tensor written({a.rows, a.cols});
    for (int64_t r = 0; r < a.rows; ++r)
      for (size_t i = 0; i < a.row_values(r).size(); ++i)
        written.matrix().row(r)[static_cast<size_t>(a.row_columns(r)[i])] = a.row_values(r)[i];
    add_product(param, written.matrix(), b);
  }
  void add(int param, std::span<const float> values) override {
    auto& g = gradients_.at(static_cast<size_t>(param));
    for (size_t i = 0; i < g.size(); ++i) g[i] += double{values[i]};
  }
  [[nodiscard]] const std::vector<double>& gradient(int param) const {
    return gradients_.at(static_cast<size_t>(param));
  }

 private:
  std::vector<std::vector<double>> gradients_;
};

/// Every tensor normal with this standard deviation.
inline void randomize(ParamSet& params, uint64_t seed, float deviation = 0.5F) {
  for (int t = 0; t < params.layout().size(); ++t) {
    fill_normal(RngKey(seed).fold(static_cast<uint64_t>(t)), 0, params.values(t));
    for (float& v : params.values(t)) v *= deviation;
  }
}

/// Rows of a CSV text as a model sees them.
struct Table {
  Table(const std::string& csv, const std::string& label, const std::string& scale,
        const std::string& task = "infer") {
    data::DataConfig config;
    config.label = label;
    rows = data::DataSet::open({folder.write("rows.csv", csv), ""}, config);
    index = data::RowIndex::of(*rows);
    const auto all = data::statistics(*rows, index, 0, index.rows, [](int64_t) { return true; });
    scaling = data::Scaling::fit(scale, rows->schema(), all);
    target = data::infer_target(index, rows->schema(), task);
    if (target.task == data::Task::kRegress) {
      target.mean = all.label.mean();
      target.deviation = all.label.deviation();
    }
  }
  [[nodiscard]] Model model(ModelConfig config) const {
    config.complete();
    return Model({config, rows->schema(), scaling, target});
  }
  [[nodiscard]] data::RowSource source() const { return {rows, index, scaling, target}; }

  data::testing::TestFolder folder;
  std::shared_ptr<const data::DataSet> rows;
  data::RowIndex index;
  data::Scaling scaling;
  data::Target target;
};

}  // namespace superstep::models::testing
