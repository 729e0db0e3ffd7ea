// Every kernel that a team cuts: the bits of one thread, whatever the size of the team.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "superstep/base/team.h"
#include "superstep/kernels/activation.h"
#include "superstep/kernels/cases.h"
#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/isa.h"
#include "superstep/kernels/matmul.h"
#include "superstep/kernels/sparse.h"
#include "superstep/kernels/split.h"
#include "superstep/kernels/update.h"

namespace superstep::kernels {
namespace {

// Numbers from -2 to 2.
void fill(Matrix m, std::string_view name) {
  const RngKey key = RngKey(3).fold(name);
  for (int64_t r = 0; r < m.rows; ++r) {
    fill_uniform(key, static_cast<uint64_t>(r), m.row(r));
    for (float& value : m.row(r)) value = 4.0F * value - 2.0F;
  }
}

// What a kernel may read and write: matrices of one size, with gaps between rows or without, and a
// number a row and a column.
struct Operands {
  Operands(int64_t rows, int64_t cols, int64_t gap)
      : tensors(4, Tensor({rows, cols + gap})),
        bias({cols}),
        sums({cols}),
        numbers(static_cast<size_t>(rows)) {
    for (Tensor& tensor : tensors) {
      m.emplace_back(tensor.matrix().col_range(0, cols));
      fill(m.back(), std::string(1, static_cast<char>('a' + m.size())));
    }
    // The last holds nothing below 0, as sums of squares and probabilities.
    sigmoid(m[3]);
    fill(bias.matrix(), "bias");
    std::iota(numbers.begin(), numbers.end(), 1000);
  }
  [[nodiscard]] std::vector<float> everything() const {
    std::vector<float> all;
    for (const Tensor& tensor : tensors)
      all.insert(all.end(), tensor.values().begin(), tensor.values().end());
    all.insert(all.end(), sums.values().begin(), sums.values().end());
    return all;
  }

