#include "superstep/kernels/sparse.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "superstep/kernels/activation.h"
#include "superstep/kernels/cases.h"
#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/isa.h"

namespace superstep::kernels {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

// Normal numbers, of which about `density` are not zero.
Tensor random(int64_t rows, int64_t cols, std::string_view name, double density = 1) {
  Tensor tensor({rows, cols});
  fill_normal(RngKey(7).fold(name), 0, tensor.values());
  std::vector<int64_t> numbers(static_cast<size_t>(rows));
  std::iota(numbers.begin(), numbers.end(), 0);
  if (density < 1) dropout(1 - density, RngKey(8), numbers, tensor.matrix(), tensor.matrix());
  return tensor;
}

// Those of the dense products, a bag of words, and what is one past the blocks.
std::vector<ProductCase> sizes() {
  std::vector<ProductCase> sizes(kProducts.begin(), kProducts.end());
  sizes.insert(sizes.end(), {{3, 2000, 500}, {30, 449, 257}, {4, 5, 129}, {3, 225, 33}});
  return sizes;
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

TEST(FromDense, LeavesOutZeros) {
  on_each_isa([] {
    Tensor x({3, 4});
    std::ranges::copy(std::vector<float>{0, 2, 0, 3, 0, -0.0F, 0, 0, kNaN, 0, 0, -1},
                      x.values().begin());
    SparseMatrix held;
    from_dense(x.matrix(), held);
    const SparseView v = held;
    EXPECT_EQ(std::vector<int64_t>(v.offsets, v.offsets + 4), (std::vector<int64_t>{0, 2, 2, 4}));
    EXPECT_EQ(std::vector<int32_t>(v.columns, v.columns + 4), (std::vector<int32_t>{1, 3, 0, 3}));
    EXPECT_EQ(v.values[0], 2.0F);
    EXPECT_EQ(v.values[1], 3.0F);
    EXPECT_TRUE(std::isnan(v.values[2]));
    EXPECT_EQ(v.values[3], -1.0F);
  });
}

TEST(FromDense, AndBackIsTheSameMatrix) {
  on_each_isa([] {
    SparseMatrix held, turned, back;
    for (const int64_t cols : kLengths) {
      for (const double density : {0.0, 0.2, 1.0}) {
        SCOPED_TRACE(fmt::format("{} columns, density {}", cols, density));
        // The second row of wider memory, so that rows have gaps and are not aligned.
        const Tensor wide = random(5, cols + 3, "x", std::max(density, 0.01));
        const ConstMatrix x(wide.values().data() + (density == 0.0 ? 0 : cols + 4), 4, cols,
                            cols + 3);
        from_dense(x, held);
        Tensor written({4, cols});
        to_dense(held, written.matrix());
        for (int64_t r = 0; r < 4; ++r)
          ASSERT_TRUE(std::ranges::equal(written.matrix().row(r), x.row(r))) << "row " << r;
        // Transposed twice it is itself.
        transpose(held, turned);
        transpose(turned, back);
        ASSERT_EQ(back.count(), held.count());
        ASSERT_TRUE(std::ranges::equal(std::span(back.view().columns, back.count()),
                                       std::span(held.view().columns, held.count())));
        for (int64_t i = 0; i < held.count(); ++i)
          ASSERT_EQ(back.view().values[i], held.view().values[i]);
        for (int64_t k = 0; k < turned.rows(); ++k)
          for (int64_t i = turned.view().offsets[k]; i < turned.view().offsets[k + 1]; ++i)
            ASSERT_EQ(turned.view().values[i], x.row(turned.view().columns[i])[k]);
      }
    }
  });
}

TEST(SparseMatmul, MultipliesAWorkedExample) {
  on_each_isa([] {
    Context context;
    SparseMatrix a;
    a.start(2, 3);
    a.append(0, 2);
    a.append(2, 1);
    a.end_row();
    a.end_row();
    Tensor b({3, 2}), c({2, 2});
    std::ranges::copy(std::vector<float>{1, 2, kNaN, kNaN, 3, 4}, b.values().begin());
    std::ranges::fill(c.values(), kNaN);
    matmul(context, a, Op::kPlain, b.matrix(), c.matrix(), 0);
    // 2 (1, 2) + (3, 4); nothing. The row of b that nothing points at does not matter.
    EXPECT_EQ(std::vector<float>(c.values().begin(), c.values().end()),
              (std::vector<float>{5, 8, 0, 0}));
    std::ranges::fill(c.values(), 10.0F);
    matmul(context, a, Op::kPlain, b.matrix(), c.matrix(), 0.5F);
    EXPECT_EQ(std::vector<float>(c.values().begin(), c.values().end()),
              (std::vector<float>{10, 13, 5, 5}));
  });
}

// A copy whose rows lie `gap` elements further apart, one float behind an aligned address.
struct Spread {
  Spread(ConstMatrix m, int64_t gap)
      : tensor({m.rows + 1, m.cols + gap}),
        matrix(tensor.values().data() + 1, m.rows, m.cols, m.cols + gap) {
    std::ranges::fill(tensor.values(), 777.0F);
    for (int64_t r = 0; r < m.rows; ++r) std::ranges::copy(m.row(r), matrix.row(r).begin());
  }
  Tensor tensor;
  Matrix matrix;
};

TEST(SparseMatmul, GivesTheBitsOfTheReferenceOnTheDenseMatrix) {
  on_each_isa([] {
    Context context;
    SparseMatrix held;
    for (const ProductCase& size : sizes()) {
      for (const double density : {0.02, 0.2, 1.0}) {
        // The oracle is slow.
        if (density != 0.2 && size.rows * size.inputs * size.outputs > 1'000'000) continue;
        const Tensor x = random(size.rows, size.inputs, "x", density);
        const Spread w(random(size.inputs, size.outputs, "w").matrix(), 5);
        const Spread dy(random(size.rows, size.outputs, "dy").matrix(), 3);
        from_dense(x.matrix(), held);
        for (const Op op : {Op::kPlain, Op::kTransposed}) {
          const Matrix b = op == Op::kPlain ? w.matrix : dy.matrix;
          const int64_t rows = op == Op::kPlain ? size.rows : size.inputs;
          for (const float beta : {0.0F, 1.0F, 0.3F}) {
            SCOPED_TRACE(fmt::format("({}, {}, {}) at density {}{}, beta {}", size.rows,
                                     size.inputs, size.outputs, density,
                                     op == Op::kPlain ? "" : ", transposed", beta));
            Spread got(random(rows, size.outputs, "c").matrix(), 2), wanted = got;
            wanted.matrix.data = wanted.tensor.values().data() + 1;
            if (beta == 0.0F)
              for (int64_t r = 0; r < rows; ++r) std::ranges::fill(got.matrix.row(r), kNaN);
            matmul(context, held, op, b, got.matrix, beta);
            reference::matmul(context, x.matrix(), op, b, Op::kPlain, wanted.matrix, beta);
            // Gaps as well: they are not written.
            ASSERT_TRUE(same_bits(got.tensor.values(), wanted.tensor.values()));
          }
        }
      }
    }
  });
}

TEST(SparseDropout, LeavesTheBitsOfTheDenseOne) {
  on_each_isa([] {
    Context context;
    const Tensor x = random(9, 133, "x", 0.3);
    const std::vector<int64_t> numbers = {5, 0, 17, 1, 2, 99, 3, 4, 8};
    Tensor wanted({9, 133}), got({9, 133});
    dropout(0.4, RngKey(3), numbers, x.matrix(), wanted.matrix());
    SparseMatrix held, left;
    from_dense(x.matrix(), held);
    dropout(context, 0.4, RngKey(3), numbers, held, left);
    to_dense(left, got.matrix());
    EXPECT_TRUE(std::ranges::equal(got.values(), wanted.values()));
    EXPECT_LT(left.count(), held.count());
    EXPECT_GT(left.count(), 0);
  });
}

TEST(SparseSquaredDistance, IsTheDenseOneButForRounding) {
  on_each_isa([] {
    const Tensor x = random(7, 131, "x", 0.2), y = random(7, 131, "y");
    SparseMatrix held;
    from_dense(x.matrix(), held);
    const double wanted = squared_distance(x.matrix(), y.matrix());
    EXPECT_NEAR(squared_distance(held.view(), y.matrix()), wanted, 1e-12 * wanted);
  });
}

TEST(SparseMatmul, GivesARowTheSameBitsAloneOrAmongOthers) {
  on_each_isa([] {
    Context context;
    const Tensor x = random(100, 784, "x", 0.2), w = random(784, 130, "w");
    SparseMatrix held;
    from_dense(x.matrix(), held);
    Tensor whole({100, 130}), one({1, 130});
    matmul(context, held, Op::kPlain, w.matrix(), whole.matrix(), 0);
    for (const int64_t r : {0, 1, 57, 99}) {
      matmul(context, held.view().slice(r, 1), Op::kPlain, w.matrix(), one.matrix(), 0);
      EXPECT_TRUE(same_bits(one.values(), whole.matrix().row(r))) << "row " << r;
    }
  });
}

}  // namespace
}  // namespace superstep::kernels
