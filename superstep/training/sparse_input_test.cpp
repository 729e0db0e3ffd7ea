// Contrastive divergence on rows whose zeros are left out, for every kind of visible unit; and what
// a step on them allocates. (training/options_test.cpp has all ways of training.)
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <new>

#include "superstep/data/row_source.h"
#include "superstep/layers/rbm.h"
#include "superstep/models/testing.h"
#include "superstep/optim/optimizer.h"
#include "superstep/training/learner.h"
#include "superstep/training/nonzeros.h"
#include "superstep/training/testing.h"

namespace {

// Large enough not to be the sizes of a Shape, which are allocated one by one.
constexpr size_t kLarge = 128;
thread_local int64_t large_allocations = 0;

void* counted(size_t size, size_t alignment) {
  if (size >= kLarge) ++large_allocations;
  // aligned_alloc wants a multiple of the alignment.
  void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace superstep::training {
namespace {

constexpr int64_t kRows = 6, kVisible = 23, kHidden = 8;

// Rows of small counts, four of five zero; the fourth is empty.
data::MatrixSource counts(int64_t rows) {
  Tensor x({rows, kVisible});
  std::vector<int32_t> labels;
  fill_uniform(RngKey(2), 0, x.values());
  for (float& value : x.values()) value = value < 0.8F ? 0.0F : std::ceil((value - 0.8F) * 15);
  std::ranges::fill(x.matrix().row(3), 0.0F);
  for (int64_t r = 0; r < rows; ++r) labels.push_back(static_cast<int32_t>(r % 3));
  return data::MatrixSource(std::move(x), std::move(labels));
}

struct Case {
  const char* visible;
  const char* hidden;
  ContrastiveDivergence::Options options;
  bool centred = false;
};

TEST(ContrastiveDivergence, HasTheSameGradientOnRowsWithoutZerosButForRounding) {
  const ContrastiveDivergence::Options plain{}, steps{.steps = 3},
      chains{.steps = 2, .persistent = true}, sample{.sample_reconstruction = true},
      samples{.steps = 3, .sample_reconstruction = true},
      sought{.sparsity_target = 0.2, .sparsity_cost = 1};
  for (const Case& each : std::vector<Case>{{"binary", "binary", plain},
                                            {"binary", "binary", plain, true},
                                            {"binary", "binary", steps, true},
                                            {"binary", "binary", chains},
                                            {"binary", "binary", chains, true},
                                            {"binary", "rectified", sought, true},
                                            {"gaussian", "binary", plain, true},
                                            {"linear", "binary", steps},
                                            {"softmax", "binary", plain},
                                            {"softmax", "binary", steps},
                                            {"softmax", "gaussian", chains},
                                            {"binary", "binary", sample},
                                            {"binary", "binary", samples, true},
                                            {"softmax", "binary", sample, true},
                                            {"softmax", "binary", samples},
                                            {"gaussian", "binary", sample, true},
                                            {"linear", "binary", samples}}) {
    SCOPED_TRACE(fmt::format("{} {}, {} steps{}{}{}", each.visible, each.hidden, each.options.steps,
                             each.options.persistent ? ", chains" : "",
                             each.options.sample_reconstruction ? ", a sample" : "",
                             each.centred ? ", centred" : ""));
    const layers::Rbm rbm({.visible = kVisible,
                           .hidden = kHidden,
                           .visible_units = layers::parse_units(each.visible),
                           .hidden_units = layers::parse_units(each.hidden)});
    std::vector<ParamSpec> specs;
    for (const auto& init : rbm.tensors()) specs.push_back({init.name, init.shape});
    ParamSet params(specs);
    models::testing::randomize(params, 5, 0.1F);
    std::vector<float> mu(each.centred ? kVisible : 0, 0.3F), lambda(each.centred ? kHidden : 0);
    fill_uniform(RngKey(4), 0, lambda);
    const ContrastiveDivergence learner(rbm, 0, each.options);

    const data::MatrixSource source = counts(kRows);
    std::vector<models::testing::BufferSink> sinks;
    std::vector<std::vector<double>> activities;
    std::vector<Tally> tallies;
    std::vector<Bytes> chains_after;
    for (const Form form : {Form::kDense, Form::kSparse}) {
      Batch batch;
      source.read_as(form, std::vector<int64_t>{4, 0, 3, 5, 1}, batch);
      LearnerScratch scratch;
      models::testing::BufferSink& sink = sinks.emplace_back(params.layout());
      auto& activity = activities.emplace_back(kHidden);
      // The second step goes on from the chains of the first.
      for (const uint64_t step : {1, 2})
        tallies.push_back(learner.gradient(
            params, {.batch = batch, .key = RngKey(step), .step_key = RngKey(step).fold("step")},
            {.visible = mu, .hidden = lambda}, activity, sink, scratch));
      chains_after.push_back(scratch.chains.to_bytes());
    }
    for (int t = 0; t < params.layout().size(); ++t)
      for (size_t i = 0; i < sinks[0].gradient(t).size(); ++i)
        ASSERT_NEAR(sinks[0].gradient(t)[i], sinks[1].gradient(t)[i],
                    1e-5 * (1 + std::abs(sinks[0].gradient(t)[i])))
            << params.layout().spec(t).name << " " << i;
    for (size_t j = 0; j < kHidden; ++j) ASSERT_NEAR(activities[0][j], activities[1][j], 1e-4);
    for (const size_t step : {0, 1})
      EXPECT_NEAR(tallies[step].loss, tallies[2 + step].loss, 1e-4 * (1 + tallies[step].loss));
    EXPECT_EQ(chains_after[0].size(), chains_after[1].size());
    EXPECT_EQ(chains_after[0].empty(), !each.options.persistent);
  }
}

// A net of one layer multiplies by nothing but sparse rows, so all of a step can be counted.
TEST(SparseRows, AreReadAndLearnedFromWithoutAnAllocationAfterTheFirstSteps) {
  models::ModelConfig config;
  config.kind = "logistic";
  const models::Network network = models::make_network(config, kVisible, 3);
  ParamSet params = network.initial(RngKey(1));
  const layers::SoftmaxCrossEntropy loss;
  const data::MatrixSource source = counts(60);
  for (const std::vector<double>& dropout : {std::vector<double>{}, std::vector<double>{0.2}}) {
    const Backpropagation learner(network, loss, dropout);
    const auto optimizer = optim::make_optimizer("sgd");
    std::vector<ParamSet> state(1, ParamSet(params.shared_layout()));
    const std::vector<optim::TensorRule> rules = {{.param = 0, .l2 = 0.1}, {.param = 1}};
    LearnerScratch scratch;
    optimizer->bind(params, state, rules, scratch.context);
    Batch batch;
    const std::vector<int64_t> rows = testing::numbers(0, 60);
    const auto step = [&](uint64_t number) {
      source.read_as(Form::kSparse, rows, batch);
      GradSink& sink = optimizer->begin({.learning_rate = 0.1, .momentum = 0.5});
      learner.gradient(params, {.batch = batch, .key = RngKey(number), .step_key = RngKey(number)},
                       sink, scratch);
      optimizer->end();
    };
    // How much dropout leaves differs a little from step to step.
    for (uint64_t number = 0; number < 20; ++number) step(number);
    const int64_t before = large_allocations;
    for (uint64_t number = 0; number < 20; ++number) step(number);
    EXPECT_EQ(large_allocations, before);
    optimizer->unbind();
  }
  const int64_t before = large_allocations;
  const std::vector<char> memory(kLarge);
  EXPECT_EQ(large_allocations, before + 1) << memory.size();
}

TEST(SparseBelow, AsksForFewerNonzerosWhereAProductIsNarrow) {
  EXPECT_EQ(sparse_below(10), 0.08);
  EXPECT_EQ(sparse_below(63), 0.08);
  EXPECT_EQ(sparse_below(64), 0.25);
  EXPECT_EQ(sparse_below(500), 0.25);
}

TEST(NonzerosProgram, CountsWhatIsNotZeroInTheRowsAsked) {
  Tensor x({4, 3});
  x.values()[0] = 1;   // row 0: one
  x.values()[6] = -2;  // row 2: two
  x.values()[8] = 3;
  const data::MatrixSource source(std::move(x));
  const auto count = [&](std::vector<int64_t> rows) {
    const NonzerosProgram program(source, std::move(rows));
    return program.result(testing::run_serially(program));
  };
  EXPECT_EQ(count({0, 1, 2, 3}), 3);
  EXPECT_EQ(count({1, 2}), 2);
  EXPECT_EQ(count({1, 3}), 0);
}

}  // namespace
}  // namespace superstep::training
