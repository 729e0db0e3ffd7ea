// Which classes are taken for which: the confusion matrix of the report.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace superstep::report {

struct Confusion {
  std::vector<std::string> names;            ///< Of the classes.
  std::vector<std::vector<int64_t>> counts;  ///< Rows, by [true class][predicted class].
};

/// The matrix as a shaded table (up to 30 classes; above that the 20 commonest confusions), then
/// rows, precision, recall and F1 of each class. Throws DataError when the sizes do not fit.
std::string confusion_html(const Confusion& confusion);

}  // namespace superstep::report
