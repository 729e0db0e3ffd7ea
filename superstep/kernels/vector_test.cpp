// Every loop of kernels/vector/ against its definition in plain loops, to the bit: for each
// instruction set of this processor, over the lengths of cases.h, at aligned and unaligned
// addresses, with rows that follow each other and rows with gaps.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "superstep/kernels/activation.h"
#include "superstep/kernels/cases.h"
#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/isa.h"
#include "superstep/kernels/math.h"
#include "superstep/kernels/matmul.h"
#include "superstep/kernels/update.h"

namespace superstep::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kUntouched = 12345.0F;

// Runs an action once for each instruction set, and leaves the best one behind.
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

// Where the matrices of a case lie.
struct Place {
  int64_t rows, cols, offset, gap;
  bool with_specials;
};

// A matrix at `offset` floats behind an aligned address, with `gap` floats between rows and around.
class Rows {
 public:
  Rows(const Place& p, uint64_t seed)
      : memory_(static_cast<size_t>(p.offset + p.rows * (p.cols + p.gap) + 32), kUntouched),
        matrix(memory_.data() + p.offset, p.rows, p.cols, p.cols + p.gap) {
    constexpr float kSpecials[] = {0.0F, -0.0F,  kInfinity, -kInfinity,
                                   kNaN, 1e-40F, 3e38F,     -200.0F};
    std::vector<float> values(static_cast<size_t>(p.cols));
    for (int64_t r = 0; r < p.rows; ++r) {
      fill_normal(RngKey(seed), static_cast<uint64_t>(r), values);
      for (size_t j = 0; j < values.size(); ++j) {
        const size_t special = (j * 7 + static_cast<size_t>(r) * 5 + seed) % 19;
        const bool use = p.with_specials && special < std::size(kSpecials);
        matrix.row(r)[j] = use ? kSpecials[special] : 3 * values[j];
      }
    }
  }
  [[nodiscard]] std::span<float> row(int64_t r = 0) const { return matrix.row(r); }
  [[nodiscard]] const AlignedVector<float>& memory() const { return memory_; }

 private:
  AlignedVector<float> memory_;

 public:
  Matrix matrix;  // after the memory it lies in
};

// What a kernel may read and write.
struct Work {
  explicit Work(const Place& p)
      : a(p, 1), b(p, 2), c(p, 3), d({1, p.cols, p.offset, p.gap, p.with_specials}, 4) {
    for (int64_t r = 0; r < p.rows; ++r) numbers.push_back(int64_t{1} << (21 * r));
  }
  Rows a, b, c, d;  // d is one row
  std::vector<int64_t> numbers;
  RngKey key{0x123456789ABCDEF0};
  double result = 0;
};

struct Kernel {
  const char* name;
  std::function<void(Work&)> run, definition;
};

// a = f(a, b, c, what stands in d, uniform number) for every element.
template <class F>
void each(Work& w, F f) {
  std::vector<float> u(static_cast<size_t>(w.a.matrix.cols));
  for (int64_t r = 0; r < w.a.matrix.rows; ++r) {
    fill_uniform(w.key, static_cast<uint64_t>(w.numbers[static_cast<size_t>(r)]), u);
    for (size_t j = 0; j < u.size(); ++j)
      f(w.a.row(r)[j], w.b.row(r)[j], w.c.row(r)[j], w.d.row()[j], u[j]);
  }
}

// The sum of 16 partial sums in pairs.
template <class T>
T fold(std::array<T, 16> sums) {
  for (size_t half = 8; half > 0; half /= 2)
    for (size_t i = 0; i < half; ++i) sums[i] += sums[i + half];
  return sums[0];
}

float relu_of(float x) { return x < 0 ? 0.0F : x; }

