// The [data] section of a job: where the rows are, what is to be learned, and how they are scaled.
//
//   data::DataConfig data;
//   doc.section("data", "Rows.", [&](config::Section& s) { data.declare(s); });
//
// Paths may be a file, a folder or a glob; relative ones start at `dir` where it is set. Limits:
// CSV, IDX, SVMLight and Metronome, plain or gzip; features are numbers without gaps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "superstep/config/section.h"

namespace superstep::data {

struct DataConfig {
  config::Location train, valid, test, unlabelled;
  std::string label;                ///< A column's name, or its number from 0; "": none (CSV).
  std::string delimiter = "infer";  ///< Or one character, or "tab".
  std::string header = "infer";     ///< Or "yes", "no".
  std::vector<std::string> drop;    ///< Columns to leave out, by name or number.
  double test_fraction = 0;         ///< Of all rows, when `test` is not given.
  double valid_fraction = 0.1;      ///< Of the rows that remain, when `valid` is not given.
  int64_t width = 0;                ///< Columns of rows without zeros; 0: as many as they name.
  std::vector<int64_t> image;       ///< Height and width where rows are pictures; {}: by format.
  std::string scale = "infer";      ///< Or "standardise", "together", "minmax", "binarise", "none".
  double threshold = 0.5;           ///< Of binarise, as a fraction of the range.
  std::string on_bad_record = "error";  ///< Or "skip".
  std::string dir;                      ///< Where relative paths start; "": the current folder.

  void declare(config::Section& section);
  friend bool operator==(const DataConfig&, const DataConfig&) = default;
};

}  // namespace superstep::data
