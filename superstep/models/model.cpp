#include "superstep/models/model.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "superstep/io/safetensors.h"
#include "superstep/io/stream.h"
#include "superstep/io/write.h"
#include "superstep/kernels/sparse.h"
#include "superstep/layers/rbm.h"

namespace superstep::models {
namespace {

constexpr std::string_view kFormatName = "superstep";
constexpr int kFormatVersion = 1;
constexpr const char* kFormatKey = "format";
constexpr const char* kConfigKey = "config";
constexpr int64_t kMostColumns = int64_t{1} << 31;

std::string config_json(const ModelConfig& config, Form form) {
  nlohmann::ordered_json json = {{"kind", config.kind},
                                 {"hidden", config.hidden},
                                 {"activation", config.activation},
                                 {"visible", config.visible},
                                 {"hidden_units", config.hidden_units},
                                 {"generative", config.generative},
                                 {"output", config.has_output()}};
  if (form == Form::kSparse) json["sparse"] = true;
  return json.dump();
}

// A file may say anything: all that sizes are worked out from is checked before they are.
void check_config(const ModelConfig& config, const std::string& name) {
  if (std::ranges::find(kKinds, config.kind) == kKinds.end())
    throw DataError("{}: a model of kind '{}', wanted one of {}", name, config.kind,
                    fmt::join(kKinds, ", "));
  for (const int64_t units : config.hidden)
    if (units < 1 || units > kMostUnits)
      throw DataError("{}: a hidden layer of {} units, wanted 1 to {}", name, units, kMostUnits);
  // A network has a layer, and the uppermost hidden one of a generative net knows the label.
  if (config.hidden.empty() && (config.generative || !config.has_output()))
    throw DataError("{}: a {} model without hidden layers", name, config.kind);
}

void check_data(const data::Schema& schema, const data::Scaling& scaling, const std::string& name) {
  if (schema.columns > kMostColumns)
    throw DataError("{}: {} columns, wanted at most {}", name, schema.columns, kMostColumns);
  if (scaling.columns() != schema.columns)
    throw DataError("{}: the scaling of {} columns, but there are {}", name, scaling.columns(),
                    schema.columns);
  if (schema.image.empty()) return;
  int64_t pixels = 1;
  for (const int64_t axis : schema.image)
    if (__builtin_mul_overflow(pixels, axis, &pixels)) pixels = 0;
  if (pixels != schema.columns)
    throw DataError("{}: pictures of {} values, but there are {} columns", name,
                    fmt::join(schema.image, " x "), schema.columns);
}

// Into parts.config and parts.form.
void read_config(const std::string& text, const std::string& name, Model::Parts& parts) {
  try {
    const auto json = nlohmann::json::parse(text);
    ModelConfig& config = parts.config;
    parts.form = json.value("sparse", false) ? Form::kSparse : Form::kDense;
    config.kind = json.at("kind");
    config.hidden = json.at("hidden").get<std::vector<int64_t>>();
    config.activation = json.at("activation");
    config.visible = json.at("visible");
    config.hidden_units = json.value("hidden_units", "binary");
    config.generative = json.value("generative", false);
    if (!json.value("output", true)) config.task = ModelConfig::kNoTask;
    check_config(config, name);
  } catch (const nlohmann::json::exception& error) {
    throw DataError("{}: the model's config is damaged: {}", name, error.what());
  }
}

void check_format(const io::SafeTensors& file, const std::string& name) {
  const auto found = file.metadata.find(kFormatKey);
  int version = 0;
  if (found == file.metadata.end() || !found->second.starts_with(kFormatName) ||
      std::sscanf(found->second.c_str() + kFormatName.size(), " %d", &version) != 1 || version < 1)
    throw DataError("{}: a safetensors file, but no model of Superstep", name);
  if (version > kFormatVersion)
    throw DataError("{}: a model of format {}; this Superstep reads up to {}: take a newer one",
                    name, version, kFormatVersion);
}

const Bytes& blob(const io::SafeTensors& file, const std::string& key, const std::string& name) {
  const auto found = file.blobs.find(key);
  if (found == file.blobs.end()) throw DataError("{}: the model lacks its {}", name, key);
  return found->second;
}

}  // namespace

Model::Model(Parts parts) : Model(std::move(parts), nullptr) {}

Model::Model(Parts parts, const ParamSet* params) : parts_(std::move(parts)) {
  const ModelConfig& config = parts_.config;
  int64_t outputs = 0;
  if (config.has_output()) {
    switch (parts_.target.task) {
      case data::Task::kClassify:
        outputs = parts_.target.classes.size();
        loss_ = std::make_unique<layers::SoftmaxCrossEntropy>();
        break;
      case data::Task::kRegress:
        outputs = 1;
        loss_ = std::make_unique<layers::SquaredError>();
        break;
      case data::Task::kNone:
        throw ConfigError(
            "a {} model learns a label, and the data have none: name its column with --label "
            "(data.label), or train an rbm",
            config.kind);
    }
    if (config.kind == "logistic" && parts_.target.task != data::Task::kClassify)
      throw ConfigError(
          "model.kind = \"logistic\" classifies, but label '{}' is a number: use linear or mlp, or "
          "set model.task = \"classify\"",
          parts_.target.label);
    if (config.kind == "linear" && parts_.target.task != data::Task::kRegress)
      throw ConfigError(
          "model.kind = \"linear\" predicts a number, but label '{}' is a class: use logistic, mlp "
          "or dbn",
          parts_.target.label);
    if (config.generative && parts_.target.task != data::Task::kClassify)
      throw ConfigError("model.generative: label '{}' is a number, wanted a class",
                        parts_.target.label);
  }
  if (config.pretrained() && config.visible == "binary" && !parts_.scaling.unit_interval())
    throw ConfigError(
        "binary visible units want values from 0 to 1: set data.scale = \"minmax\" (or "
        "\"binarise\"), or model.visible = \"gaussian\"");
  network_ = std::make_unique<Network>(make_network(config, parts_.schema.columns, outputs));
  if (!params)
    params_ = ParamSet(network_->layout());
  else if (params->layout().specs() == network_->layout()->specs())
    params_ = *params;
  else
    throw ConfigError("the tensors are not those of its config ({})", network_->describe());
}

void Model::set_params(ParamSet params) {
  SUPERSTEP_ASSERT(params.layout().specs() == network_->layout()->specs());
  params_ = std::move(params);
}

Bytes Model::to_bytes() const {
  io::SafeTensors file;
  file.metadata[kFormatKey] = fmt::format("{} {}", kFormatName, kFormatVersion);
  file.metadata[kConfigKey] = config_json(parts_.config, parts_.form);
  file.tensors = params_;
  file.blobs["schema"] = parts_.schema.to_bytes();
  file.blobs["scaling"] = parts_.scaling.to_bytes();
  file.blobs["target"] = parts_.target.to_bytes();
  return io::to_bytes(file);
}

void Model::save(const std::string& path) const { io::write_file(path, to_bytes()); }

Model Model::load(const std::string& path) { return from_bytes(io::read_file(path), path); }

Model Model::from_bytes(std::string_view bytes, const std::string& name) {
  const io::SafeTensors file = io::from_bytes(bytes, name);
  check_format(file, name);
  const auto config = file.metadata.find(kConfigKey);
  if (config == file.metadata.end()) throw DataError("{}: the model lacks its config", name);
  try {
    Parts parts{.config = {},
                .schema = data::Schema::from_bytes(blob(file, "schema", name), name),
                .scaling = data::Scaling::from_bytes(blob(file, "scaling", name), name),
                .target = data::Target::from_bytes(blob(file, "target", name), name)};
    read_config(config->second, name, parts);
    check_data(parts.schema, parts.scaling, name);
    if (parts.config.hidden.size() > static_cast<size_t>(file.tensors.layout().size()))
      throw DataError("{}: {} hidden layers, but {} tensors", name, parts.config.hidden.size(),
                      file.tensors.layout().size());
    return Model(std::move(parts), &file.tensors);
  } catch (const ConfigError& error) {
    throw DataError("{}: the model is damaged: {}", name, error.what());
  }
}

std::vector<float> Model::predict(std::span<const double> raw) const {
  const auto columns = static_cast<size_t>(parts_.schema.columns);
  if (raw.size() % columns != 0)
    throw DataError("{} numbers are no whole number of rows of {} features", raw.size(), columns);
  const size_t rows = raw.size() / columns;
  Tensor x({static_cast<int64_t>(rows), parts_.schema.columns});
  for (size_t r = 0; r < rows; ++r) {
    const int64_t bad = parts_.scaling.apply(raw.subspan(r * columns, columns),
                                             x.matrix().row(static_cast<int64_t>(r)));
    if (bad >= 0)
      throw DataError("row {}: {} holds {}, wanted a finite number", r, parts_.schema.name(bad),
                      raw[r * columns + static_cast<size_t>(bad)]);
  }
  Predictor predictor(*this);
  const Matrix y = predictor.predict(std::as_const(x).matrix());
  return {y.data, y.data + y.rows * y.cols};
}

Features Predictor::in_form(const Features& x) {
  if (x.is_sparse() == (model_.form() == Form::kSparse)) return x;
  if (x.is_sparse()) {
    dense_.resize(x.shape());
    kernels::to_dense(x.sparse(), dense_.matrix());
    return dense_.matrix();
  }
  kernels::from_dense(x.dense(), sparse_);
  return sparse_;
}

ConstMatrix Predictor::scores(const Features& x) {
  const std::vector<int64_t> no_numbers(static_cast<size_t>(x.rows()));
  const layers::Pass pass{layers::Mode::kEvaluate, RngKey(0), no_numbers, context_};
  return model_.network().forward(*params_, in_form(x), work_, pass);
}

Matrix Predictor::predict(const Features& x) {
  const ConstMatrix z = scores(x);
  out_.resize({z.rows, z.cols});
  const Matrix y = out_.matrix();
  std::copy(z.data, z.data + z.rows * z.cols, y.data);
  if (model_.loss()) model_.loss()->predict(y);
  const data::Target& target = model_.target();
  if (model_.loss() && target.task == data::Task::kRegress)
    for (int64_t r = 0; r < y.rows; ++r)
      y.row(r)[0] = static_cast<float>(y.row(r)[0] * target.deviation + target.mean);
  return y;
}

Matrix Predictor::reconstruct(const Features& x) {
  SUPERSTEP_ASSERT(model_.config().pretrained());
  const auto& rbm = static_cast<const layers::Rbm&>(model_.network().layer(0));
  hidden_.resize({x.rows(), rbm.outputs()});
  out_.resize({x.rows(), rbm.inputs()});
  rbm.hidden_mean(*params_, 0, in_form(x), hidden_.matrix(), context_);
  std::vector<float> totals(static_cast<size_t>(x.rows()));
  layers::row_totals(x, totals);
  rbm.visible_mean(*params_, 0, std::as_const(hidden_).matrix(), out_.matrix(), context_, totals);
  return out_.matrix();
}

}  // namespace superstep::models
