#include "superstep/models/config.h"

#include "superstep/base/error.h"

namespace superstep::models {

void ModelConfig::declare(config::Section& section) {
  section.choice("kind", kind,
                 "What is trained: logistic and linear have no hidden layer; mlp is trained by "
                 "backpropagation alone; rbm is one restricted Boltzmann machine; dbn is a stack of "
                 "them with an output layer, pretrained one after another and then finetuned whole.",
                 {kKinds.begin(), kKinds.end()});
  section.choice("task", task,
                 "classify: the label is a class; regress: it is a number. Worked out from the "
                 "labels when not set.",
                 {"classify", "regress"});
  section.integers("hidden", hidden, "Units of each hidden layer, from the data upwards.",
                   {.min = 1, .max = kMostUnits});
  section.choice("activation", activation,
                 "Nonlinearity of an mlp's hidden layers (those of an rbm or dbn are sigmoid).",
                 {"relu", "sigmoid", "tanh"});
  section.choice("visible", visible,
                 "Visible units of the first restricted Boltzmann machine: binary for values from 0 "
                 "to 1, gaussian for standardised ones.",
                 {"binary", "gaussian"});
}

void ModelConfig::complete() {
  const bool flat = kind == "logistic" || kind == "linear";
  if (flat && !hidden.empty())
    throw ConfigError("model.hidden: a {} model has no hidden layers, got {} of them; use mlp or dbn",
                      kind, hidden.size());
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
  if (!flat && hidden.empty()) hidden = kind == "dbn" ? std::vector<int64_t>{256, 128}
                                                      : std::vector<int64_t>{128};
}

}  // namespace superstep::models
