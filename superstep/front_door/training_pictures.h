// Pictures of a net while it trains, drawn at the ends of some epochs into the run's folder
// (report/snapshots.h says which and what).
#pragma once

#include <string>

#include "superstep/front_door/prepare.h"
#include "superstep/report/snapshots.h"

namespace superstep::front_door {

class TrainingPictures {
 public:
  /// `prepared` must outlive it.
  TrainingPictures(const Prepared& prepared, std::string folder);

  /// Phase `phase` has ended epoch `epoch`, counted from 1, with these tensors (the network's come
  /// first).
  void draw(const std::string& phase, int64_t epoch, bool last, const ParamSet& tensors);

 private:
  void draw_pretraining(int layer, report::EpochView view, const ParamSet& tensors);
  void draw_finetuning(report::EpochView view, const ParamSet& tensors);

  const Prepared& prepared_;
  report::Snapshots snapshots_;
  report::ImageShape image_;
  Batch rows_;  // the same at every epoch
};

/// Samples of classes into options.out/samples.png, a row a class, where the network can draw them
/// and rows are pictures; returns the path, or "". ConfigError where classes are asked for that it
/// cannot draw.
std::string draw_samples(const models::Model& model, const RenderOptions& options);

}  // namespace superstep::front_door
