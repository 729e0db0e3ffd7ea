#include "superstep/front_door/prepare.h"

#include <algorithm>
#include <numeric>

#include "superstep/data/dealing.h"
#include "superstep/data/formats/number.h"
#include "superstep/engines/local.h"
#include "superstep/training/evaluate_program.h"
#include "superstep/training/fit.h"

namespace superstep::front_door {
namespace {

// What data.scale = "infer" becomes for a model: a binary machine takes its inputs for
// probabilities, a Gaussian one for values of unit variance.
std::string scale_for(const models::ModelConfig& model, const std::string& scale) {
  if (scale != "infer" || !model.pretrained()) return scale;
  return model.visible == "binary" ? "minmax" : "standardise";
}

training::Fitted fit(const Job& job, std::shared_ptr<const data::DataSet> rows,
                     std::function<bool(int64_t)> training) {
  const models::ModelConfig& model = job.model;
  const training::FitProgram program(
      std::move(rows), {.task = model.has_output() ? model.task.value_or("infer") : "none",
                        .scale = scale_for(model, job.data.scale),
                        .threshold = job.data.threshold,
                        .training = std::move(training)});
  return program.result(engines::run_local(program, lanes_of(job), {}).run.state);
}

// The schema of the rows, with the axes that the job gives them.
data::Schema schema_of(const data::DataSet& rows, const data::DataConfig& config) {
  data::Schema schema = rows.schema();
  if (config.image.empty()) return schema;
  if (config.image.size() != 2)
    throw ConfigError("data.image: {} numbers, wanted two: height, width", config.image.size());
  if (config.image[0] * config.image[1] != schema.columns)
    throw ConfigError("data.image: {} x {} is {} values, but the rows of {} have {}",
                      config.image[0], config.image[1], config.image[0] * config.image[1],
                      rows.file(0), schema.columns);
  schema.image = config.image;
  return schema;
}

bool is_set(const Job& job, std::string_view key) {
  const auto rows = job.document.describe();
  const auto row = std::ranges::find(rows, key, &config::Document::Row::key);
  return row != rows.end() && row->origin != "built-in";
}

bool many_numbers(const data::ClassList& classes) {
  constexpr int64_t kMany = 10;
  const auto& names = classes.names();
  return classes.size() > kMany && std::ranges::all_of(names, [](const std::string& name) {
           return data::parse_number(name).has_value();
         });
}

}  // namespace

int lanes_of(const Job& job) {
  return job.engine.workers == 0 ? engines::default_lanes() : static_cast<int>(job.engine.workers);
}

const Rows& Prepared::judged() const {
  return !test.empty() ? test : !valid.empty() ? valid : train;
}

const char* Prepared::judged_name() const {
  return !test.empty() ? "test" : !valid.empty() ? "valid" : "train";
}

Rows open_rows(const models::Model& model, const config::Location& location,
               const data::DataConfig& config, Labels labels) {
  auto rows = data::DataSet::open(location, config, &model.schema());
  auto index = data::RowIndex::of(*rows);
  std::vector<int64_t> numbers(static_cast<size_t>(index.rows));
  std::iota(numbers.begin(), numbers.end(), int64_t{0});
  return {
      std::make_shared<data::RowSource>(std::move(rows), std::move(index), model.scaling(),
                                        labels == Labels::kRead ? model.target() : data::Target{}),
      std::move(numbers)};
}

training::Metrics evaluate_rows(const models::Model& model, const Rows& rows, int lanes) {
  const training::EvaluateProgram program(model, *rows.source, rows.numbers);
  return program.result(engines::run_local(program, lanes, {}).run.state);
}

Prepared prepare(Job& job) {
  if (job.data.train.empty())
    throw ConfigError(
        "data.train: no data to learn from; set it in the job, or by --set data.train=");
  job.model.complete();
  job.pretrain.complete(job.model);

  const auto seed = static_cast<uint64_t>(job.job.seed);
  const double test_fraction = job.data.test.empty() ? job.data.test_fraction : 0;
  const double valid_fraction = job.data.valid.empty() ? job.data.valid_fraction : 0;
  const auto role = [=](int64_t row) {
    return data::role_of(seed, row, valid_fraction, test_fraction);
  };

  auto rows = data::DataSet::open(job.data.train, job.data);
  const auto fitted = fit(job, rows, [=](int64_t row) { return role(row) == data::Role::kTrain; });
  const bool task_is_open = !job.model.task;
  if (job.model.has_output() && fitted.target.task != data::Task::kNone)
    job.model.task = fitted.target.task == data::Task::kClassify ? "classify" : "regress";
  job.finetune.complete(job.model);

  Prepared prepared;
  prepared.model =
      std::make_unique<models::Model>(models::Model::Parts{.config = job.model,
                                                           .schema = schema_of(*rows, job.data),
                                                           .scaling = fitted.scaling,
                                                           .target = fitted.target});
  const auto source =
      std::make_shared<data::RowSource>(rows, fitted.index, fitted.scaling, fitted.target);
  prepared.train.source = prepared.valid.source = prepared.test.source = source;
  for (int64_t row = 0; row < fitted.index.rows; ++row) {
    const auto of = role(row);
    (of == data::Role::kTrain   ? prepared.train
     : of == data::Role::kValid ? prepared.valid
                                : prepared.test)
        .numbers.push_back(row);
  }
  if (!job.data.valid.empty())
    prepared.valid = open_rows(*prepared.model, job.data.valid, job.data);
  if (!job.data.test.empty()) prepared.test = open_rows(*prepared.model, job.data.test, job.data);
  // Among so few rows the luckiest epoch is hardly the best: over 30 splits of sonar, with 17 rows
  // to choose by, keeping it cost 3.7 points of error against the last.
  constexpr size_t kFewestToChooseBy = 30;
  if (prepared.valid.numbers.size() < kFewestToChooseBy && !is_set(job, "finetune.keep_best"))
    job.finetune.keep_best = false;
  if (prepared.train.empty())
    throw ConfigError(
        "no rows to learn from: {} in all, of which {} are held out; lower data.valid_fraction or "
        "data.test_fraction",
        fitted.index.rows, prepared.valid.numbers.size() + prepared.test.numbers.size());

  prepared.summary = {.train_rows = static_cast<int64_t>(prepared.train.numbers.size()),
                      .valid_rows = static_cast<int64_t>(prepared.valid.numbers.size()),
                      .test_rows = static_cast<int64_t>(prepared.test.numbers.size()),
                      .bad_records = fitted.index.bad,
                      .columns = rows->schema().columns,
                      .classes = fitted.target.classes.size(),
                      .classes_may_be_numbers = task_is_open && many_numbers(fitted.target.classes),
                      .valid_from_train = job.data.valid.empty(),
                      .test_from_train = job.data.test.empty()};
  ByteWriter identity;
  identity.put_string(fitted.index.to_bytes());
  identity.put_string(fitted.scaling.to_bytes());
  identity.put_string(fitted.target.to_bytes());
  identity.put(rows->file_bytes());
  prepared.identity = std::move(identity).take();
  return prepared;
}

}  // namespace superstep::front_door
