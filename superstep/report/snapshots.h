// Pictures of a network while it learns: called at the ends of epochs, it draws some of them.
//
//   Snapshots snapshots("runs/digits/1/pictures");
//   if (Snapshots::wanted(epoch, last))           // before the work of making the views
//     snapshots.draw({.phase = "pretrain.0", .epoch = epoch, .last = last, .image = {28, 28},
//                     .originals = v, .reconstructions = v_again,
//                     .layers = {{.weight = w, .bias = c, .visible_bias = b, .hidden = h,
//                                 .sees_image = true}}});
//   snapshots.draw_samples({.image = {28, 28}, .rows = samples, .classes = {"0", "1"}});
//
// The folder then holds, for each drawn epoch of a phase (docs/pictures.md shows them):
//
//   pretrain.0.epoch-0005.json                  what was drawn; counts of weights and biases
//   filters.pretrain.0.epoch-0005.png           weights from the image to the first 12 units
//   reconstructions.pretrain.0.epoch-0005.png   of up to 12 rows; originals.pretrain.0.png above
//   them hidden.pretrain.0.epoch-0005.png            up to 48 rows x 256 hidden units
//   hinton.pretrain.0.epoch-0005.png            a weight matrix of at most 40 x 40
//
// A layer with a name has it in its files: hidden.finetune.layer-2.epoch-0005.png. The same views
// give the same files, so a run that was killed and resumed writes again what it wrote before. The
// files are whole or not there (io::AtomicFile). over_training.h reads them back for the report.
//
// Limits: images have one channel. Those larger than 48 pixels a side are averaged down.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "superstep/tensor/tensor.h"

namespace superstep::report {

/// Height and width of the picture that a row is; 0 x 0: rows are no pictures.
struct ImageShape {
  int64_t height = 0, width = 0;
  [[nodiscard]] int64_t pixels() const { return height * width; }
};

/// A layer as it stands. What is left empty is not drawn.
struct LayerView {
  /// Tells the layers of a phase apart: "layer 1", from 1. Letters, digits, spaces, dots, hyphens.
  /// Empty where the phase has one layer and says which.
  std::string name{};
  ConstMatrix weight{};                   ///< (inputs, units): a column is what one unit looks for.
  std::span<const float> bias{};          ///< (units).
  std::span<const float> visible_bias{};  ///< (inputs), of a restricted Boltzmann machine.
  ConstMatrix hidden{};                   ///< (rows, units): activations for the example rows.
  bool sees_image = false;                ///< The inputs are the image's pixels: draw filters.
};

struct EpochView {
  std::string phase{};            ///< "pretrain.0", "finetune".
  int64_t epoch = 1;              ///< The epoch that ended, from 1.
  bool last = false;              ///< Of the phase.
  ImageShape image{};             ///< Of originals, reconstructions and filters.
  ConstMatrix originals{};        ///< (rows, pixels): the same rows at every epoch of a phase.
  ConstMatrix reconstructions{};  ///< (rows, pixels), in the originals' scale.
  std::vector<LayerView> layers{};
};

/// Rows that a generative model drew for each class.
struct SamplesView {
  ImageShape image{};
  ConstMatrix rows{};                  ///< (classes * n, pixels): n rows a class, class by class.
  std::vector<std::string> classes{};  ///< Their names.
};

class Snapshots {
 public:
  /// The folder is made when the first picture is drawn.
  explicit Snapshots(std::string folder) : folder_(std::move(folder)) {}

  /// Epochs 1, 2, 3, 5, 10, 20, 50, 100, 200, 500 ... and the last: about ten a phase.
  [[nodiscard]] static bool wanted(int64_t epoch, bool last);

  /// Writes the pictures of an epoch that is wanted; of another one nothing. Numbers that are not
  /// finite are left out of the counts and drawn as 0. Throws DataError where sizes do not go
  /// together or a name cannot be a file's, FileError where a file cannot be written.
  void draw(const EpochView& view) const;

  /// Writes samples.png, a row a class, and samples.json. Throws as draw().
  void draw_samples(const SamplesView& view) const;

 private:
  std::string folder_;
};

}  // namespace superstep::report
