// After its first step an optimizer allocates nothing: counted with an operator new of our own,
// which stands for the whole test program.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <vector>

#include "superstep/optim/optimizer.h"

namespace {
thread_local int64_t allocations = 0;

void* counted(size_t size, size_t alignment) {
  ++allocations;
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

namespace superstep::optim {
namespace {

class Allocation : public testing::TestWithParam<const char*> {};

TEST_P(Allocation, HappensInTheFirstStepAlone) {
  kernels::Context context;
  const auto optimizer = make_optimizer(GetParam());
  ParamSet params({{"weight", {7, 4}}, {"bias", {4}}});
  params.fill(0.5F);
  std::vector<ParamSet> state(optimizer->state_prefixes().size(), ParamSet(params.shared_layout()));
  const std::vector<TensorRule> rules = {{.param = 0, .l1 = 0.1, .l2 = 0.1, .max_norm = 0.5},
                                         {.param = 1}};
  // oneDNN allocates in each of its calls; products over no rows do not reach it.
  const Tensor a({0, 7}), b({0, 4});
  SparseMatrix held;
  held.start(2, 7);
  held.append_row(std::vector<float>{0, 1, 0, 0, 2, 0, 0});
  held.append_row(std::vector<float>{0, 0, 0, 0, 0, 0, 3});
  const Tensor b_held({2, 4});
  const std::vector<float> sums(4, 1.0F);

  for (const Step& step : {Step{.learning_rate = 0.1},
                           {.learning_rate = 0.1, .momentum = 0.5},
                           {.learning_rate = 0.1, .momentum = 0.5, .clip_norm = 1}}) {
    optimizer->bind(params, state, rules, context);
    for (int number = 1; number < 4; ++number) {
      const int64_t before = allocations;
      GradSink& sink = optimizer->begin(step);
      for (int part = 0; part < 2; ++part) {
        sink.add_product(0, a.matrix(), b.matrix());
        sink.add_sparse_product(0, held, b_held.matrix());
        sink.add(1, sums);
      }
      optimizer->end();
      if (number == 1) continue;
      EXPECT_EQ(allocations, before) << step.momentum << " " << step.clip_norm;
    }
    optimizer->unbind();
  }
}

TEST_P(Allocation, IsCounted) {
  const int64_t before = allocations;
  const auto optimizer = make_optimizer(GetParam());
  EXPECT_GT(allocations, before);
}

INSTANTIATE_TEST_SUITE_P(Rules, Allocation,
                         testing::ValuesIn(kOptimizers.begin(), kOptimizers.end()),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace superstep::optim
