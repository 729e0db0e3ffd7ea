// The table of the instruction set that this is compiled for; the last line of portable.cpp,
// avx2.cpp and avx512.cpp.
#pragma once

#include "superstep/kernels/vector/elementwise_loops.h"
#include "superstep/kernels/vector/sparse_loops.h"
#include "superstep/kernels/vector/update_loops.h"

namespace superstep::kernels::SUPERSTEP_ISA {

constinit const Table kTable = {.scale = scale,
                                .axpy = axpy,
                                .subtract = subtract,
                                .column_sums = column_sums,
                                .softmax_rows = softmax_rows,
                                .squared_distance = squared_distance,
                                .activate = activate,
                                .activation_backward = activation_backward,
                                .bias_sigmoid_sample = bias_sigmoid_sample,
                                .sample_bernoulli = sample_bernoulli,
                                .dropout = dropout,
                                .descent_step = descent_step,
                                .sgd_step = sgd_step,
                                .momentum_step = momentum_step,
                                .nesterov_step = nesterov_step,
                                .adagrad_step = adagrad_step,
                                .rmsprop_step = rmsprop_step,
                                .adam_step = adam_step,
                                .sum_of_squares = sum_of_squares,
                                .column_norm_limit = column_norm_limit,
                                .compress = compress,
                                .sparse_matmul = sparse_matmul};

}  // namespace superstep::kernels::SUPERSTEP_ISA
