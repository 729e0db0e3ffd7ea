// Rows for benchmarks: of a file that bench/peers/run.py writes, or like MNIST and made up.
#pragma once

#include <memory>
#include <numeric>
#include <string>

#include "superstep/data/row_source.h"
#include "superstep/io/safetensors.h"
#include "superstep/io/stream.h"
#include "superstep/kernels/sparse.h"
#include "superstep/training/nonzeros.h"

namespace superstep::bench {

constexpr int64_t kClasses = 10;

/// The same rows with their zeros left out, where numerics.sparse = "auto" would leave them out
/// of a first layer of `units`; else as they are.
inline std::shared_ptr<const data::MatrixSource> in_form(
    const std::shared_ptr<const data::MatrixSource>& rows, int64_t units) {
  std::vector<int64_t> all(static_cast<size_t>(rows->rows()));
  std::iota(all.begin(), all.end(), int64_t{0});
  Batch batch;
  rows->read(all, batch);
  SparseMatrix sparse;
  kernels::from_dense(std::as_const(batch.x).matrix(), sparse);
  const auto values = static_cast<double>(rows->rows() * rows->columns());
  if (static_cast<double>(sparse.count()) >= training::sparse_below(units) * values) return rows;
  return std::make_shared<const data::MatrixSource>(std::move(sparse), std::move(batch.labels));
}

/// Of a safetensors file: "x" (rows, columns) F32 and, where there are classes, "labels" U8.
inline std::shared_ptr<const data::MatrixSource> read_rows(const std::string& path) {
  io::SafeTensors file = io::from_bytes(io::read_file(path), path);
  const ConstMatrix x = std::as_const(file.tensors).matrix("x");
  Tensor rows({x.rows, x.cols});
  std::ranges::copy(file.tensors.values("x"), rows.values().begin());
  std::vector<int32_t> labels;
  if (const auto found = file.blobs.find("labels"); found != file.blobs.end())
    for (const auto byte : found->second) labels.push_back(static_cast<uint8_t>(byte));
  return std::make_shared<const data::MatrixSource>(std::move(rows), std::move(labels));
}

/// 19% of the values are not zero, as of MNIST; which depends on the class.
inline std::shared_ptr<const data::MatrixSource> synthetic_rows(int64_t rows, int64_t columns) {
  constexpr float kDensity = 0.19F;
  Tensor x({rows, columns}), shown({1, columns});
  Tensor often({kClasses, columns});
  fill_uniform(RngKey(1), 0, often.values());
  std::vector<int32_t> labels;
  for (int64_t r = 0; r < rows; ++r) {
    const auto number = static_cast<uint64_t>(r);
    labels.push_back(static_cast<int32_t>(r % kClasses));
    const auto row = x.matrix().row(r), chance = often.matrix().row(r % kClasses);
    fill_uniform(RngKey(2), number, row);
    fill_uniform(RngKey(3), number, shown.values());
    for (size_t j = 0; j < row.size(); ++j)
      if (shown.values()[j] >= 2 * kDensity * chance[j]) row[j] = 0;
  }
  return std::make_shared<const data::MatrixSource>(std::move(x), std::move(labels));
}

}  // namespace superstep::bench
