// oneDNN's matmul behind kernels/matmul.h.
#ifndef SUPERSTEP_MINIMAL

#include "superstep/kernels/matmul.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <bit>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "superstep/base/hash.h"
#include "superstep/kernels/isa.h"

namespace superstep::kernels::cpu {
namespace {

// While it lives, the OpenMP runtime gives this thread teams of one; afterwards as before. The team
// of a lane is ours (base/team.h), and oneDNN's blocking asks for the size of OpenMP's. The runtime
// is the one that oneDNN brought into the process, so it is asked for by name: a oneDNN without
// OpenMP has none.
class OneOpenMpThread {
 public:
  OneOpenMpThread() : saved_(kGet != nullptr && kSet != nullptr ? kGet() : 0) {
    if (saved_ > 1) kSet(1);
  }
  ~OneOpenMpThread() {
    if (saved_ > 1) kSet(saved_);
  }
  OneOpenMpThread(const OneOpenMpThread&) = delete;
  OneOpenMpThread& operator=(const OneOpenMpThread&) = delete;

 private:
  template <class Function>
  static Function find(const char* name) {
    return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
  }
  static inline int (*const kGet)() = find<int (*)()>("omp_get_max_threads");
  static inline void (*const kSet)(int) = find<void (*)(int)>("omp_set_num_threads");
  int saved_;
};

// What a compiled product is for: sizes, distances between rows, transpositions.
struct Key {
  int64_t m, n, k, stride_a, stride_b, stride_c;
  Op op_a, op_b;
  float beta;
  friend bool operator==(const Key&, const Key&) = default;
};

struct KeyHash {
  size_t operator()(const Key& key) const {
    const std::array<int64_t, 8> words = {
        key.m,
        key.n,
        key.k,
        key.stride_a,
        key.stride_b,
        key.stride_c,
        int64_t{key.op_a == Op::kTransposed} | int64_t{key.op_b == Op::kTransposed} << 1,
        std::bit_cast<int32_t>(key.beta)};
    return digest(words.data(), sizeof words).low;
  }
};

// A compiled product with its memory objects; only their addresses change from call to call.
struct Product {
  dnnl::matmul primitive;
  dnnl::memory a, b, c, scratchpad;
  int64_t scratchpad_floats;
  /// For the C interface: the C++ one makes a copy of its map of arguments at each call.
  std::array<dnnl_exec_arg_t, 4> arguments;
};

dnnl::memory::desc describe(int64_t rows, int64_t cols, int64_t stride, Op op) {
  const dnnl::memory::dims strides =
      op == Op::kPlain ? dnnl::memory::dims{stride, 1} : dnnl::memory::dims{1, stride};
  return {{rows, cols}, dnnl::memory::data_type::f32, strides};
}

struct Products : Context::Backend {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::unordered_map<Key, Product, KeyHash> by_key;

  Product& get(const Key& key) {
    // Serving rows in ever new batch sizes must not fill the memory.
    constexpr size_t kMost = 1024;
    const auto found = by_key.find(key);
    if (found != by_key.end()) return found->second;
    if (by_key.size() >= kMost) by_key.clear();
    return by_key.emplace(key, make(key)).first->second;
  }

