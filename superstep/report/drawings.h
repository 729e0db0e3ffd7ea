// Drawings of a network's matrices: filters, rows that are pictures, hidden activations, and Hinton
// diagrams. Hinton (2010), "A practical guide to training restricted Boltzmann machines", sections
// 5 and 16; Yosinski and Lipson (2012), "Visually debugging restricted Boltzmann machine training".
//
//   write(encode_png(filter_sheet(weight, {28, 28}, {.units = 12, .columns = 12})));
//   write(encode_png(activation_map(hidden)));
#pragma once

#include <cstdint>
#include <optional>

#include "superstep/report/picture.h"
#include "superstep/report/snapshots.h"
#include "superstep/tensor/tensor.h"

namespace superstep::report {

/// Images with a longer side are averaged down, by a whole factor, until it fits.
inline constexpr int64_t kLargestSide = 48;

struct FilterLayout {
  int64_t units = 12;  ///< The first so many columns of the weights, or all if there are fewer.
  int columns = 12;    ///< Filters side by side.
};

/// Weights (inputs, units) whose inputs are the image's pixels: a picture a unit, red above zero
/// and blue below. One scale for the sheet: the strongest colours stand for the magnitude that one
/// weight of 200 exceeds. Throws DataError where the rows are not the image's pixels.
Picture filter_sheet(ConstMatrix weight, ImageShape image, FilterLayout layout);

/// Grey from 0 to 1 where all values lie within, else from the least to the largest.
Scale scale_of_rows(ConstMatrix rows);

/// Rows that are pictures (rows, pixels), `columns` side by side. Throws DataError where the
/// columns of the matrix are not the image's pixels.
Picture row_sheet(ConstMatrix rows, ImageShape image, Scale scale, int columns);

/// Activations (rows, units), a pixel each; the first 48 rows and 256 units. Grey from black at 0
/// to white at 1, or at the largest where there are larger ones; blue to red where some are
/// negative.
Picture activation_map(ConstMatrix hidden);
inline constexpr int64_t kMapRows = 48, kMapUnits = 256;

/// Units that say nothing about a row.
struct IdleUnits {
  std::optional<int64_t> never_on;   ///< At most 0.01 in every row; none where some are negative.
  std::optional<int64_t> always_on;  ///< At least 0.99 in every row; none where some leave 0 to 1.
};
IdleUnits count_idle(ConstMatrix hidden);

/// A matrix as squares on grey, white for positive and black for negative numbers, the area in
/// proportion to the magnitude: 12 pixels a cell, of which the largest magnitude takes 10.
Picture hinton_diagram(ConstMatrix matrix);
inline constexpr int64_t kHintonSide = 40;
/// Whether both sides are from 2 to kHintonSide.
bool fits_hinton(ConstMatrix matrix);

}  // namespace superstep::report
