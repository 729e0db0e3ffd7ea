#include "superstep/front_door/properties_keys.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "superstep/config/value.h"
#include "superstep/data/formats/number.h"

namespace superstep::front_door {
namespace {

using config::Value;

int64_t integer(std::string_view text, const char* wanted) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) throw Unreadable(wanted);
  return number;
}

std::string whole(std::string_view value) {
  return config::to_toml(integer(trimmed(value), "a whole number"));
}

// A pass of a DBN gave every minibatch up to 100 steps of conjugate gradients. Here a minibatch
// gets one step an epoch; ten times as many come as far (docs/properties.md has figures).
std::string dbn_passes(std::string_view value) {
  constexpr int64_t kEpochsOfAPass = 10, kMost = 100'000;
  constexpr const char* kWanted = "a whole number, 0 to 100000";
  const int64_t passes = integer(trimmed(value), kWanted);
  if (passes < 0 || passes > kMost) throw Unreadable(kWanted);
  return config::to_toml(passes * kEpochsOfAPass);
}

double real(std::string_view value) {
  const auto number = data::parse_number(trimmed(value));
  if (!number) throw Unreadable("a number");
  return *number;
}

std::string number(std::string_view value) { return config::to_toml(real(value)); }

// The step that Mahout's rule begins with: rate x (t + stepOffset)^-decayExponent at t = 0, with
// the 1000 and 0.9 that KnittingBoar and Metronome fixed.
std::string mahout_rate(std::string_view value) {
  return config::to_toml(real(value) * std::pow(1000, -0.9));
}

bool is_true(std::string_view value) {
  std::string text(trimmed(value));
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (text != "true" && text != "false") throw Unreadable("true or false");
  return text == "true";
}

std::string flag(std::string_view value) { return is_true(value) ? "true" : "false"; }

std::string decay_flag(std::string_view value) { return is_true(value) ? "0.0002" : "0.0"; }

std::string adagrad_flag(std::string_view value) {
  return is_true(value) ? R"("adagrad")" : R"("sgd")";
}

std::vector<int64_t> sizes(std::string_view value) {
  constexpr const char* kWanted =
      "whole numbers above 0 with commas between them, as in 500,250,100";
  std::vector<int64_t> numbers;
  for (const std::string& part : old_list(value)) {
    numbers.push_back(integer(part, kWanted));
    if (numbers.back() < 1) throw Unreadable(kWanted);
  }
  return numbers;
}

std::string hidden_sizes(std::string_view value) { return config::to_toml(sizes(value)); }

// Of "784,400,10": inputs, hidden layers, outputs.
std::vector<int64_t> neurons(std::string_view value) {
  std::vector<int64_t> counts = sizes(value);
  if (counts.size() < 2) throw Unreadable("inputs, hidden layers and outputs, as in 784,400,10");
  return counts;
}

std::string inputs_of_counts(std::string_view value) {
  return config::to_toml(neurons(value).front());
}

std::string hidden_of_counts(std::string_view value) {
  const std::vector<int64_t> counts = neurons(value);
  return config::to_toml(std::vector<int64_t>(counts.begin() + 1, counts.end() - 1));
}

// Of "i:784 | o:10".
std::string inputs_of_schema(std::string_view value) {
  constexpr const char* kWanted = "inputs and outputs, as in i:784 | o:10";
  const size_t bar = value.find('|');
  const std::string_view inputs = trimmed(value.substr(0, bar));
  if (bar == value.npos || !inputs.starts_with("i:") ||
      !trimmed(value.substr(bar + 1)).starts_with("o:"))
    throw Unreadable(kWanted);
  integer(trimmed(trimmed(value.substr(bar + 1)).substr(2)), kWanted);
  return config::to_toml(integer(trimmed(inputs.substr(2)), kWanted));
}

std::string text(std::string_view value) {
  return trimmed(value).empty() ? "" : config::toml_string(trimmed(value));
}

std::string path(std::string_view value) {
  std::string_view plain = trimmed(value);
  if (plain.starts_with("file://"))
    plain.remove_prefix(7);
  else if (plain.starts_with("file:/"))
    plain.remove_prefix(5);
  return text(plain);
}

// IterativeReduce did the same with blanks; a name is a folder's here.
std::string name(std::string_view value) {
  std::string folder(trimmed(value));
  std::ranges::replace(folder, ' ', '_');
  std::ranges::replace(folder, '/', '_');
  return text(folder);
}

// The JSON of DL4J's MultiLayerConfiguration, of which a few members are known here.
nlohmann::json dl4j(std::string_view value) {
  auto conf = nlohmann::json::parse(value, nullptr, /*allow_exceptions=*/false);
  if (!conf.is_object()) throw Unreadable("a MultiLayerConfiguration in JSON");
  return conf;
}

std::string dl4j_hidden(std::string_view value) {
  const auto conf = dl4j(value);
  if (!conf.contains("hiddenLayerSizes")) return "";
  std::vector<int64_t> hidden;
  for (const auto& size : conf.at("hiddenLayerSizes")) {
    if (!size.is_number_integer() || size.get<int64_t>() < 1)
      throw Unreadable("hiddenLayerSizes of whole numbers above 0");
    hidden.push_back(size.get<int64_t>());
  }
  return config::to_toml(hidden);
}

