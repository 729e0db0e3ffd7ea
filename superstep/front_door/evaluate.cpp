#include "superstep/front_door/prepare.h"
#include "superstep/front_door/properties_job.h"

namespace superstep {

training::Metrics evaluate(const std::string& model_or_run, const EvaluateOptions& options) {
  if (is_properties(model_or_run)) {
    const ScoredPlaces places = places_to_score(model_or_run);
    EvaluateOptions of_job = options;
    if (of_job.data.empty()) of_job.data = places.data;
    return evaluate(places.model, of_job);
  }
  if (options.data.empty()) throw ConfigError("evaluate {}: no data are named", model_or_run);
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
