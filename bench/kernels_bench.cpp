// What each kernel costs, on one thread: nanoseconds an element of the elementwise passes and the
// optimizers' on each instruction set that the processor has, products against the core's measured
// peak, and products that leave out zeros against dense ones.
//
//   taskset -c 1 build/release/bin/kernels_bench --benchmark_filter=sample
//
// Counters: ns is nanoseconds an element, GB/s counts what must be read and written once, GFLOP/s
// counts 2 m n k, peak is the share of what back-to-back fused multiply-adds reach in the same run.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "bench/peak.h"
#include "superstep/base/floating_point.h"
#include "superstep/kernels/activation.h"
#include "superstep/kernels/cases.h"
#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/isa.h"
#include "superstep/kernels/matmul.h"
#include "superstep/kernels/sparse.h"
#include "superstep/kernels/update.h"

namespace superstep::kernels {
namespace {

// A batch of MNIST behind its first layer.
constexpr int64_t kRows = 100, kCols = 500;

Tensor random(int64_t rows, int64_t cols, uint64_t seed, double density = 1) {
  Tensor tensor({rows, cols});
  fill_uniform(RngKey(seed), 0, tensor.values());
  if (density < 1) {
    std::vector<int64_t> numbers(static_cast<size_t>(rows));
    std::iota(numbers.begin(), numbers.end(), 0);
    dropout(1 - density, RngKey(seed + 1), numbers, tensor.matrix(), tensor.matrix());
  }
  return tensor;
}

struct Operands {
  Operands() { std::iota(numbers.begin(), numbers.end(), 0); }
  Tensor x = random(kRows, kCols, 1), y = random(kRows, kCols, 2), z = random(kRows, kCols, 3);
  Tensor row = random(1, kCols, 4);
  std::vector<int64_t> numbers = std::vector<int64_t>(kRows);
  RngKey key{5};
};

struct Pass {
  const char* name;
  int64_t floats;  // read and written an element
  std::function<void(Operands&)> run;
};

const std::vector<Pass>& passes() {
  static const std::vector<Pass> passes = {
      {"scale", 2, [](Operands& o) { scale(0.5F, o.x.matrix(), o.y.matrix()); }},
      {"axpy", 3, [](Operands& o) { axpy(1e-9F, o.x.values(), o.y.values()); }},
      {"subtract", 3, [](Operands& o) { subtract(o.x.matrix(), o.y.matrix(), o.z.matrix()); }},
      {"column_sums", 1, [](Operands& o) { column_sums(o.x.matrix(), o.row.values()); }},
      {"softmax_rows", 2, [](Operands& o) { softmax_rows(o.x.matrix()); }},
      {"squared_distance", 2,
       [](Operands& o) { benchmark::DoNotOptimize(squared_distance(o.x.matrix(), o.y.matrix())); }},
      {"bias_sigmoid", 2,
       [](Operands& o) { bias_activate(Activation::kSigmoid, o.row.values(), o.y.matrix()); }},
      {"bias_tanh", 2,
       [](Operands& o) { bias_activate(Activation::kTanh, o.row.values(), o.y.matrix()); }},
      {"bias_relu", 2,
       [](Operands& o) { bias_activate(Activation::kRelu, o.row.values(), o.y.matrix()); }},
      {"bias_sigmoid_sample", 3,
       [](Operands& o) {
         bias_sigmoid_sample(o.row.values(), o.key, o.numbers, o.y.matrix(), o.z.matrix());
       }},
      {"sample_bernoulli", 2,
       [](Operands& o) { sample_bernoulli(o.x.matrix(), o.key, o.numbers, o.z.matrix()); }},
      {"add_normal", 2,
       [](Operands& o) { add_normal(o.x.matrix(), o.key, o.numbers, o.z.matrix()); }},
      {"dropout", 2,
       [](Operands& o) { dropout(0.2, o.key, o.numbers, o.x.matrix(), o.z.matrix()); }},
      {"sigmoid_backward_sums", 3,
       [](Operands& o) {
         activation_backward(Activation::kSigmoid, o.x.matrix(), o.z.matrix(), o.row.values());
       }},
      {"relu_backward_sums", 3,
       [](Operands& o) {
         activation_backward(Activation::kRelu, o.x.matrix(), o.z.matrix(), o.row.values());
       }},
  };
  return passes;
}

void counters(benchmark::State& state, int64_t elements, int64_t floats) {
  const auto n = static_cast<double>(elements * state.iterations());
  state.counters["ns"] = {n * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert};
  state.counters["GB/s"] = {n * 4e-9 * static_cast<double>(floats), benchmark::Counter::kIsRate};
}

void run_pass(benchmark::State& state, const Pass& pass, Isa isa) {
  const FloatingPointScope floating_point;
  set_isa(isa);
  Operands operands;
  for (auto _ : state) {
    pass.run(operands);
    benchmark::ClobberMemory();
  }
  counters(state, kRows * kCols, pass.floats);
}

// Weights of MNIST's first layer, with state and gradient.
struct Weights {
  Tensor w = random(784, 500, 1), first = random(784, 500, 2), second = random(784, 500, 3);
  Tensor g = random(784, 500, 4);
};

struct Step {
  const char* name;
  int64_t floats;
  std::function<void(Weights&)> run;
};

const std::vector<Step>& steps() {
  static constexpr Descent kDescent = {.rate = 1e-6F, .l2 = 1e-4F};
  static const std::vector<Step> steps = {
      {"descent_step", 3, [](Weights& o) { descent_step(o.w.values(), o.g.values(), kDescent); }},
      {"sgd_step", 4, [](Weights& o) { sgd_step(o.w.values(), o.first.values(), kDescent); }},
      {"nesterov_step", 5,
       [](Weights& o) {
         nesterov_step(o.w.values(), o.first.values(), o.g.values(), kDescent, 0.9F);
       }},
      {"adagrad_step", 5,
       [](Weights& o) {
         adagrad_step(o.w.values(), o.first.values(), o.g.values(), kDescent, 1e-6F);
       }},
      {"adam_step", 7,
       [](Weights& o) {
         adam_step(o.w.values(), o.first.values(), o.second.values(), o.g.values(), kDescent, {});
       }},
      {"sum_of_squares", 1,
       [](Weights& o) { benchmark::DoNotOptimize(sum_of_squares(o.w.values())); }},
      {"column_norm_limit", 1, [](Weights& o) { column_norm_limit(o.w.matrix(), 1e6F); }},
  };
  return steps;
}

void run_step(benchmark::State& state, const Step& step, Isa isa) {
  const FloatingPointScope floating_point;
  set_isa(isa);
  Weights weights;
  for (auto _ : state) {
    step.run(weights);
    benchmark::ClobberMemory();
  }
  counters(state, 784 * 500, step.floats);
}

void flops(benchmark::State& state, const ProductCase& c) {
  const double count = 2.0 * static_cast<double>(c.rows * c.inputs * c.outputs) * 1e-9 *
                       static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] = {count, benchmark::Counter::kIsRate};
  if (bench::peak() > 0)
    state.counters["peak"] = {count / bench::peak(), benchmark::Counter::kIsRate};
}

// The three products of a layer, at the shapes of facts/kernels.md.
constexpr std::array kLayers = {ProductCase{100, 784, 500},  ProductCase{100, 500, 500},
                                ProductCase{100, 500, 2000}, ProductCase{100, 1000, 500},
                                ProductCase{100, 784, 1000}, ProductCase{100, 2000, 10}};

enum class Product { kForward, kInput, kWeight };

void run_dense(benchmark::State& state, const ProductCase& c, Product product) {
  const FloatingPointScope floating_point;
  Context context;
  Tensor x = random(c.rows, c.inputs, 1), w = random(c.inputs, c.outputs, 2);
  Tensor y = random(c.rows, c.outputs, 3);
  for (auto _ : state) {
    if (product == Product::kForward)
      matmul(context, x.matrix(), Op::kPlain, w.matrix(), Op::kPlain, y.matrix(), 0);
    else if (product == Product::kInput)
      matmul(context, y.matrix(), Op::kPlain, w.matrix(), Op::kTransposed, x.matrix(), 0);
    else
      matmul(context, x.matrix(), Op::kTransposed, y.matrix(), Op::kPlain, w.matrix(), 1e-9F);
  }
  flops(state, c);
}

// MNIST's pixels; a bag of words; binary states at one half.
struct SparseCase {
  ProductCase size;
  double density;
};
constexpr std::array kSparse = {
    SparseCase{{100, 784, 500}, 0.19}, SparseCase{{100, 2000, 500}, 0.02},
    SparseCase{{100, 784, 512}, 0.19}, SparseCase{{100, 500, 784}, 0.5}};

void run_sparse(benchmark::State& state, const SparseCase& c, Product product, Isa isa) {
  const FloatingPointScope floating_point;
  set_isa(isa);
  Context context;
  const auto [rows, inputs, outputs] = c.size;
  const Tensor x = random(rows, inputs, 1, c.density);
  Tensor w = random(inputs, outputs, 2), y = random(rows, outputs, 3);
  SparseMatrix held;
  from_dense(x.matrix(), held);
  for (auto _ : state) {
    if (product == Product::kForward)
      matmul(context, held, Op::kPlain, w.matrix(), y.matrix(), 0);
    else
      matmul(context, held, Op::kTransposed, y.matrix(), w.matrix(), 1e-9F);
  }
  flops(state, c.size);
}

void run_from_dense(benchmark::State& state, Isa isa) {
  set_isa(isa);
  const Tensor x = random(100, 784, 1, 0.19);
  SparseMatrix held;
  for (auto _ : state) from_dense(x.matrix(), held);
  counters(state, 100 * 784, 1);
}

template <class Run>
void add(const std::string& name, Run run) {
  benchmark::RegisterBenchmark(name.c_str(), run);
}

void add_all() {
  // Dense products come first: choosing an instruction set would limit oneDNN.
  const std::array products = {std::pair(Product::kForward, "x_W"),
                               std::pair(Product::kInput, "dy_Wt"),
                               std::pair(Product::kWeight, "xt_dy")};
  const auto size = [](const ProductCase& c) {
    return fmt::format("{}x{}x{}", c.rows, c.inputs, c.outputs);
  };
  for (const ProductCase& c : kLayers)
    for (const auto& [product, name] : products)
      add(fmt::format("dense/{}/{}", size(c), name),
          [&c, p = product](benchmark::State& s) { run_dense(s, c, p); });
  for (const SparseCase& c : kSparse) {
    for (const auto& [product, name] : products) {
      if (product == Product::kInput) continue;
      add(fmt::format("sparse/{}/{}/as_dense", size(c.size), name),
          [&c, p = product](benchmark::State& s) { run_dense(s, c.size, p); });
      for (const Isa isa : kIsas)
        if (isa_is_available(isa))
          add(fmt::format("sparse/{}/{}/{:.0f}%/{}", size(c.size), name, 100 * c.density,
                          isa_name(isa)),
              [&c, p = product, isa](benchmark::State& s) { run_sparse(s, c, p, isa); });
    }
  }
  for (const Isa isa : kIsas) {
    if (!isa_is_available(isa)) continue;
    for (const Pass& pass : passes())
      add(fmt::format("{}/{}", pass.name, isa_name(isa)),
          [&pass, isa](benchmark::State& s) { run_pass(s, pass, isa); });
    for (const Step& step : steps())
      add(fmt::format("{}/{}", step.name, isa_name(isa)),
          [&step, isa](benchmark::State& s) { run_step(s, step, isa); });
    add(fmt::format("from_dense/{}", isa_name(isa)),
        [isa](benchmark::State& s) { run_from_dense(s, isa); });
  }
}

}  // namespace
}  // namespace superstep::kernels

int main(int argc, char** argv) {
  superstep::kernels::add_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