  Product make(const Key& key) const {
    const auto a = describe(key.m, key.k, key.stride_a, key.op_a);
    const auto b = describe(key.k, key.n, key.stride_b, key.op_b);
    const auto c = describe(key.m, key.n, key.stride_c, Op::kPlain);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (key.beta != 0.0F) {
      dnnl::post_ops sum;
      sum.append_sum(key.beta);
      attributes.set_post_ops(sum);
    }
    const dnnl::matmul::primitive_desc description(engine, a, b, c, attributes);
    const dnnl::memory::desc scratchpad = description.scratchpad_desc();
    Product product{dnnl::matmul(description),
                    dnnl::memory(a, engine, nullptr),
                    dnnl::memory(b, engine, nullptr),
                    dnnl::memory(c, engine, nullptr),
                    dnnl::memory(scratchpad, engine, nullptr),
                    static_cast<int64_t>((scratchpad.get_size() + 3) / 4),
                    {}};
    product.arguments = {{{DNNL_ARG_SRC, product.a.get()},
                          {DNNL_ARG_WEIGHTS, product.b.get()},
                          {DNNL_ARG_DST, product.c.get()},
                          {DNNL_ARG_SCRATCHPAD, product.scratchpad.get()}}};
    return product;
  }
};

// oneDNN takes addresses without const; it does not write through these.
void* address(ConstMatrix matrix) { return const_cast<float*>(matrix.data); }

void multiply(Context& context, ConstMatrix a, Op op_a, ConstMatrix b, Op op_b, Matrix c,
              float beta) {
  const OneOpenMpThread one_thread;
  if (!context.backend()) context.backend() = std::make_unique<Products>();
  auto& products = static_cast<Products&>(*context.backend());
  const int64_t k = op_a == Op::kPlain ? a.cols : a.rows;
  Product& product =
      products.get({c.rows, c.cols, k, a.stride, b.stride, c.stride, op_a, op_b, beta});
  const Scratch scratchpad = context.scratch(product.scratchpad_floats);
  product.a.set_data_handle(address(a));
  product.b.set_data_handle(address(b));
  product.c.set_data_handle(c.data);
  product.scratchpad.set_data_handle(scratchpad.values().data());
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(product.primitive.get(), products.stream.get(),
                             static_cast<int>(product.arguments.size()), product.arguments.data()),
      "could not multiply");
  products.stream.wait();
}

}  // namespace

void limit_isa(Isa isa) {
  // The result says whether it was in time; the header, that it need not be.
  switch (isa) {
    case Isa::kPortable:
      dnnl::set_max_cpu_isa(dnnl::cpu_isa::sse41);
      return;
    case Isa::kAvx2:
      dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2);
      return;
    case Isa::kAvx512:
      dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core);
      return;
  }
}

Isa isa_of_products() {
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  const auto has = [isa](dnnl::cpu_isa least) {  // an instruction set's bits are in those above
    return (static_cast<unsigned>(isa) & static_cast<unsigned>(least)) ==
           static_cast<unsigned>(least);
  };
  if (has(dnnl::cpu_isa::avx512_core)) return Isa::kAvx512;
  return has(dnnl::cpu_isa::avx2) ? Isa::kAvx2 : Isa::kPortable;
}

// A single row or column goes down another path of oneDNN, with another order of summation: it is
// computed beside a row or column of zeros, so that its bits are those it has among others.
void matmul(Context& context, ConstMatrix a, Op op_a, ConstMatrix b, Op op_b, Matrix c,
            float beta) {
  const int64_t k = op_a == Op::kPlain ? a.cols : a.rows;
  if (c.rows == 1) {
    const Scratch memory = context.scratch(2 * k + 2 * c.cols);
    const Matrix two_rows(memory.values().data(), 2, k);
    const Matrix sums(two_rows.data + 2 * k, 2, c.cols);
    std::ranges::fill(memory.values(), 0.0F);
    for (int64_t i = 0; i < k; ++i)
      two_rows.row(0)[i] = a.data[op_a == Op::kPlain ? i : i * a.stride];
    if (beta != 0.0F) std::ranges::copy(c.row(0), sums.row(0).begin());
    cpu::matmul(context, two_rows, Op::kPlain, b, op_b, sums, beta);
    std::ranges::copy(sums.row(0), c.row(0).begin());
  } else if (c.cols == 1) {
    const Scratch memory = context.scratch(2 * k + 2 * c.rows);
    const Matrix two_cols(memory.values().data(), k, 2);
    const Matrix sums(two_cols.data + 2 * k, c.rows, 2);
    std::ranges::fill(memory.values(), 0.0F);
    for (int64_t i = 0; i < k; ++i)
      two_cols.row(i)[0] = b.data[op_b == Op::kPlain ? i * b.stride : i];
    for (int64_t r = 0; beta != 0.0F && r < c.rows; ++r) sums.row(r)[0] = c.row(r)[0];
    cpu::matmul(context, a, op_a, two_cols, Op::kPlain, sums, beta);
    for (int64_t r = 0; r < c.rows; ++r) c.row(r)[0] = sums.row(r)[0];
  } else {
    multiply(context, a, op_a, b, op_b, c, beta);
  }
}

}  // namespace superstep::kernels::cpu

#endif  // SUPERSTEP_MINIMAL
