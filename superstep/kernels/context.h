// What one lane keeps between calls of kernels: compiled matrix products and scratch memory, its
// own and those of its team's other threads (base/team.h).
//
//   kernels::Context context;                       // one a lane
//   auto delta = context.scratch(rows * outputs);   // given back at the end of the block
//   matmul(context, x, Op::kPlain, w, Op::kPlain, y, /*beta=*/0);
//
// Not shared between lanes. Nothing in it changes a result: a fresh one gives the same bits.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "superstep/tensor/sparse_matrix.h"
#include "superstep/tensor/tensor.h"

namespace superstep::kernels {

class Context;

/// Borrowed memory; its elements are undefined. Borrowings end in the reverse order of their
/// beginning, as blocks do.
class Scratch {
 public:
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] std::span<float> values() const { return values_; }
  /// The same memory as rows x cols, which must fit.
  [[nodiscard]] Matrix matrix(int64_t rows, int64_t cols) const;

 private:
  friend class Context;
  Scratch(Context& context, std::span<float> values) : context_(context), values_(values) {}
  Context& context_;
  std::span<float> values_;
};

class Context {
 public:
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// `count` floats on a 64-byte boundary. After the first rounds of a loop nothing is allocated:
  /// the n-th borrowing of a nest gets the n-th buffer again.
  [[nodiscard]] Scratch scratch(int64_t count);

  /// Memory of kernels/sparse.h: a transpose, and `count` undefined numbers.
  [[nodiscard]] SparseMatrix& transposed() { return transposed_; }
  [[nodiscard]] std::span<int64_t> ranges(int64_t count);

  /// Those of members 0 (this one) to `count` - 1 of a team, each for its own thread.
  void make_members(int count);
  [[nodiscard]] Context& member(int number) {
    return number == 0 ? *this : *members_[static_cast<size_t>(number - 1)];
  }

  /// What a backend keeps (oneDNN's primitives); it makes this at its first call.
  struct Backend {
    virtual ~Backend() = default;
  };
  [[nodiscard]] std::unique_ptr<Backend>& backend() { return backend_; }

 private:
  friend class Scratch;
  std::vector<AlignedVector<float>> buffers_;
  size_t borrowed_ = 0;
  SparseMatrix transposed_;
  std::vector<int64_t> ranges_;
  std::unique_ptr<Backend> backend_;
  std::vector<std::unique_ptr<Context>> members_;
};

}  // namespace superstep::kernels
