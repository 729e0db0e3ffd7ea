// Every layer on rows whose zeros are left out, against the same rows written out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>

#include "superstep/kernels/sparse.h"
#include "superstep/layers/dense.h"
#include "superstep/layers/label_rbm.h"
#include "superstep/layers/rbm.h"

namespace superstep::layers {
namespace {

constexpr int64_t kRows = 7, kInputs = 37, kOutputs = 9;

struct Gradients : GradSink {
  explicit Gradients(const std::shared_ptr<const ParamLayout>& layout) : sums(layout) {}
  void add_product(int param, ConstMatrix a, ConstMatrix b) override {
    kernels::matmul(context, a, kernels::Op::kTransposed, b, kernels::Op::kPlain,
                    sums.matrix(param), 1);
  }
  void add_sparse_product(int param, const SparseView& a, ConstMatrix b) override {
    kernels::matmul(context, a, kernels::Op::kTransposed, b, sums.matrix(param), 1);
    ++sparse_products;
  }
  void add(int param, std::span<const float> values) override {
    for (size_t i = 0; i < values.size(); ++i) sums.values(param)[i] += values[i];
  }
  kernels::Context context;
  ParamSet sums;
  int sparse_products = 0;
};

void expect_near(std::span<const float> a, std::span<const float> b, const char* what) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a[i], b[i], 2e-5 * (1 + std::abs(b[i]))) << what << " " << i;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

struct Case {
  std::string name;
  std::function<std::unique_ptr<Layer>()> make;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char* activation : {"linear", "sigmoid", "tanh", "relu"})
    all.push_back(
        {activation, [=] {
           return std::make_unique<Dense>(Dense::Options{
               .inputs = kInputs, .outputs = kOutputs, .activation = parse_activation(activation)});
         }});
  for (const char* visible : {"binary", "gaussian", "linear", "softmax"})
    for (const char* hidden : {"binary", "rectified", "gaussian", "softmax"})
      all.push_back({fmt::format("{}_{}", visible, hidden), [=] {
                       return std::make_unique<Rbm>(
                           Rbm::Options{.visible = kInputs,
                                        .hidden = kOutputs,
                                        .visible_units = parse_units(visible),
                                        .hidden_units = parse_units(hidden)});
                     }});
  all.push_back({"label", [] {
                   return std::make_unique<LabelRbm>(
                       LabelRbm::Options{.inputs = kInputs, .hidden = kOutputs, .classes = 3});
                 }});
  return all;
}

class SparseInput : public testing::TestWithParam<Case> {
 protected:
  SparseInput() : layer(GetParam().make()), x({kRows, kInputs}) {
    std::vector<ParamSpec> specs;
    for (const TensorInit& init : layer->tensors()) specs.push_back({init.name, init.shape});
    params = ParamSet(specs);
    for (int t = 0; t < params.layout().size(); ++t) {
      fill_normal(RngKey(1).fold(static_cast<uint64_t>(t)), 0, params.values(t));
      for (float& value : params.values(t)) value *= 0.3F;
    }
    // Counts, which all kinds take; the last row is empty.
    fill_uniform(RngKey(2), 0, x.values());
    for (float& value : x.values()) value = value < 0.8F ? 0.0F : std::ceil((value - 0.8F) * 15);
    std::ranges::fill(x.matrix().row(kRows - 1), 0.0F);
    kernels::from_dense(x.matrix(), held);
  }
  [[nodiscard]] Pass pass() { return {Mode::kTrain, RngKey(3), numbers, context}; }

  std::unique_ptr<Layer> layer;
  ParamSet params;
  Tensor x;
  SparseMatrix held;
  kernels::Context context;
  std::vector<int64_t> numbers = {3, 1, 4, 15, 9, 2, 6};
};

TEST_P(SparseInput, GivesTheSameOutputsAndGradientsButForRounding) {
  Tensor y({kRows, layer->outputs()}), y_held = y, dy = y, dx({kRows, kInputs}), dx_held = dx;
  layer->forward(params, 0, x.matrix(), y.matrix(), pass());
  layer->forward(params, 0, held, y_held.matrix(), pass());
  expect_near(y_held.values(), y.values(), "y");

  fill_normal(RngKey(4), 0, dy.values());
  Tensor dy_held = dy;
  Gradients gradients(params.shared_layout()), of_held(params.shared_layout());
  layer->backward(params, 0, x.matrix(), y.matrix(), dy.matrix(), dx.matrix(), pass(), gradients);
  layer->backward(params, 0, held, y.matrix(), dy_held.matrix(), dx_held.matrix(), pass(), of_held);
  expect_near(dx_held.values(), dx.values(), "dx");
  expect_near(of_held.sums.flat(), gradients.sums.flat(), "gradient");
  EXPECT_EQ(of_held.sparse_products, 1);
}

TEST_P(SparseInput, GivesARowTheSameBitsAloneOrAmongOthers) {
  Tensor all({kRows, layer->outputs()}), one({1, layer->outputs()});
  layer->forward(params, 0, held, all.matrix(), pass());
  for (int64_t r = 0; r < kRows; ++r) {
    const Pass alone{Mode::kTrain, RngKey(3), std::span(numbers).subspan(static_cast<size_t>(r), 1),
                     context};
    layer->forward(params, 0, held.view().slice(r, 1), one.matrix(), alone);
    EXPECT_TRUE(same_bits(one.values(), all.matrix().row(r))) << "row " << r;
  }
}

TEST_P(SparseInput, HasTheSameFreeEnergyButForRounding) {
  std::vector<double> wanted(kRows), got(kRows);
  if (const auto* rbm = dynamic_cast<const Rbm*>(layer.get())) {
    if (!rbm->has_free_energy()) return;
    rbm->free_energy(params, 0, x.matrix(), wanted, context);
    rbm->free_energy(params, 0, held, got, context);
  } else if (const auto* top = dynamic_cast<const LabelRbm*>(layer.get())) {
    Tensor labels({kRows, 3});
    for (int64_t r = 0; r < kRows; ++r) labels.matrix().row(r)[static_cast<size_t>(r % 3)] = 1;
    top->free_energy(params, 0, x.matrix(), labels.matrix(), wanted, context);
    top->free_energy(params, 0, held, labels.matrix(), got, context);
  } else {
    return;  // no machine
  }
  for (size_t r = 0; r < wanted.size(); ++r)
    EXPECT_NEAR(got[r], wanted[r], 1e-5 * (1 + std::abs(wanted[r]))) << "row " << r;
}

TEST_P(SparseInput, MustHaveTheLayersColumns) {
  SparseMatrix narrow;
  narrow.start(1, kInputs - 1);
  narrow.end_row();
  Tensor y({1, layer->outputs()});
  try {
    layer->forward(params, 0, narrow, y.matrix(), pass());
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("must be (rows, 37), got (1, 36)"), std::string::npos)
        << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(Layers, SparseInput, testing::ValuesIn(cases()),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace superstep::layers
