// What Snapshots drew while a network learned, read back: for the report, and as strips, one PNG a
// layer with an epoch a row.
//
//   const OverTraining drawn = read_over_training("runs/digits/1/pictures");
//   for (const auto& [name, picture] : strips(drawn)) write(name, encode_png(picture));
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "superstep/report/drawings.h"
#include "superstep/report/histogram.h"
#include "superstep/report/picture.h"

namespace superstep::report {

struct DrawnLayer {
  std::string name{};  ///< Empty where the phase says which layer it is.
  int64_t inputs = 0, units = 0;
  std::optional<Picture> filters{}, hidden{}, hinton{};
  int64_t hidden_rows = 0;  ///< Rows that the idle units were counted over.
  IdleUnits idle{};
  Histogram weights{}, biases{}, visible_biases{};
};

struct DrawnEpoch {
  std::string phase{};
  int64_t epoch = 0;                                      ///< From 1.
  bool last = false;                                      ///< Of the phase.
  std::optional<Picture> originals{}, reconstructions{};  ///< A row of pictures each; both or none.
  std::vector<DrawnLayer> layers{};
};

struct DrawnSamples {
  Picture sheet;                     ///< A row a class.
  std::vector<std::string> classes;  ///< From the top.
};

struct OverTraining {
  std::vector<DrawnEpoch> epochs{};  ///< By phase, pretraining first; then by epoch.
  std::optional<DrawnSamples> samples{};
};

/// Empty where the folder is not there. Throws FileError where a file of it cannot be read or lacks
/// a picture, DataError where it holds something else than Snapshots writes.
OverTraining read_over_training(const std::string& folder);

/// A layer of a phase over its epochs.
struct LayerCourse {
  std::string phase, layer;
  std::vector<std::pair<int64_t, const DrawnLayer*>> epochs;  ///< In the OverTraining given.
};
std::vector<LayerCourse> courses(const OverTraining& drawn);

/// One range to show the histograms of a course in: `which` is one of DrawnLayer's.
double common_limit(const LayerCourse& course, Histogram DrawnLayer::*which);

/// File names and pictures: filters.pretrain.0.strip.png, likewise reconstructions (below the
/// originals), weights, biases and visible-biases. The rows are the drawn epochs, first above.
std::vector<std::pair<std::string, Picture>> strips(const OverTraining& drawn);

}  // namespace superstep::report
