#include "superstep/front_door/prepare.h"

namespace superstep {

training::Metrics evaluate(const std::string& model_or_run, const EvaluateOptions& options) {
  const auto model = models::Model::load(find_model(model_or_run));
  data::DataConfig config;
  config.label = options.label;  // where it is not named, it is the column of training
  const auto rows = front_door::open_rows(model, {.rows = options.data, .labels = {}}, config);
  if (model.loss() && !rows.source->data().schema().has_label())
    throw DataError(
        "{}: to evaluate, the data must hold the label '{}'; for answers without it use predict",
        options.data, model.target().label);
  return front_door::evaluate_rows(model, rows,
                                   options.lanes ? options.lanes : engines::default_lanes());
}

}  // namespace superstep
