// The kinds of units of restricted Boltzmann machines, and how their states are drawn.
//
//   const Units units = parse_units("rectified");
//   sample_choice(mean, key, row_numbers, state);      // one 1 a row
//
// Every draw is a pure function of (key, row number, column), so a row's state has the same bits
// alone or in any batch. What each kind means in the energy of a machine stands in rbm.h.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "superstep/base/rng.h"
#include "superstep/tensor/features.h"

namespace superstep::layers {

enum class Units { kBinary, kGaussian, kSoftmax, kLinear, kRectified };

/// "binary", "gaussian", "softmax", "linear", "rectified".
std::string_view to_string(Units units);
/// The inverse; throws ConfigError that lists the names.
Units parse_units(std::string_view name);

/// The kind of visible units of a machine whose data are the means of these hidden units: the same,
/// but linear above rectified ones (which are above 0, with a variance that is not 1). Throws
/// ConfigError for kLinear, which are never hidden.
Units visible_above(Units hidden);

/// The bias that one of `count` visible units starts from, when its mean over the data is m.
/// Binary: log(m / (1 - m)) with m kept within [0.01, 0.99]; Gaussian and linear: m; softmax: log
/// m, with m at least a hundredth of an even share, 0.01 / count. Hinton 2010, section 8.
float initial_visible_bias(Units units, int64_t count, double mean);

/// totals[r] = the sum of row r: N, the number of choices that a row of softmax units holds.
void row_totals(const Features& rows, std::span<float> totals);

/// Every row gets one 1, in column j with probability mean_j / (sum of the row), else zeros. A
/// column of mean 0 is never chosen. A row whose sum is 0 gets zeros; one whose sum is not finite
/// is copied, so that it is found where updates are checked. No overlap.
void sample_choice(ConstMatrix mean, RngKey key, std::span<const int64_t> row_numbers,
                   Matrix sample);

/// The same with N choices a row, counted: N is the sum of the row's means, rounded to the nearest
/// whole number. Time: N log(columns) a row.
void sample_counts(ConstMatrix mean, RngKey key, std::span<const int64_t> row_numbers,
                   Matrix sample);

/// From x, the input of rectified units (their state before max), to a state and the mean, in
/// place: sample = max(0, x + n sqrt(sigmoid(x))) with n standard normal, then x = max(0, x).
/// Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.
void sample_rectified(RngKey key, std::span<const int64_t> row_numbers, Matrix x, Matrix sample);

}  // namespace superstep::layers
