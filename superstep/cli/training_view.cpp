#include "superstep/cli/training_view.h"

#include <algorithm>
#include <map>

namespace superstep::cli {

using report::with_commas;

void TrainingView::on_data(const DataSummary& data) {
  std::string text = fmt::format("{} rows to learn from", with_commas(data.train_rows));
  if (data.valid_rows) text += fmt::format(", {} to choose by", with_commas(data.valid_rows));
  if (data.unlabelled_rows)
    text += fmt::format(", {} more to pretrain on", with_commas(data.unlabelled_rows));
  if (data.test_rows) text += fmt::format(", {} to test", with_commas(data.test_rows));
  text += fmt::format("; {} columns", with_commas(data.columns));
  if (data.classes) text += fmt::format(", {} classes", with_commas(data.classes));
  printer_.line("data", text);
  if (data.classes_may_be_numbers)
    printer_.line("", "the classes are numbers; to predict a number: --set model.task=regress");
  if (data.sparse && data.nonzeros)
    printer_.line(
        "", fmt::format("{:.1f}% of the values are not zero: the first layer leaves zeros out",
                        100 * *data.nonzeros));
  if (data.bad_records)
    printer_.line("", fmt::format("{} bad records skipped: see bad-records.jsonl",
                                  with_commas(data.bad_records)));
}

void TrainingView::on_model(const ModelSummary& model) {
  printer_.line("model",
                fmt::format("{} {}, {} numbers ({}); {} on {}{}", model.kind, model.shape,
                            with_commas(model.numbers), report::human_bytes(model.numbers * 4),
                            model.replicas == 1 ? std::string("1 replica")
                                                : fmt::format("{} replicas", model.replicas),
                            model.threads == 1 ? std::string("1 thread")
                                               : fmt::format("{} threads", model.threads),
                            model.isa == "auto" ? "" : ", " + model.isa));
  if (model.resumed)
    printer_.line("resume", fmt::format("from superstep {}", with_commas(model.superstep)));
}

void TrainingView::on_phase(const std::string& phase, int64_t epochs) {
  end_phase();
  phase_ = phase;
  epochs_ = epochs;
  text_.clear();
  if (phase.starts_with("pretrain."))
    printer_.begin("pretrain", fmt::format("layer {}", std::stoi(phase.substr(9)) + 1), epochs);
  else
    printer_.begin(phase, "", epochs);
}

void TrainingView::on_round(const cluster::RoundDone& done) {
  if (done.report.event == "superstep") {
    printer_.update(done.round.epoch, text_);
    return;
  }
  std::map<std::string, double> value(done.report.measures.begin(), done.report.measures.end());
  if (phase_.starts_with("pretrain."))
    text_ = fmt::format("reconstruction error {:.4g}", value["loss"]);
  else if (value.contains("valid_error"))
    text_ = fmt::format("error {:.1f}% on the rows to choose by", 100 * value["valid_error"]);
  else if (value.contains("valid_loss"))
    text_ = fmt::format("loss {:.4g} on the rows to choose by", value["valid_loss"]);
  else if (value.contains("error"))
    text_ = fmt::format("error {:.1f}% on the rows to learn from", 100 * value["error"]);
  else
    text_ = fmt::format("loss {:.4g} on the rows to learn from", value["loss"]);
  if (value.contains("best_epoch")) text_ += fmt::format(", best at {}", value["best_epoch"]);
  printer_.update(done.round.epoch + 1, text_);
  if (done.report.event == "phase") end_phase();
}

void TrainingView::end_phase() {
  if (!phase_.empty()) printer_.end(text_);
  phase_.clear();
}

void TrainingView::finished(const TrainResult& result) {
  end_phase();
  printer_.line("model", fmt::format("{}      same bytes on any number of workers: {}..",
                                     result.model, result.sha256.substr(0, 6)));
  printer_.line("look at", result.report);
  printer_.line("next", fmt::format("superstep predict {} --data new.csv", result.run));
}

}  // namespace superstep::cli
