// The training of a network as a Program: its phases, one after another. Greedy pretraining of each
// restricted Boltzmann machine (pretrain_phase.h), then finetuning of the whole (finetune_phase.h).
//
// State::shared holds the network's tensors, the optimizer's state of each ("velocity.<name>",
// "root.<name>"), which is averaged like them and begins at zero in every phase, and the offsets of
// centred machines. State::outer holds the outer rule's momentum ("momentum.<name>") and the best
// tensors so far ("best.<name>").
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "superstep/reduce/config.h"
#include "superstep/reduce/outer.h"
#include "superstep/reduce/program.h"
#include "superstep/training/config.h"
#include "superstep/training/phase.h"

namespace superstep::training {

/// All that training depends on. What is pointed to outlives the program.
struct NetworkJob {
  const models::Network* network = nullptr;
  const layers::Loss* loss = nullptr;  ///< Null where the network has no output layer.
  bool pretrain_machines = false;      ///< Whether machines of the network are pretrained.
  bool finetune_network = true;        ///< Whether the whole is trained; not without a loss.
  std::shared_ptr<const Source> train, valid;  ///< May be one and the same.
  Form form = Form::kDense;  ///< Of the rows that the lowest layer gets, of all sources.
  std::vector<int64_t> train_rows, valid_rows;
  /// Rows to pretrain on; null: train. Labels are read of the rows to train on alone.
  std::shared_ptr<const Source> pretrain_source{};
  std::vector<int64_t> pretrain_rows{};
  const ParamSet* start = nullptr;     ///< Tensors to begin with, by name and shape; null: none.
  std::vector<std::string> columns{};  ///< Names of the features, for messages.
  std::vector<float> class_weights{};
  PretrainConfig pretrain;
  FinetuneConfig finetune;
  reduce::ReduceConfig reduce;
  uint64_t seed = 1;
  int64_t cache_bytes = 0;  ///< Memory for the activations of frozen layers; changes no result.
};

class NetworkProgram : public reduce::Program {
 public:
  explicit NetworkProgram(NetworkJob job);
  ~NetworkProgram() override;

  [[nodiscard]] reduce::State initial() const override;
  [[nodiscard]] std::optional<reduce::Round> next(const reduce::Round* last,
                                                  const reduce::State& state) const override;
  /// The replicas. Rounds of evaluation have more units; their batches are large enough to be cut.
  [[nodiscard]] int64_t most_units() const override { return job_.reduce.replicas; }
  [[nodiscard]] reduce::UpdateSpec update_spec(const reduce::Round& round) const override;
  [[nodiscard]] std::unique_ptr<reduce::LaneScratch> make_scratch() const override;
  [[nodiscard]] reduce::Outcome compute(const reduce::Task& task) const override;
  reduce::Report apply(const reduce::Round& round, reduce::State& state,
                       const reduce::ExactSum& sum, const std::vector<Bytes>& blobs) const override;

  /// The trained network: the best epoch where one was kept, else the last state.
  [[nodiscard]] ParamSet result(const reduce::State& state) const;
  /// The epoch that result() comes from, counted from 1; 0 where none was chosen.
  [[nodiscard]] int64_t best_epoch(const reduce::State& state) const;
  /// Epochs that the last phase had.
  [[nodiscard]] int64_t epochs_done(const reduce::State& state) const;

  /// What was worked out from rows and batch: of the first phase that trains.
  [[nodiscard]] const reduce::ReduceConfig& reduce_config() const { return job_.reduce; }
  /// Writes the batch that was worked out into the configs that this job trains by.
  void resolve(PretrainConfig& pretrain, FinetuneConfig& finetune) const;
  /// All phases, in their order.
  [[nodiscard]] std::vector<std::string> phases() const;
  /// The most epochs that a phase has.
  [[nodiscard]] int64_t epochs(const std::string& phase) const;

 private:
  [[nodiscard]] size_t number_of(const std::string& phase) const;
  [[nodiscard]] const Phase& phase(const std::string& name) const {
    return *phases_[number_of(name)];
  }
  [[nodiscard]] bool is_started(int layer) const;
  void add_pretraining();
  void add_finetuning();
  void lay_out();
  template <class Config>
  Phase::Setup setup(std::string name, const Config& config, std::span<const int64_t> rows);

  NetworkJob job_;
  SharedTensors tensors_;
  std::shared_ptr<const ParamLayout> outer_layout_;
  std::unique_ptr<reduce::OuterRule> outer_;
  std::vector<std::unique_ptr<Phase>> phases_;
  mutable std::atomic<size_t> computing_ = 0;  // the number of the phase that units were of last
};

/// The phase that pretrains layer `layer`, counted from 0.
inline std::string pretrain_phase_name(int layer) { return fmt::format("pretrain.{}", layer); }
inline constexpr const char* kFinetune = "finetune";

}  // namespace superstep::training