const std::vector<Kernel>& kernels_of_rows() {
  static const std::vector<Kernel> kernels = {
      {"scale", [](Work& w) { scale(0.3F, w.b.matrix, w.a.matrix); },
       [](Work& w) { each(w, [](float& a, float b, float, float, float) { a = 0.3F * b; }); }},
      {"subtract", [](Work& w) { subtract(w.b.matrix, w.c.matrix, w.a.matrix); },
       [](Work& w) { each(w, [](float& a, float b, float c, float, float) { a = b - c; }); }},
      {"column_sums", [](Work& w) { column_sums(w.a.matrix, w.d.row()); },
       [](Work& w) {
         std::ranges::fill(w.d.row(), 0.0F);
         each(w, [](float a, float, float, float& d, float) { d += a; });
       }},
      {"softmax_rows", [](Work& w) { softmax_rows(w.a.matrix); },
       [](Work& w) {
         for (int64_t r = 0; r < w.a.matrix.rows; ++r) {
           const std::span<float> row = w.a.row(r);
           if (row.empty()) continue;
           const float largest = *std::ranges::max_element(row);
           std::array<float, 16> sums{};
           for (size_t j = 0; j < row.size(); ++j)
             sums[j % 16] += row[j] = kernels::exp(row[j] - largest);
           for (float& value : row) value /= fold(sums);
         }
       }},
      {"squared_distance", [](Work& w) { w.result = squared_distance(w.a.matrix, w.b.matrix); },
       [](Work& w) {
         std::array<double, 16> sums{};
         for (int64_t r = 0; r < w.a.matrix.rows; ++r) {
           for (size_t j = 0; j < w.a.row(r).size(); ++j) {
             const double difference = double{w.a.row(r)[j]} - double{w.b.row(r)[j]};
             sums[j % 16] += difference * difference;
           }
         }
         w.result = fold(sums);
       }},
      {"add_row", [](Work& w) { add_row(w.a.matrix, w.d.row()); },
       [](Work& w) { each(w, [](float& a, float, float, float d, float) { a += d; }); }},
      {"sigmoid", [](Work& w) { sigmoid(w.a.matrix); },
       [](Work& w) {
         each(w, [](float& a, float, float, float, float) { a = kernels::sigmoid(a); });
       }},
      {"tanh", [](Work& w) { tanh(w.a.matrix); },
       [](Work& w) {
         each(w, [](float& a, float, float, float, float) { a = kernels::tanh(a); });
       }},
      {"bias_activate of relu",
       [](Work& w) { bias_activate(Activation::kRelu, w.d.row(), w.a.matrix); },
       [](Work& w) {
         each(w, [](float& a, float, float, float d, float) { a = relu_of(a + d); });
       }},
      {"bias_activate of tanh",
       [](Work& w) { bias_activate(Activation::kTanh, w.d.row(), w.a.matrix); },
       [](Work& w) {
         each(w, [](float& a, float, float, float d, float) { a = kernels::tanh(a + d); });
       }},
      {"bias_sigmoid_sample",
       [](Work& w) { bias_sigmoid_sample(w.d.row(), w.key, w.numbers, w.a.matrix, w.b.matrix); },
       [](Work& w) {
         each(w, [](float& a, float& b, float, float d, float u) {
           a = kernels::sigmoid(a + d);
           b = u < a ? 1.0F : 0.0F;
         });
       }},
      {"sample_bernoulli",
       [](Work& w) { sample_bernoulli(w.b.matrix, w.key, w.numbers, w.a.matrix); },
       [](Work& w) {
         each(w, [](float& a, float b, float, float, float u) { a = u < b ? 1.0F : 0.0F; });
       }},
      {"dropout", [](Work& w) { dropout(0.2, w.key, w.numbers, w.a.matrix, w.a.matrix); },
       [](Work& w) {
         each(w, [](float& a, float, float, float, float u) { a = u < 0.2F ? 0.0F : a * 1.25F; });
       }},
      {"activation_backward of linear",
       [](Work& w) { activation_backward(Activation::kLinear, w.b.matrix, w.a.matrix, w.d.row()); },
       [](Work& w) {
         std::ranges::fill(w.d.row(), 0.0F);
         each(w, [](float a, float, float, float& d, float) { d += a; });
       }},
      {"activation_backward of sigmoid",
       [](Work& w) {
         activation_backward(Activation::kSigmoid, w.b.matrix, w.a.matrix, w.d.row());
       },
       [](Work& w) {
         std::ranges::fill(w.d.row(), 0.0F);
         each(w, [](float& a, float b, float, float& d, float) { d += a *= b * (1.0F - b); });
       }},
      {"activation_backward of tanh",
       [](Work& w) { activation_backward(Activation::kTanh, w.b.matrix, w.a.matrix, w.d.row()); },
       [](Work& w) {
         std::ranges::fill(w.d.row(), 0.0F);
         each(w, [](float& a, float b, float, float& d, float) { d += a *= 1.0F - b * b; });
       }},
      {"activation_backward of relu",
       [](Work& w) { activation_backward(Activation::kRelu, w.b.matrix, w.a.matrix, w.d.row()); },
       [](Work& w) {
         std::ranges::fill(w.d.row(), 0.0F);
         each(w, [](float& a, float b, float, float& d, float) { d += a = b == 0 ? 0.0F : a; });
       }},
      {"relu_backward", [](Work& w) { relu_backward(w.b.matrix, w.a.matrix); },
       [](Work& w) {
         each(w, [](float& a, float b, float, float, float) { a = b == 0 ? 0.0F : a; });
       }},
      {"column_norm_limit", [](Work& w) { column_norm_limit(w.a.matrix, 3.0F); },
       [](Work& w) {
         std::vector<float> sums(static_cast<size_t>(w.a.matrix.cols));
         for (int64_t r = 0; r < w.a.matrix.rows; ++r)
           for (size_t j = 0; j < sums.size(); ++j) sums[j] += w.a.row(r)[j] * w.a.row(r)[j];
         for (int64_t r = 0; r < w.a.matrix.rows; ++r)
           for (size_t j = 0; j < sums.size(); ++j)
             if (sums[j] > 9.0F) w.a.row(r)[j] *= 3.0F / std::sqrt(sums[j]);
       }},
  };
  return kernels;
}

