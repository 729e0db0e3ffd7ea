// What a person sees of a training in a terminal.
#pragma once

#include <ostream>
#include <string>

#include "superstep/report/text.h"
#include "superstep/superstep.h"

namespace superstep::cli {

class TrainingView : public TrainListener {
 public:
  TrainingView(std::ostream& out, report::ProgressStyle style) : printer_(out, style) {}

  void on_data(const DataSummary& data) override;
  void on_model(const ModelSummary& model) override;
  void on_phase(const std::string& phase, int64_t epochs) override;
  void on_round(const cluster::RoundDone& done) override;
  /// The last lines: where the model and the report are, and what to do next.
  void finished(const TrainResult& result);

 private:
  void end_phase();

  report::ProgressPrinter printer_;
  std::string phase_, text_;
  int64_t epochs_ = 0;
};

}  // namespace superstep::cli
