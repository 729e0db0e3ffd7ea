// Two phases of a statistic stacked in one matrix: n rows of data above n rows of what a model made
// of them. One product then is the difference of both.
#pragma once

#include <cstdint>
#include <span>

#include "superstep/tensor/sparse_matrix.h"

namespace superstep::training {

/// The lower half of the rows.
Matrix second_half(Matrix stacked);
/// out[j] = (sum of column j below - sum of it above) / n: descended, it raises what the data have.
void mean_difference(ConstMatrix stacked, std::span<float> out);
/// The same of rows of data without their zeros, and as many rows of a model.
void mean_difference(const SparseView& data, ConstMatrix model, std::span<float> out);
/// The rows above times -1/n, those below times 1/n.
void weigh_halves(Matrix stacked);
/// y = 1 in the column of each row's label, else 0.
void one_hot(std::span<const int32_t> labels, Matrix y);

}  // namespace superstep::training
