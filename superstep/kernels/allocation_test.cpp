// What a training step allocates once it is warm: nothing of ours.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <numeric>
#include <vector>

#include "superstep/base/team.h"
#include "superstep/kernels/activation.h"
#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/matmul.h"
#include "superstep/kernels/sparse.h"
#include "superstep/kernels/update.h"

namespace {

// Calls of operator new while they are counted, in any thread, but for those from oneDNN's library:
// it makes some dozen small ones a product, and offers no way around them.
std::atomic<int64_t> allocations = 0;
std::atomic<bool> is_counting = false;  // looking a caller up is slow

void count(void* caller) {
  if (!is_counting) return;
  Dl_info info{};
  const bool is_known = dladdr(caller, &info) != 0 && info.dli_fname != nullptr;
  if (!is_known || std::strstr(info.dli_fname, "libdnnl") == nullptr) ++allocations;
}

}  // namespace

// These replace the program's, and those of the libraries it loads.
// Not inline: the caller is asked for, and the compiler would see free(new ...).
[[gnu::noinline]] void* operator new(size_t size) {
  count(__builtin_return_address(0));
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t size, std::align_val_t alignment) {
  count(__builtin_return_address(0));
  const auto a = static_cast<size_t>(alignment);
  if (void* memory = std::aligned_alloc(a, (size + a) / a * a)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace superstep::kernels {
namespace {

TEST(Allocations, AreCounted) {
  const int64_t before = allocations;
  is_counting = true;
  const std::vector<int> memory(1000);
  is_counting = false;
  EXPECT_EQ(allocations, before + 1) << memory.size();
}

// Sizes that a team cuts, and others.
void expect_none_in_a_warm_step(int64_t rows, int64_t inputs, int64_t outputs) {
  const RngKey key(1);
  std::vector<int64_t> numbers(static_cast<size_t>(rows));
  std::iota(numbers.begin(), numbers.end(), 0);
  Tensor x({rows, inputs}), w({inputs, outputs}), v({inputs, outputs}), bias({outputs});
  Tensor y({rows, outputs}), state({rows, outputs}), noisy({rows, inputs}), sums({outputs});
  fill_uniform(key, 0, x.values());
  dropout(0.8, key, numbers, x.matrix(), x.matrix());

  Context context;
  SparseMatrix held;
  const auto step = [&] {
    dropout(0.2, key, numbers, x.matrix(), noisy.matrix());
    matmul(context, noisy.matrix(), Op::kPlain, w.matrix(), Op::kPlain, y.matrix(), 0);
    from_dense(x.matrix(), held);
    matmul(context, held, Op::kPlain, w.matrix(), y.matrix(), 0);
    bias_sigmoid_sample(bias.values(), key, numbers, y.matrix(), state.matrix());
    matmul(context, state.matrix(), Op::kPlain, w.matrix(), Op::kTransposed, noisy.matrix(), 0);
    bias_activate(Activation::kSigmoid, bias.values(), y.matrix());
    softmax_rows(y.matrix());
    activation_backward(Activation::kSigmoid, state.matrix(), y.matrix(), sums.values());
    matmul(context, noisy.matrix(), Op::kTransposed, y.matrix(), Op::kPlain, v.matrix(), 0.5F);
    matmul(context, held, Op::kTransposed, y.matrix(), v.matrix(), 1);
    sgd_step(w.values(), v.values(), {.rate = 0.1F, .l2 = 1e-3F});
    column_norm_limit(w.matrix(), 4.0F);
  };
  step();
  const int64_t before = allocations;
  is_counting = true;
  for (int i = 0; i < 3; ++i) step();
  is_counting = false;
  EXPECT_EQ(allocations, before);
}

TEST(Allocations, AreNoneInAWarmStep) {
  expect_none_in_a_warm_step(20, 70, 33);
  expect_none_in_a_warm_step(100, 250, 300);
}

TEST(Allocations, AreNoneInAWarmStepOfATeam) {
  Team team(3);
  const Team::Scope scope(team);
  expect_none_in_a_warm_step(20, 70, 33);
  expect_none_in_a_warm_step(100, 250, 300);
}

}  // namespace
}  // namespace superstep::kernels
