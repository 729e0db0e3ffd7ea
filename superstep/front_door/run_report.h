// report.html of a run, and the pictures in it.
#pragma once

#include <string>
#include <vector>

#include "superstep/front_door/prepare.h"
#include "superstep/report/report.h"

namespace superstep::front_door {

/// Writes report.html into the run's folder and returns its path.
std::string write_report(const Job& job, const Prepared& prepared, const TrainResult& result);

/// What a model's pictures are: titles, captions, pictures. Empty where rows are no pictures.
/// `rows` (may be empty) are reconstructed beside their originals where the model can.
std::vector<report::Gallery> galleries(const models::Model& model, const Rows& rows);

}  // namespace superstep::front_door