// What the weights descend: update.h's g'.
constexpr Descent kDescent = {.rate = 0.1F, .scale = 0.7F, .l1 = 0.02F, .l2 = 0.3F};
float total(float g, float w) {
  const float sign = w > 0 ? 1.0F : w < 0 ? -1.0F : 0.0F;
  return 0.7F * g + 0.3F * w + 0.02F * sign;
}

// Of rows only the first: a holds the weights, b and c the state, d the gradient.
const std::vector<Kernel>& kernels_of_spans() {
  static const std::vector<Kernel> kernels = {
      {"axpy", [](Work& w) { axpy(0.3F, w.b.row(), w.a.row()); },
       [](Work& w) { each(w, [](float& a, float b, float, float, float) { a += 0.3F * b; }); }},
      {"scaled_copy", [](Work& w) { scaled_copy(0.3F, w.b.row(), w.a.row()); },
       [](Work& w) { each(w, [](float& a, float b, float, float, float) { a = 0.3F * b; }); }},
      {"sum_of_squares", [](Work& w) { w.result = sum_of_squares(w.a.row()); },
       [](Work& w) {
         std::array<double, 16> sums{};
         for (size_t i = 0; i < w.a.row().size(); ++i)
           sums[i % 16] += double{w.a.row()[i]} * double{w.a.row()[i]};
         w.result = fold(sums);
       }},
      {"descent_step", [](Work& w) { descent_step(w.a.row(), w.d.row(), kDescent); },
       [](Work& w) {
         each(w, [](float& a, float, float, float g, float) { a -= 0.1F * total(g, a); });
       }},
      {"sgd_step", [](Work& w) { sgd_step(w.a.row(), w.b.row(), kDescent); },
       [](Work& w) {
         each(w, [](float& a, float& v, float, float, float) {
           const float sign = a > 0 ? 1.0F : a < 0 ? -1.0F : 0.0F;
           v += 0.3F * a + 0.02F * sign;
           a -= 0.1F * v;
         });
       }},
      {"momentum_step",
       [](Work& w) { momentum_step(w.a.row(), w.b.row(), w.d.row(), kDescent, 0.9F); },
       [](Work& w) {
         each(w, [](float& a, float& v, float, float g, float) {
           v = 0.9F * v + total(g, a);
           a -= 0.1F * v;
         });
       }},
      {"nesterov_step",
       [](Work& w) { nesterov_step(w.a.row(), w.b.row(), w.d.row(), kDescent, 0.9F); },
       [](Work& w) {
         each(w, [](float& a, float& v, float, float g, float) {
           const float t = total(g, a);
           v = 0.9F * v + t;
           a -= 0.1F * (t + 0.9F * v);
         });
       }},
      {"adagrad_step",
       [](Work& w) { adagrad_step(w.a.row(), w.b.row(), w.d.row(), kDescent, 1e-6F); },
       [](Work& w) {
         each(w, [](float& a, float& s, float, float g, float) {
           const float t = total(g, a);
           s += t * t;
           a -= 0.1F * t / (std::sqrt(s) + 1e-6F);
         });
       }},
      {"rmsprop_step",
       [](Work& w) { rmsprop_step(w.a.row(), w.b.row(), w.d.row(), kDescent, 0.9F, 1e-6F); },
       [](Work& w) {
         each(w, [](float& a, float& s, float, float g, float) {
           const float t = total(g, a);
           s = 0.9F * s + (1.0F - 0.9F) * (t * t);
           a -= 0.1F * t / (std::sqrt(s) + 1e-6F);
         });
       }},
      {"adam_step",
       [](Work& w) {
         adam_step(w.a.row(), w.b.row(), w.c.row(), w.d.row(), kDescent,
                   {.second_correction = 1.5F});
       },
       [](Work& w) {
         each(w, [](float& a, float& f, float& s, float g, float) {
           const float t = total(g, a);
           f = 0.9F * f + (1.0F - 0.9F) * t;
           s = 0.999F * s + (1.0F - 0.999F) * (t * t);
           a -= 0.1F * f / (std::sqrt(s * 1.5F) + 1e-8F);
         });
       }},
  };
  return kernels;
}