  std::vector<Tensor> tensors;
  std::vector<Matrix> m;
  Tensor bias, sums;
  std::vector<int64_t> numbers;
};

struct Kernel {
  const char* name;
  std::function<void(Operands&)> run;
};

const RngKey kKey(5);
constexpr Descent kDescent{.rate = 0.1F, .scale = 0.5F, .l1 = 1e-3F, .l2 = 1e-2F};

std::vector<Kernel> kernels_of_matrices() {
  std::vector<Kernel> all = {
      {"copy", [](Operands& o) { copy(o.m[0], o.m[1]); }},
      {"scale", [](Operands& o) { scale(0.3F, o.m[0], o.m[0]); }},
      {"subtract", [](Operands& o) { subtract(o.m[0], o.m[1], o.m[2]); }},
      {"add_row", [](Operands& o) { add_row(o.m[0], o.bias.values()); }},
      {"column_sums", [](Operands& o) { column_sums(o.m[0], o.sums.values()); }},
      {"softmax_rows", [](Operands& o) { softmax_rows(o.m[0]); }},
      {"sample_bernoulli", [](Operands& o) { sample_bernoulli(o.m[3], kKey, o.numbers, o.m[0]); }},
      {"add_normal", [](Operands& o) { add_normal(o.m[0], kKey, o.numbers, o.m[1]); }},
      {"dropout", [](Operands& o) { dropout(0.4, kKey, o.numbers, o.m[0], o.m[1]); }},
      {"bias_sigmoid_sample",
       [](Operands& o) { bias_sigmoid_sample(o.bias.values(), kKey, o.numbers, o.m[0], o.m[1]); }},
      {"column_norm_limit", [](Operands& o) { column_norm_limit(o.m[0], 2.0F); }},
      {"sigmoid", [](Operands& o) { sigmoid(o.m[0]); }},
      {"tanh", [](Operands& o) { kernels::tanh(o.m[0]); }},
      {"relu", [](Operands& o) { relu(o.m[0]); }},
      {"sigmoid_backward", [](Operands& o) { sigmoid_backward(o.m[3], o.m[0]); }},
  };
  for (const Activation f : {Activation::kLinear, Activation::kSigmoid, Activation::kRelu}) {
    all.push_back(
        {"bias_activate", [f](Operands& o) { bias_activate(f, o.bias.values(), o.m[0]); }});
    all.push_back({"activation_backward",
                   [f](Operands& o) { activation_backward(f, o.m[3], o.m[0], o.sums.values()); }});
  }
  return all;
}

// These take the whole memory of matrices, gaps and all.
std::vector<Kernel> kernels_of_spans() {
  const auto of = [](Operands& o, size_t i) { return o.tensors[i].values(); };
  return {
      {"axpy", [of](Operands& o) { axpy(0.3F, of(o, 0), of(o, 1)); }},
      {"scaled_copy", [of](Operands& o) { scaled_copy(0.3F, of(o, 0), of(o, 1)); }},
      {"descent_step", [of](Operands& o) { descent_step(of(o, 0), of(o, 1), kDescent); }},
      {"sgd_step", [of](Operands& o) { sgd_step(of(o, 0), of(o, 1), kDescent); }},
      {"momentum_step",
       [of](Operands& o) { momentum_step(of(o, 0), of(o, 1), of(o, 2), kDescent, 0.9F); }},
      {"nesterov_step",
       [of](Operands& o) { nesterov_step(of(o, 0), of(o, 1), of(o, 2), kDescent, 0.9F); }},
      {"adagrad_step",
       [of](Operands& o) { adagrad_step(of(o, 0), of(o, 3), of(o, 2), kDescent, 1e-8F); }},
      {"rmsprop_step",
       [of](Operands& o) { rmsprop_step(of(o, 0), of(o, 3), of(o, 2), kDescent, 0.9F, 1e-8F); }},
      {"adam_step",
       [of](Operands& o) {
         adam_step(of(o, 0), of(o, 1), of(o, 3), of(o, 2), kDescent, AdamRule{});
       }},
  };
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

void on_each_isa(const std::function<void()>& action) {
  const Isa before = isa();
  for (const Isa isa : kIsas) {
    if (!isa_is_available(isa)) continue;
    SCOPED_TRACE(isa_name(isa));
    set_isa(isa);
    action();
  }
  set_isa(before);
}

TEST(InTeams, EveryKernelGivesTheBitsOfOneThread) {
  constexpr int64_t kRows = 300;  // of 100 columns, enough for three threads
  Team one(1), two(2), three(3);
  std::vector<Kernel> all = kernels_of_matrices();
  for (Kernel& kernel : kernels_of_spans()) all.push_back(std::move(kernel));
  on_each_isa([&] {
    for (const Kernel& kernel : all) {
      SCOPED_TRACE(kernel.name);
      for (const int64_t cols : {0, 33, 100, 257}) {
        for (const int64_t gap : {0, 3}) {
          Operands alone(kRows, cols, gap);
          kernel.run(alone);
          for (Team* team : {&one, &two, &three}) {
            Operands shared(kRows, cols, gap);
            const Team::Scope scope(*team);
            kernel.run(shared);
            EXPECT_TRUE(same_bits(shared.everything(), alone.everything()))
                << cols << " columns, a gap of " << gap << ", " << team->size() << " threads";
          }
        }
      }
    }
  });
}

TEST(InTeams, LargeOperandsAreCut) {
  Team team(3);
  const Team::Scope scope(team);
  const auto parts = [](auto split_by, int64_t rows, int64_t cols) {
    std::vector<int> seen(3);
    split_by(ConstMatrix(nullptr, rows, cols),
             [&](const Part& part) { seen[static_cast<size_t>(part.member)] = 1; });
    return std::accumulate(seen.begin(), seen.end(), 0);
  };
  const auto by_rows = [](ConstMatrix m, const auto& body) { split_rows(m, body); };
  const auto by_columns = [](ConstMatrix m, const auto& body) { split_columns(m, body); };
  EXPECT_EQ(parts(by_rows, 300, 100), 3);
  EXPECT_EQ(parts(by_columns, 300, 100), 3);
  EXPECT_EQ(parts(by_rows, 100, 200), 2);  // 20,000 elements: not worth a third
  EXPECT_EQ(parts(by_rows, 20, 33), 1);
}

// The operands of the three products that a layer makes, and the product of both transposed.
struct Product {
  Op op_a, op_b;
  int64_t m, k, n;
};

std::vector<float> multiply(const Product& p, float beta) {
  Tensor a(p.op_a == Op::kPlain ? Shape{p.m, p.k} : Shape{p.k, p.m});
  Tensor b(p.op_b == Op::kPlain ? Shape{p.k, p.n} : Shape{p.n, p.k}), c({p.m, p.n});
  fill(a.matrix(), "a");
  fill(b.matrix(), "b");
  fill(c.matrix(), "c");
  Context context;
  for (int times = 0; times < 2; ++times)  // made, and found
    matmul(context, a.matrix(), p.op_a, b.matrix(), p.op_b, c.matrix(), beta);
  return {c.values().begin(), c.values().end()};
}

TEST(InTeams, ProductsHaveTheBitsOfOneThread) {
  std::vector<ProductCase> sizes(kProducts.begin(), kProducts.end());
  sizes.push_back({100, 784, 500});  // MNIST
  sizes.push_back({7, 2000, 33});
  for (const ProductCase& size : sizes) {
    const auto [rows, inputs, outputs] = size;
    for (const Product& p : {Product{Op::kPlain, Op::kPlain, rows, inputs, outputs},
                             Product{Op::kPlain, Op::kTransposed, rows, outputs, inputs},
                             Product{Op::kTransposed, Op::kPlain, inputs, rows, outputs},
                             Product{Op::kTransposed, Op::kTransposed, outputs, inputs, rows}}) {
      for (const float beta : {0.0F, 1.0F, 0.9F}) {
        const std::vector<float> alone = multiply(p, beta);
        for (const int threads : {1, 2, 3}) {
          Team team(threads);
          const Team::Scope scope(team);
          EXPECT_TRUE(same_bits(multiply(p, beta), alone))
              << p.m << " x " << p.k << " x " << p.n << ", beta " << beta << ", " << threads
              << " threads";
        }
      }
    }
  }
}

TEST(InTeams, SparseProductsHaveTheBitsOfOneThread) {
  Tensor x({100, 784}), w({784, 70}), y({100, 70}), dw({784, 70});
  fill(x.matrix(), "x");
  fill(w.matrix(), "w");
  std::vector<int64_t> numbers(100);
  dropout(0.8, kKey, numbers, x.matrix(), x.matrix());
  // Rows and columns that hold nothing: first, last, and between.
  for (const int64_t empty : {0, 1, 50, 99})
    for (float& value : x.matrix().row(empty)) value = 0;
  for (int64_t r = 0; r < 100; ++r)
    for (const int64_t empty : {0, 300, 301, 783}) x.matrix().row(r)[empty] = 0;
  SparseMatrix rows, none;
  from_dense(x.matrix(), rows);
  none.start(100, 784);
  for (int r = 0; r < 100; ++r) none.end_row();
  const auto products = [&] {
    Context context;
    std::vector<float> all;
    for (const float beta : {0.0F, 1.0F, 0.9F}) {
      for (const SparseMatrix* a : {&rows, &none}) {
        fill(y.matrix(), "y");
        fill(dw.matrix(), "dw");
        matmul(context, *a, Op::kPlain, w.matrix(), y.matrix(), beta);
        matmul(context, *a, Op::kTransposed, y.matrix(), dw.matrix(), beta);
        all.insert(all.end(), y.values().begin(), y.values().end());
        all.insert(all.end(), dw.values().begin(), dw.values().end());
      }
    }
    return all;
  };
  on_each_isa([&] {
    const std::vector<float> alone = products();
    for (const int threads : {1, 2, 3}) {
      Team team(threads);
      const Team::Scope scope(team);
      EXPECT_TRUE(same_bits(products(), alone)) << threads << " threads";
    }
  });
}

}  // namespace
}  // namespace superstep::kernels
