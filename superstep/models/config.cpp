#include "superstep/models/config.h"

#include "superstep/base/error.h"

namespace superstep::models {

void ModelConfig::declare(config::Section& section) {
  section.choice(
      "kind", kind,
      "What is trained: logistic and linear have no hidden layer; mlp is trained by "
      "backpropagation alone; rbm is one restricted Boltzmann machine; dbn is a stack of "
      "them with an output layer, pretrained one after another and then finetuned whole.",
      {kKinds.begin(), kKinds.end()});
  section.choice(
      "task", task,
      "classify: the label is a class; regress: it is a number; none: nothing is learned "
      "but the rows, as by a dbn that is only pretrained. Worked out from the labels when "
      "not set.",
      {"classify", "regress", kNoTask});
  section.integers("hidden", hidden, "Units of each hidden layer, from the data upwards.",
                   {.min = 1, .max = kMostUnits});
  section.choice("activation", activation,
                 "Nonlinearity of an mlp's hidden layers (those of an rbm or dbn are sigmoid).",
                 {"relu", "sigmoid", "tanh"});
  section.choice(
      "visible", visible,
      "Visible units of the first restricted Boltzmann machine: binary for values from 0 "
      "to 1, gaussian for standardised ones, linear for these without noise, softmax for "
      "one choice among all columns, or counts of choices.",
      {"binary", "gaussian", "linear", "softmax"});
  section.choice(
      "hidden_units", hidden_units,
      "Hidden units of restricted Boltzmann machines: binary, rectified (noisy rectified "
      "linear), gaussian, or softmax (one of all).",
      {"binary", "rectified", "gaussian", "softmax"});
  section.flag("generative", generative,
               "Of a dbn that classifies: the uppermost machine has the label beside its features, "
               "so the net can draw samples of a class.");
  section.text(
      "start", start,
      "A model file to go on from: its tensors where names and shapes are the same, and its "
      "scaling. Empty: start anew.",
      {.effect = config::kRun});
}

void ModelConfig::complete() {
  const bool flat = kind == "logistic" || kind == "linear";
  if (flat && !hidden.empty())
    throw ConfigError(
        "model.hidden: a {} model has no hidden layers, got {} of them; use mlp or dbn", kind,
        hidden.size());
  if (kind == "rbm" && hidden.size() > 1)
    throw ConfigError("model.hidden: an rbm has one hidden layer, got {}; use dbn", hidden.size());
  if (kind == "logistic") {
    if (task.value_or("classify") != "classify")
      throw ConfigError("model.task: logistic classifies; for numbers use linear or mlp");
    task = "classify";
  }
  if (kind == "linear") {
    if (task.value_or("regress") != "regress")
      throw ConfigError("model.task: linear regresses; for classes use logistic, mlp or dbn");
    task = "regress";
  }
  if (generative && kind != "dbn")
    throw ConfigError("model.generative: only a dbn is generative, not a {} model", kind);
  if (generative && (visible != "binary" || hidden_units != "binary"))
    throw ConfigError("model.generative: a generative dbn has binary units, got {} and {}", visible,
                      hidden_units);
  if (generative && task.value_or("classify") == "regress")
    throw ConfigError("model.generative: a generative dbn classifies, it learns no number");
  if (!flat && hidden.empty())
    hidden = kind == "dbn" ? std::vector<int64_t>{256, 128} : std::vector<int64_t>{128};
}

}  // namespace superstep::models
