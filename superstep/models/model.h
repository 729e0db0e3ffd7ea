// A trained model, whole: how raw records become rows, the network, what its answers mean. One
// file.
//
//   Model model = Model::load("runs/iris/1/model.safetensors");
//   std::vector<float> p = model.predict(std::vector<double>{5.1, 3.5, 1.4, 0.2});
//   model.target().classes.name(0);                // what p[0] is the probability of
//
// The file is safetensors: the network's tensors, and the config keys, schema, scaling and target
// that inference needs. No path, engine, number of workers, time or build is in it, so equal
// training gives equal bytes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "superstep/data/scaling.h"
#include "superstep/data/schema.h"
#include "superstep/data/target.h"
#include "superstep/layers/loss.h"
#include "superstep/models/config.h"
#include "superstep/models/network.h"

namespace superstep::models {

class Model {
 public:
  struct Parts {
    ModelConfig config;
    data::Schema schema;
    data::Scaling scaling;
    data::Target target;
    /// In which form the lowest layer gets its rows. Part of the model: the products of both forms
    /// differ in their last bits, and an answer shall be the same wherever it is worked out.
    Form form = Form::kDense;
  };
  /// With fresh, empty tensors. Throws ConfigError where config and data do not go together: a
  /// label that is missing, binary visible units for values outside 0 to 1.
  explicit Model(Parts parts);

  /// Throws FileError or DataError: no such file, cut short, no model, of a newer version.
  static Model load(const std::string& path);
  static Model from_bytes(std::string_view bytes, const std::string& name);
  [[nodiscard]] Bytes to_bytes() const;
  /// Whole or not at all (io::AtomicFile).
  void save(const std::string& path) const;

  [[nodiscard]] const ModelConfig& config() const { return parts_.config; }
  [[nodiscard]] const data::Schema& schema() const { return parts_.schema; }
  [[nodiscard]] const data::Scaling& scaling() const { return parts_.scaling; }
  [[nodiscard]] const data::Target& target() const { return parts_.target; }
  [[nodiscard]] Form form() const { return parts_.form; }
  [[nodiscard]] const Network& network() const { return *network_; }
  /// Null where the model has no output layer.
  [[nodiscard]] const layers::Loss* loss() const { return loss_.get(); }
  [[nodiscard]] const ParamSet& params() const { return params_; }
  void set_params(ParamSet params);
  void set_form(Form form) { parts_.form = form; }

  /// Answers for raw records, row after row as the schema has their features: for each row the
  /// probability of every class, or the number, or the hidden units' probabilities. Throws
  /// DataError where the count is no multiple of the features. For speed keep a Predictor.
  [[nodiscard]] std::vector<float> predict(std::span<const double> raw) const;

 private:
  /// With these tensors, or fresh ones where null. Throws ConfigError also where they do not fit,
  /// before anything of their size is allocated.
  Model(Parts parts, const ParamSet* params);

  Parts parts_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<layers::Loss> loss_;
  ParamSet params_;
};

/// Answers of a model on one thread, with the memory and primitives kept between calls. A row's
/// answer has the same bits alone or in any batch.
class Predictor {
 public:
  /// The model must outlive it.
  explicit Predictor(const Model& model) : model_(model), params_(&model.params()) {}
  /// From now on with these numbers in place of the model's own. They must outlive the calls.
  void use(const ParamSet& params) { params_ = &params; }
  /// For scaled rows (rows, features) of either form: see Model::predict. Valid until the next
  /// call.
  Matrix predict(const Features& x);
  /// Scores before softmax; targets as scaled. Valid until the next call.
  ConstMatrix scores(const Features& x);
  /// What the first restricted Boltzmann machine makes of the rows, going up and down again.
  Matrix reconstruct(const Features& x);

 private:
  /// x in the form of the model.
  Features in_form(const Features& x);

  const Model& model_;
  const ParamSet* params_;
  kernels::Context context_;
  SparseMatrix sparse_;
  Tensor dense_;
  Network::Workspace work_;
  Tensor out_, hidden_;
};

}  // namespace superstep::models
