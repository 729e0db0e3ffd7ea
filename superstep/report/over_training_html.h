// The report's sections of pictures: Samples, Over training, Weights, Hidden units.
#pragma once

#include <string>

#include "superstep/report/over_training.h"

namespace superstep::report {

/// <section>s; "" where nothing was drawn. Pictures beyond the first two megabytes are named and
/// not shown, so that the page stays one that a phone opens.
std::string over_training_html(const OverTraining& drawn);

/// The first-layer filters of the drawn epochs alone, without a section around them.
std::string filters_html(const OverTraining& drawn);

}  // namespace superstep::report