// All memory, that between rows as well; any NaN is like any other.
void expect_same(const AlignedVector<float>& got, const AlignedVector<float>& wanted,
                 const char* name) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(got[i]) && std::isnan(wanted[i])) continue;
    ASSERT_EQ(std::bit_cast<uint32_t>(got[i]), std::bit_cast<uint32_t>(wanted[i]))
        << name << ", float " << i << ": " << got[i] << ", wanted " << wanted[i];
  }
}

void expect_definition(const Kernel& kernel, const Place& place) {
  SCOPED_TRACE(fmt::format("{} of ({}, {}), offset {}, gap {}{}", kernel.name, place.rows,
                           place.cols, place.offset, place.gap,
                           place.with_specials ? ", infinities and the like" : ""));
  Work got(place), wanted(place);
  kernel.run(got);
  kernel.definition(wanted);
  expect_same(got.a.memory(), wanted.a.memory(), "a");
  expect_same(got.b.memory(), wanted.b.memory(), "b");
  expect_same(got.c.memory(), wanted.c.memory(), "c");
  expect_same(got.d.memory(), wanted.d.memory(), "d");
  if (std::isnan(wanted.result))
    EXPECT_TRUE(std::isnan(got.result));
  else
    EXPECT_EQ(got.result, wanted.result);
}

TEST(Vectors, GiveTheBitsOfPlainLoopsOnRows) {
  on_each_isa([] {
    for (const Kernel& kernel : kernels_of_rows())
      for (const int64_t rows : {0, 1, 3})
        for (const int64_t cols : kLengths)
          for (const int64_t offset : {0, 1, 5})
            for (const int64_t gap : {0, 3})
              for (const bool with_specials : {false, true})
                expect_definition(kernel, {rows, cols, offset, gap, with_specials});
  });
}

TEST(Vectors, GiveTheBitsOfPlainLoopsOnSpans) {
  on_each_isa([] {
    for (const Kernel& kernel : kernels_of_spans())
      for (const int64_t count : kLengths)
        for (const int64_t offset : {0, 1, 5})
          for (const bool with_specials : {false, true})
            expect_definition(kernel, {1, count, offset, 0, with_specials});
  });
}

TEST(ColumnNormLimit, ScalesTheColumnsAboveItAlone) {
  on_each_isa([] {
    Tensor w({2, 3});
    // The columns' norms are 5, 1 and 10.
    std::ranges::copy(std::vector<float>{3, 0, 6, 4, 1, 8}, w.values().begin());
    column_norm_limit(w.matrix(), 5.0F);
    EXPECT_EQ(std::vector<float>(w.values().begin(), w.values().end()),
              (std::vector<float>{3, 0, 3, 4, 1, 4}));
  });
}

TEST(Isa, ThatIsMissingIsRefused) {
  const Isa before = isa();
  for (const Isa isa : kIsas) {
    if (isa_is_available(isa)) {
      set_isa(isa);
      EXPECT_EQ(kernels::isa(), isa);
    } else {
      EXPECT_THROW(set_isa(isa), ConfigError);
    }
  }
  set_isa(before);
  EXPECT_EQ(isa_name(Isa::kAvx512), "avx512");
  EXPECT_TRUE(isa_is_available(Isa::kPortable));
  EXPECT_TRUE(isa_is_available(widest_isa()));
}

#ifndef SUPERSTEP_MINIMAL
// After the first product oneDNN cannot be limited any more.
TEST(Isa, IsPinnedBeforeTheFirstProductOrNot) {
  const Isa before = isa();
  Context context;
  Tensor a({3, 3}), b({3, 3}), c({3, 3});
  matmul(context, a.matrix(), Op::kPlain, b.matrix(), Op::kPlain, c.matrix(), 0);
  const Isa products = cpu::isa_of_products();
  EXPECT_NO_THROW(pin_isa(products));
  EXPECT_EQ(isa(), products);
  for (const Isa isa : kIsas) {
    if (isa == products) continue;
    EXPECT_THROW(pin_isa(isa), ConfigError) << isa_name(isa);
  }
  set_isa(before);
}
#endif

}  // namespace
}  // namespace superstep::kernels