std::string dl4j_kind(std::string_view value) {
  const auto conf = dl4j(value);
  if (!conf.contains("pretrain")) return R"("dbn")";
  if (!conf.at("pretrain").is_boolean()) throw Unreadable("pretrain to be true or false");
  return conf.at("pretrain").get<bool>() ? R"("dbn")" : R"("mlp")";
}

// A number of the first layer's configuration, which the others of a simple net repeat.
std::string dl4j_number(std::string_view value, const char* member) {
  const auto conf = dl4j(value);
  if (!conf.contains("confs") || !conf.at("confs").is_array() || conf.at("confs").empty())
    return "";
  const auto& first = conf.at("confs").front();
  if (!first.is_object() || !first.contains(member)) return "";
  if (!first.at(member).is_number()) throw Unreadable(std::string(member) + " to be a number");
  return config::to_toml(first.at(member).get<double>());
}

std::string dl4j_rate(std::string_view value) { return dl4j_number(value, "lr"); }
std::string dl4j_momentum(std::string_view value) { return dl4j_number(value, "momentum"); }

constexpr const char* kRuntime = "the package brings its own program and libraries";
constexpr const char* kClasses = "chooses the model, by the name of the class";
constexpr const char* kCounted = "counted in the data";
constexpr const char* kFormat = "a format is known by its content";
constexpr const char* kPhases = "phases end by themselves";
constexpr const char* kNoEffect = "had no effect";

constexpr const char* kDbnConf = "tv.floe.metronome.dbn.conf.";
constexpr const char* kMlpConf = "tv.floe.metronome.neuralnetwork.conf.";
constexpr const char* kBoarSetup = "com.cloudera.knittingboar.setup.";
constexpr const char* kDl4jConf = "org.deeplearning4j.";

