// The curves of a run, from its metrics.
//
// A point of a curve is an epoch: the line that closed it (event "epoch", or "phase" for the last
// one). Epochs are counted from 1 here. What is looked for, by name:
//
//   phase "pretrain.L"   loss, the error of the reconstruction: a curve a layer
//   phase "finetune"     loss; and of the rows to choose by: valid_loss, valid_error (a share of
//                        rows), best_epoch (the one that was kept so far, from 1)
#pragma once

#include <span>
#include <string>
#include <vector>

#include "superstep/report/chart.h"
#include "superstep/report/html.h"
#include "superstep/report/metrics.h"

namespace superstep::report {

/// Charts of what the metrics hold: pretraining, loss, error. None for what they do not.
std::vector<Chart> curves(std::span<const MetricLine> metrics);

/// A phase a row: supersteps, seconds, seconds of lanes computing and waiting, share of waiting.
Table time_table(std::span<const MetricLine> metrics);

/// "pretrain.0" -> "pretrain layer 1".
std::string phase_text(const std::string& phase);

}  // namespace superstep::report
