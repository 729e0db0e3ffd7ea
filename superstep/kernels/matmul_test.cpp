#include "superstep/kernels/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "superstep/base/rng.h"
#include "superstep/kernels/cases.h"

namespace superstep::kernels {
namespace {

Tensor random(int64_t rows, int64_t cols, std::string_view name) {
  Tensor tensor({rows, cols});
  fill_normal(RngKey(7).fold(name), 0, tensor.values());
  return tensor;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

// The three products that a layer of this case makes, with operands of random numbers.
struct Operands {
  std::string name;
  Tensor a, b;
  Op op_a, op_b;
  int64_t m, k, n;
};

std::vector<Operands> products(const ProductCase& c) {
  const auto named = [&](const char* what) {
    return fmt::format("{} of ({}, {}, {})", what, c.rows, c.inputs, c.outputs);
  };
  return {{named("x W"), random(c.rows, c.inputs, "x"), random(c.inputs, c.outputs, "w"),
           Op::kPlain, Op::kPlain, c.rows, c.inputs, c.outputs},
          {named("dy W^T"), random(c.rows, c.outputs, "dy"), random(c.inputs, c.outputs, "w"),
           Op::kPlain, Op::kTransposed, c.rows, c.outputs, c.inputs},
          {named("x^T dy"), random(c.rows, c.inputs, "x"), random(c.rows, c.outputs, "dy"),
           Op::kTransposed, Op::kPlain, c.inputs, c.rows, c.outputs},
          {named("W^T x^T"), random(c.inputs, c.outputs, "w"), random(c.rows, c.inputs, "x"),
           Op::kTransposed, Op::kTransposed, c.outputs, c.inputs, c.rows}};
}

TEST(Matmul, MultipliesAWorkedExample) {
  Context context;
  Tensor a({2, 3}), b({3, 2}), c({2, 2});
  std::ranges::copy(std::vector<float>{1, 2, 3, 4, 5, 6}, a.values().begin());
  std::ranges::copy(std::vector<float>{1, 0, 0, 1, 2, 2}, b.values().begin());
  matmul(context, a.matrix(), Op::kPlain, b.matrix(), Op::kPlain, c.matrix(), false);
  // (1, 2, 3) b = (1 + 6, 2 + 6); (4, 5, 6) b = (4 + 12, 5 + 12)
  EXPECT_EQ(std::vector<float>(c.values().begin(), c.values().end()),
            (std::vector<float>{7, 8, 16, 17}));
  matmul(context, a.matrix(), Op::kPlain, b.matrix(), Op::kPlain, c.matrix(), true);
  EXPECT_EQ(std::vector<float>(c.values().begin(), c.values().end()),
            (std::vector<float>{14, 16, 32, 34}));
}

TEST(Matmul, AgreesWithTheReferenceAndTheReferenceWithDouble) {
  Context context;
  for (const ProductCase& size : kProducts) {
    for (const Operands& p : products(size)) {
      for (const bool accumulate : {false, true}) {
        SCOPED_TRACE(p.name);
        const Tensor start = random(p.m, p.n, "c");
        Tensor c = start, expected = start;
        if (!accumulate) {  // what stood there must not matter
          std::ranges::fill(c.values(), std::numeric_limits<float>::quiet_NaN());
          std::ranges::fill(expected.values(), std::numeric_limits<float>::quiet_NaN());
        }
        matmul(context, p.a.matrix(), p.op_a, p.b.matrix(), p.op_b, c.matrix(),
               accumulate ? 1.0F : 0.0F);
        reference::matmul(context, p.a.matrix(), p.op_a, p.b.matrix(), p.op_b, expected.matrix(),
                          accumulate);
        // Every row of the smaller products, some rows of the larger: the oracle is slow.
        const int64_t every = 1 + p.m * p.n * p.k / 1'000'000;
        for (int64_t i = 0; i < p.m; i += every) {
          for (int64_t j = 0; j < p.n; ++j) {
            double sum = accumulate ? start.matrix().row(i)[j] : 0, magnitude = std::fabs(sum);
            for (int64_t k = 0; k < p.k; ++k) {
              const double product =
                  double{p.op_a == Op::kPlain ? p.a.matrix().row(i)[k] : p.a.matrix().row(k)[i]} *
                  double{p.op_b == Op::kPlain ? p.b.matrix().row(k)[j] : p.b.matrix().row(j)[k]};
              sum += product;
              magnitude += std::fabs(product);
            }
            // The error of a sum of k terms in any order: k epsilon times their magnitude.
            const double bound = static_cast<double>(p.k + 1) * 0x1p-24 * magnitude;
            ASSERT_NEAR(expected.matrix().row(i)[j], sum, bound) << i << ", " << j;
            ASSERT_NEAR(c.matrix().row(i)[j], sum, bound) << i << ", " << j;
          }
        }
      }
    }
  }
}

// Rows of op(a) from `begin` on, as many as `count`.
ConstMatrix rows_of(const Operands& p, int64_t begin, int64_t count) {
  const ConstMatrix a = p.a.matrix();
  if (p.op_a == Op::kPlain) return {a.data + begin * a.stride, count, a.cols, a.stride};
  // Without inputs there is no memory to point into.
  return {a.rows == 0 ? nullptr : a.data + begin, a.rows, count, a.stride};
}

TEST(Matmul, GivesARowTheSameBitsAloneOrInAnyBatch) {
  Context context;
  for (const ProductCase& size : kProducts) {
    for (const Operands& p : products(size)) {
      for (const bool accumulate : {false, true}) {
        SCOPED_TRACE(p.name);
        const Tensor start = random(p.m, p.n, "c");
        Tensor whole = start;
        matmul(context, p.a.matrix(), p.op_a, p.b.matrix(), p.op_b, whole.matrix(),
               accumulate ? 1.0F : 0.0F);
        for (const int64_t count : {1, 2, 3, 7, 16, 24, 99}) {
          for (int64_t begin = 0; begin + count <= p.m; begin += std::max(count, p.m / 5)) {
            Tensor part({count, p.n});
            const size_t at = static_cast<size_t>(begin * p.n), n = part.values().size();
            std::ranges::copy(start.values().subspan(at, n), part.values().begin());
            matmul(context, rows_of(p, begin, count), p.op_a, p.b.matrix(), p.op_b, part.matrix(),
                   accumulate);
            EXPECT_TRUE(same_bits(part.values(), whole.values().subspan(at, n)))
                << count << " rows from " << begin << (accumulate ? ", accumulated" : "");
          }
        }
      }
    }
  }
}

TEST(Matmul, GivesARowOfALargeBatchTheSameBits) {
  Context context;  // an evaluation unit has 1,024 rows
  const Tensor x = random(1024, 784, "x"), w = random(784, 130, "w");
  Tensor whole({1024, 130});
  matmul(context, x.matrix(), Op::kPlain, w.matrix(), Op::kPlain, whole.matrix(), false);
  for (const int64_t count : {1, 5, 100, 513}) {
    for (const int64_t begin : {int64_t{0}, int64_t{301}, 1024 - count}) {
      Tensor part({count, 130});
      matmul(context, ConstMatrix(x.matrix().row(begin).data(), count, 784), Op::kPlain, w.matrix(),
             Op::kPlain, part.matrix(), false);
      EXPECT_TRUE(same_bits(part.values(), whole.values().subspan(static_cast<size_t>(begin * 130),
                                                                  part.values().size())))
          << count << " rows from " << begin;
    }
  }
}

// A copy whose rows lie `gap` elements further apart.
struct Spread {
  Spread(ConstMatrix m, int64_t gap)
      : tensor({m.rows, m.cols + gap}),
        matrix(tensor.values().data(), m.rows, m.cols, m.cols + gap) {
    for (int64_t r = 0; r < m.rows; ++r) std::ranges::copy(m.row(r), matrix.row(r).begin());
  }
  Tensor tensor;
  Matrix matrix;
};

TEST(Matmul, DoesNotDependOnTheDistanceBetweenRows) {
  Context context;
  for (const ProductCase& size : kProducts) {
    for (const Operands& p : products(size)) {
      SCOPED_TRACE(p.name);
      Tensor c({p.m, p.n});
      matmul(context, p.a.matrix(), p.op_a, p.b.matrix(), p.op_b, c.matrix(), false);
      const Spread a(p.a.matrix(), 3), b(p.b.matrix(), 5);
      Spread out(c.matrix(), 7);
      matmul(context, a.matrix, p.op_a, b.matrix, p.op_b, out.matrix, false);
      for (int64_t r = 0; r < p.m; ++r)
        EXPECT_TRUE(same_bits(out.matrix.row(r), c.matrix().row(r))) << "row " << r;
      // The gaps are not written.
      for (int64_t r = 0; r < p.m; ++r)
        for (int64_t j = 0; j < 7; ++j) ASSERT_EQ(out.matrix.data[r * (p.n + 7) + p.n + j], 0.0F);
    }
  }
}

TEST(Matmul, GivesTheSameBitsInEveryThreadAndContext) {
  for (const ProductCase& size : kProducts) {
    for (const Operands& p : products(size)) {
      SCOPED_TRACE(p.name);
      std::vector<Tensor> results(3, Tensor({p.m, p.n}));
      std::vector<std::jthread> threads;
      for (Tensor& result : results)
        threads.emplace_back([&] {
          Context context;
          for (int times = 0; times < 2; ++times)
            matmul(context, p.a.matrix(), p.op_a, p.b.matrix(), p.op_b, result.matrix(), false);
        });
      threads.clear();
      ASSERT_TRUE(same_bits(results[0].values(), results[1].values()));
      ASSERT_TRUE(same_bits(results[0].values(), results[2].values()));
    }
  }
}

TEST(Matmul, KeepsNotANumber) {
  Context context;
  Tensor a({3, 5}), b({5, 4}), c({3, 4});
  a.matrix().row(1)[2] = std::numeric_limits<float>::quiet_NaN();
  matmul(context, a.matrix(), Op::kPlain, b.matrix(), Op::kPlain, c.matrix(), false);
  for (int64_t j = 0; j < 4; ++j) {
    EXPECT_EQ(c.matrix().row(0)[j], 0.0F);
    EXPECT_TRUE(std::isnan(c.matrix().row(1)[j])) << j;
  }
}

TEST(Context, LendsTheSameMemoryAgainWithoutAllocating) {
  Context context;
  const float *outer = nullptr, *inner = nullptr;
  for (int round = 0; round < 3; ++round) {
    const Scratch first = context.scratch(100);
    const Scratch second = context.scratch(50);
    EXPECT_NE(first.values().data(), second.values().data());
    EXPECT_EQ(second.values().size(), 50U);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(second.values().data()) % 64, 0U);
    if (round > 0) {
      EXPECT_EQ(first.values().data(), outer);
      EXPECT_EQ(second.values().data(), inner);
    }
    outer = first.values().data();
    inner = second.values().data();
  }
}

}  // namespace
}  // namespace superstep::kernels