constexpr OldKey kKeys[] = {
    {"", "app.name", kOldAll, "job.name", name, "blanks become _"},
    {"", "app.input.path", kOldAll, "data.train", path, "a file, a folder or a glob"},
    {"", "app.output.path", kOldAll, "output.dir", path,
     "the run's folder; the model is a file in it"},
    {"", "app.iteration.count", kOldMlp | kOldRegression, "finetune.epochs", whole,
     "of a DBN ignored: its phases end by themselves"},
    {"", "app.batch.size", kOldAll, "", whole, kNoEffect},
    {"", "app.jar.path", kOldAll, "", nullptr, kRuntime},
    {"", "app.lib.jar.path", kOldAll, "", nullptr, kRuntime},
    {"", "app.classpath.extra", kOldAll, "", nullptr, kRuntime},
    {"", "app.inputformat.classname", kOldAll, "", nullptr, kFormat},
    {"", "iterativereduce.jar.path", kOldAll, "", nullptr, kRuntime},
    {"", "iterativereduce.app.properties", kOldAll, "", nullptr, "this very file"},
    {"", "iterativereduce.allocation.maxattempts", kOldAll, "", whole,
     "the job starts with its first container"},
    {"", "yarn.memory", kOldAll, "engine.memory", whole, "MB of each container"},
    {"", "yarn.master.main", kOldAll, "model.kind", nullptr, kClasses},
    {"", "yarn.worker.main", kOldAll, "model.kind", nullptr, kClasses},
    {"", "yarn.master.args", kOldAll, "", nullptr, kRuntime},
    {"", "yarn.worker.args", kOldAll, "", nullptr, kRuntime},
    {"", "env.*", kOldAll, "", nullptr, kRuntime},

    {kDbnConf, "hiddenLayerSizes", kOldDbn, "model.hidden", hidden_sizes, ""},
    {kDbnConf, "numberInputs", kOldDbn, "data.width", whole, ""},
    {kDbnConf, "numberLabels", kOldDbn, "", whole, kCounted},
    {kDbnConf, "LearningRate", kOldDbn, "pretrain.learning_rate, finetune.learning_rate", number,
     ""},
    {kDbnConf, "batchSize", kOldDbn, "pretrain.batch, finetune.batch", whole, ""},
    {kDbnConf, "pretrain.passes", kOldDbn, "pretrain.epochs", dbn_passes, "10 epochs a pass"},
    {kDbnConf, "finetune.passes", kOldDbn, "finetune.epochs", dbn_passes, "10 epochs a pass"},
    {kDbnConf, "useRegularization", kOldDbn, "pretrain.l2, finetune.l2", decay_flag,
     "true: 0.0002, false: 0"},
    {kDbnConf, "sparsity", kOldDbn, "pretrain.sparsity_target", number, ""},
    {kDbnConf, "momentum", kOldDbn,
     "pretrain.momentum, pretrain.initial_momentum, finetune.momentum", number, ""},
    {kDbnConf, "pretrain.model.path", kOldDbn, "", nullptr, kNoEffect},

    {"", "tv.floe.metronome.evaluate.dataset.path", kOldAll, kForScore, path, "the rows to score"},

    {kMlpConf, "LayerNeuronCounts", kOldMlp, "model.hidden", hidden_of_counts,
     "all but first and last"},
    {kMlpConf, "LayerNeuronCounts", kOldMlp, "data.width", inputs_of_counts, "the first"},
    {kMlpConf, "InputRecordSchema", kOldMlp, "data.width", inputs_of_schema,
     "of i:784 \\| o:10 the 784"},
    {kMlpConf, "LearningRate", kOldMlp, "finetune.learning_rate", number, ""},
    {kMlpConf, "Adagrad.On", kOldMlp, "finetune.optimizer", adagrad_flag,
     "true: adagrad, false: sgd"},
    {kMlpConf, "Adagrad.LearningRate", kOldMlp, "finetune.learning_rate", number,
     "where Adagrad.On is true, in place of LearningRate; else ignored"},
    {kMlpConf, "AdagradLearningRateOn", kOldMlp, "", flag, kNoEffect},
    {kMlpConf, "TrainingErrorThreshold", kOldMlp, "", number,
     "the best epoch is kept (finetune.keep_best, finetune.patience)"},
    {kMlpConf, "StallBusterOn", kOldMlp, "", flag, "finetune.patience ends a stall"},
    {kMlpConf, "stall.maxEpochs", kOldMlp, "", whole, "finetune.patience ends a stall"},
    {kMlpConf, "stall.minErrorDelta", kOldMlp, "", number, "finetune.patience ends a stall"},
    {kMlpConf, "MetricsOn", kOldMlp, "", flag, "metrics.jsonl is always written"},
    {kMlpConf, "RecordFactoryClassname", kOldMlp, "", nullptr, kFormat},
    {kMlpConf, "evaluate.dataset.path", kOldAll, kForScore, path, "the rows to score"},

    {kBoarSetup, "FeatureVectorSize", kOldRegression, "data.width", whole,
     "ignored where the record factory hashes or reads columns (CSV, 20 newsgroups)"},
    {kBoarSetup, "numCategories", kOldRegression, "", whole, kCounted},
    {kBoarSetup, "RecordFactoryClassname", kOldRegression, "", nullptr, kFormat},
    {kBoarSetup, "LearningRate", kOldRegression, "finetune.learning_rate", mahout_rate,
     "times 1000^-0.9 (0.002), with which the step began"},
    {kBoarSetup, "Lambda", kOldRegression, "finetune.l2", number, ""},
    {kBoarSetup, "NumberPasses", kOldRegression, "finetune.epochs", whole,
     "in place of app.iteration.count"},
    {kBoarSetup, "BatchSize", kOldRegression, "finetune.batch", whole, ""},
    {"", "tv.floe.metronome.linearregression.minibatch.size", kOldRegression, "finetune.batch",
     whole, ""},
    {kBoarSetup, "LocalInputSplitPath", kOldRegression, "", nullptr,
     "replicas read their own rows"},
    {kBoarSetup, "TargetVariableName", kOldRegression, kColumns, nullptr, "the label's column"},
    {kBoarSetup, "ColumnHeaderNames", kOldRegression, kColumns, nullptr,
     "the numbers of columns, from 0, in a file without header"},
    {kBoarSetup, "PredictorLabelNames", kOldRegression, kColumns, nullptr,
     "other columns are dropped, where ColumnHeaderNames says which there are"},
    {kBoarSetup, "PredictorVariableTypes", kOldRegression, "", nullptr, "columns are numbers"},

    {kDl4jConf, "scaleout.multilayerconf", kOldDl4j, "model.kind", dl4j_kind,
     "JSON: pretrain false: mlp, else dbn"},
    {kDl4jConf, "scaleout.multilayerconf", kOldDl4j, "model.hidden", dl4j_hidden,
     "hiddenLayerSizes"},
    {kDl4jConf, "scaleout.multilayerconf", kOldDl4j,
     "pretrain.learning_rate, finetune.learning_rate", dl4j_rate, "lr of confs[0]"},
    {kDl4jConf, "scaleout.multilayerconf", kOldDl4j,
     "pretrain.momentum, pretrain.initial_momentum, finetune.momentum", dl4j_momentum,
     "momentum of confs[0]; the other members are not read"},
    {kDl4jConf, "batchSize", kOldDl4j, "pretrain.batch, finetune.batch", whole, ""},
    {kDl4jConf, "features", kOldDl4j, "data.width", whole, ""},
    {kDl4jConf, "numberClasses", kOldDl4j, "", whole, kCounted},
    {kDl4jConf, "iterativereduce.*", kOldAll, "", nullptr, kRuntime},
};

}  // namespace

std::span<const OldKey> old_keys() { return kKeys; }

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\f";
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

std::vector<std::string> old_list(std::string_view value) {
  std::vector<std::string> parts;
  while (true) {
    const size_t comma = value.find(',');
    parts.emplace_back(trimmed(value.substr(0, comma)));
    if (comma == value.npos) return parts;
    value.remove_prefix(comma + 1);
  }
}

}  // namespace superstep::front_door
