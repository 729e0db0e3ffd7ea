#include "superstep/front_door/run_report.h"

#include <algorithm>
#include <cmath>

#include "superstep/base/floating_point.h"
#include "superstep/cluster/run_folder.h"
#include "superstep/front_door/runs.h"
#include "superstep/io/file.h"
#include "superstep/layers/rbm.h"
#include "superstep/report/drawings.h"
#include "superstep/report/text.h"

namespace superstep::front_door {
namespace {

constexpr size_t kMistakes = 12, kFeaturesOfAMistake = 6, kReconstructions = 16;
constexpr int64_t kFilters = 100, kRowsAtOnce = 1024;

bool is_picture(const data::Schema& schema) { return schema.image.size() == 2; }

report::ImageShape image_of(const data::Schema& schema) {
  return {schema.image[0], schema.image[1]};
}

report::Picture picture_of(const Batch& batch, int64_t r, const data::Schema& schema) {
  const auto row = batch.x.matrix().row(r);
  const auto [height, width] = image_of(schema);
  return report::from_values({row, static_cast<int>(width), static_cast<int>(height)},
                             report::scale_of_rows({row.data(), 1, height * width}));
}

// A row as it was read, for a person: its first features by name.
std::vector<std::pair<std::string, std::string>> features_of(const data::RowSource& source,
                                                             int64_t row) {
  const auto [split, place] = source.index().find(row);
  const data::Records& records = source.data().records(split);
  const auto& names = source.data().schema();
  std::vector<std::pair<std::string, std::string>> features;
  const auto columns = std::min<int64_t>(records.columns, kFeaturesOfAMistake);
  for (int64_t c = 0; c < columns; ++c) {
    features.emplace_back(names.name(c), report::number_text(records.value(place, c)));
  }
  return features;
}

// Calls f(batch, answers) for all rows, some at a time.
template <class F>
void for_answers(const models::Model& model, const Rows& rows, F f) {
  const FloatingPointScope floating_point;
  models::Predictor predictor(model);
  Batch batch;
  const std::span<const int64_t> numbers = rows.numbers;
  for (size_t begin = 0; begin < numbers.size(); begin += kRowsAtOnce) {
    const size_t count = std::min<size_t>(kRowsAtOnce, numbers.size() - begin);
    // A picture is drawn of what is written out.
    rows.source->read_as(is_picture(model.schema()) ? Form::kDense : model.form(),
                         numbers.subspan(begin, count), batch);
    f(batch, predictor.predict(batch.features()));
  }
}

// The rows most surely taken for another class.
std::vector<report::Mistake> worst_mistakes(const models::Model& model, const Rows& rows) {
  const auto& classes = model.target().classes;
  std::vector<report::Mistake> worst;
  for_answers(model, rows, [&](const Batch& batch, ConstMatrix p) {
    for (int64_t r = 0; r < p.rows; ++r) {
      const auto row = p.row(r);
      const auto said = std::max_element(row.begin(), row.end()) - row.begin();
      const auto truth = batch.labels[static_cast<size_t>(r)];
      if (said == truth) continue;
      report::Mistake mistake{.row = batch.row_numbers[static_cast<size_t>(r)],
                              .truth = classes.name(truth),
                              .predicted = classes.name(said),
                              .probability = static_cast<double>(row[static_cast<size_t>(said)]),
                              .picture = {},
                              .features = {}};
      if (is_picture(model.schema())) mistake.picture = picture_of(batch, r, model.schema());
      worst.push_back(std::move(mistake));
    }
    std::ranges::stable_sort(worst, std::greater{}, &report::Mistake::probability);
    if (worst.size() > kMistakes) worst.resize(kMistakes);
  });
  if (!is_picture(model.schema()))
    for (auto& mistake : worst) mistake.features = features_of(*rows.source, mistake.row);
  return worst;
}

report::Chart predicted_against_true(const models::Model& model, const Rows& rows) {
  const auto& target = model.target();
  std::vector<double> truth, predicted;
  for_answers(model, rows, [&](const Batch& batch, ConstMatrix y) {
    for (int64_t r = 0; r < y.rows; ++r) {
      truth.push_back(static_cast<double>(batch.targets.matrix().row(r)[0]) * target.deviation +
                      target.mean);
      predicted.push_back(static_cast<double>(y.row(r)[0]));
    }
  });
  return report::scatter("Predicted against true", truth, predicted);
}

report::Confusion confusion_of(const training::Metrics& metrics) {
  const auto n = static_cast<int64_t>(metrics.class_names.size());
  report::Confusion confusion{.names = metrics.class_names, .counts = {}};
  for (int64_t c = 0; c < n; ++c)
    confusion.counts.emplace_back(metrics.confusion.begin() + c * n,
                                  metrics.confusion.begin() + (c + 1) * n);
  return confusion;
}

report::Gallery filters(const models::Model& model) {
  // A filter is a column of the first layer's weights: what one hidden unit looks for.
  const ConstMatrix w = model.params().matrix(0);
  report::Gallery gallery{
      .title = "First-layer filters",
      .caption = fmt::format(
          "The weights from the pixels to {} of the {} units of the first layer: red raises a "
          "unit's activity, blue lowers it. Pale ones and mere noise have learnt little.",
          std::min(w.cols, kFilters), w.cols),
      .items = {},
      .zoom = 0};
  gallery.items.push_back(
      {report::filter_sheet(w, image_of(model.schema()), {.units = kFilters, .columns = 20}),
       "filters"});
  return gallery;
}

report::Gallery reconstructions(const models::Model& model, const Rows& rows) {
  const FloatingPointScope floating_point;
  Batch batch;
  const std::span<const int64_t> numbers = rows.numbers;
  rows.source->read(numbers.first(std::min(kReconstructions, numbers.size())), batch);
  const ConstMatrix x = batch.x.matrix();
  models::Predictor predictor(model);
  const Matrix y = predictor.reconstruct(x);
  const report::ImageShape image = image_of(model.schema());
  const report::Scale scale = report::scale_of_rows(x);
  const report::Picture rows_of_pictures[] = {
      report::row_sheet(x, image, scale, static_cast<int>(x.rows)),
      report::row_sheet(y, image, scale, static_cast<int>(x.rows))};
  report::Gallery gallery{
      .title = "Reconstructions",
      .caption =
          std::string("Above, held-out rows; below, what the first layer makes of each, going up "
                      "to its hidden units and down again.") +
          (model.loss() && !model.config().generative
               ? " Finetuning did not ask it for that: Over training shows what it could do before."
               : ""),
      .items = {},
      .zoom = 0};
  gallery.items.push_back(
      {report::tile(rows_of_pictures, {.columns = 1, .gap = 0}), "reconstructions"});
  return gallery;
}

std::string rows_text(const Prepared& prepared) {
  const std::string name = prepared.judged_name();
  return name == "test" ? "test rows" : name == "valid" ? "rows to choose by" : "training rows";
}

}  // namespace

std::vector<report::Gallery> galleries(const models::Model& model, const Rows& rows) {
  std::vector<report::Gallery> all;
  if (!is_picture(model.schema())) return all;
  all.push_back(filters(model));
  // A machine that has the label beside the pixels (layers::LabelRbm) is not asked.
  const bool machine = dynamic_cast<const layers::Rbm*>(&model.network().layer(0)) != nullptr;
  if (machine && !rows.empty()) all.push_back(reconstructions(model, rows));
  return all;
}

std::string write_report(const Job& job, const Prepared& prepared, const TrainResult& result) {
  using report::with_commas;
  const models::Model& model = *prepared.model;
  const training::Metrics& metrics = result.metrics;
  report::ReportInput input;
  input.title = job.job.name;
  const std::string rows = fmt::format("{} {}", with_commas(metrics.rows), rows_text(prepared));
  const std::string best = result.best_epoch > 0 && job.finetune.keep_best
                               ? fmt::format("; the weights of epoch {} of {} were kept",
                                             result.best_epoch, result.epochs)
                               : "";
  if (metrics.error) {
    input.figure = report::percent_text(*metrics.error);
    input.answer = fmt::format("error on {}{}", rows, best);
  } else if (metrics.rmse) {
    input.figure = report::number_text(*metrics.rmse);
    input.answer = fmt::format("root mean squared error on {} (r2 {}){}", rows,
                               report::number_text(*metrics.r2), best);
  } else {
    input.figure = report::number_text(metrics.loss);
    input.answer = fmt::format("squared error of a row's reconstruction, on {}", rows);
  }
  const DataSummary& data = prepared.summary;
  input.facts = {
      {"model", fmt::format("{} {}, {} numbers", job.model.kind, model.network().describe(),
                            with_commas(model.network().layout()->count()))},
      {"rows",
       fmt::format("{} to learn from, {} to choose by, {} to test", with_commas(data.train_rows),
                   with_commas(data.valid_rows), with_commas(data.test_rows))},
      {"columns", with_commas(data.columns)},
      {"replicas", job.reduce.replicas == 1
                       ? "1"
                       : fmt::format("{}, averaged every {} minibatches", job.reduce.replicas,
                                     job.reduce.local_steps)},
      {"model file", fmt::format("{}, sha256 {}", kModelFile, result.sha256)},
      {"reproducible", result.reproducible ? "yes" : "no"}};
  if (data.bad_records)
    input.facts.emplace_back("bad records",
                             fmt::format("{} skipped", with_commas(data.bad_records)));
  input.metrics = report::read_metrics_file((std::string(result.run) + "/metrics.jsonl"));
  if (metrics.error) {
    input.confusion = confusion_of(metrics);
    input.mistakes = worst_mistakes(model, prepared.judged());
  } else if (metrics.rmse) {
    input.charts.push_back(predicted_against_true(model, prepared.judged()));
  }
  input.galleries = galleries(model, prepared.judged());
  const std::string pictures = fmt::format("{}/{}", result.run, kPictureFolder);
  input.over_training = report::read_over_training(pictures);
  for (const auto& [name, picture] : report::strips(input.over_training))
    io::write_file(fmt::format("{}/{}", pictures, name), report::encode_png(picture));
  for (const auto& row : job.document.describe())
    if (!row.value.empty() && row.value != "\"\"" && row.value != "[]")
      input.config.emplace_back(row.key, row.value);
  input.repeat = fmt::format("superstep verify {}", result.run);
  const std::string path = fmt::format("{}/{}", result.run, kReportFile);
  io::write_file(path, report::render_html(input));
  return path;
}

}  // namespace superstep::front_door
