// The loops that are compiled once for each instruction set, as a table of functions. The checks
// of sizes are in the callers (elementwise.cpp, activation.cpp, update.cpp, sparse.cpp), whose
// headers say what each does.
#pragma once

#include <cstdint>

#include "superstep/kernels/activation.h"
#include "superstep/kernels/update.h"
#include "superstep/tensor/sparse_matrix.h"

namespace superstep::kernels {

/// The vector form of Philox counts a row's blocks of 4 columns in 32 bits.
inline constexpr int64_t kMostColumns = int64_t{1} << 32;

/// Where a row's uniform numbers come from: a key and one number a row.
struct RowKeys {
  uint64_t key;
  const int64_t* row_numbers;
};

/// A tensor with its state and gradient; what a rule does not use is null.
struct Moved {
  float *w, *first, *second;
  const float* g;
  int64_t count;
};

struct Table {
  void (*scale)(float a, ConstMatrix x, Matrix y);
  void (*axpy)(float a, const float* x, float* y, int64_t count);
  void (*subtract)(ConstMatrix a, ConstMatrix b, Matrix c);
  void (*column_sums)(ConstMatrix x, float* sums);
  void (*softmax_rows)(Matrix y);
  double (*squared_distance)(ConstMatrix a, ConstMatrix b);

  /// bias or sums may be null: none.
  void (*activate)(Activation f, const float* bias, Matrix y);
  void (*activation_backward)(Activation f, ConstMatrix y, Matrix dy, float* sums);
  void (*bias_sigmoid_sample)(const float* bias, RowKeys keys, Matrix y, Matrix state);
  void (*sample_bernoulli)(ConstMatrix p, RowKeys keys, Matrix out);
  void (*dropout)(float limit, float kept, RowKeys keys, ConstMatrix x, Matrix y);

  void (*descent_step)(const Moved& m, const Descent& d);
  void (*sgd_step)(const Moved& m, const Descent& d);
  void (*momentum_step)(const Moved& m, const Descent& d, float momentum);
  void (*nesterov_step)(const Moved& m, const Descent& d, float momentum);
  void (*adagrad_step)(const Moved& m, const Descent& d, float epsilon);
  void (*rmsprop_step)(const Moved& m, const Descent& d, float kept, float epsilon);
  void (*adam_step)(const Moved& m, const Descent& d, const AdamRule& rule);
  double (*sum_of_squares)(const float* x, int64_t count);
  void (*column_norm_limit)(Matrix w, float limit);

  /// Writes the columns and values of the elements that are not zero, and returns how many; up to
  /// `count` + 16 elements of both may be written over.
  int64_t (*compress)(const float* x, int64_t count, int32_t* columns, float* values);
  /// c = a b + beta c; `ranges` has room for two numbers a row.
  void (*sparse_matmul)(const SparseView& a, ConstMatrix b, Matrix c, float beta, int64_t* ranges);
};

/// That of kernels::isa().
const Table& table();

namespace portable {
extern const Table kTable;
}
namespace avx2 {
extern const Table kTable;
}
namespace avx512 {
extern const Table kTable;
}

}  // namespace superstep::kernels
