// The training of a network as a Program: its phases (greedy pretraining of each restricted
// Boltzmann machine, then finetuning of the whole), what a unit computes, how the averages move the
// state, and which epoch is kept.
//
// The rounds of a phase:
//   pretrain.<k>  "means" once: the mean input of layer k, for its visible bias;
//                 then "train" rounds: epochs x ceil(batches / local_steps) of them
//   finetune      "train" rounds, and after each epoch one "valid" round over the rows to choose by
//
// State::shared holds the network's tensors and the optimizer's state of each ("velocity.<name>",
// "root.<name>"), which is averaged like them and begins at zero in every phase. State::outer holds
// the outer rule's momentum ("momentum.<name>") and the best tensors so far ("best.<name>").
#pragma once

#include <memory>
#include <vector>

#include "superstep/data/dealing.h"
#include "superstep/reduce/config.h"
#include "superstep/reduce/outer.h"
#include "superstep/reduce/program.h"
#include "superstep/training/config.h"
#include "superstep/training/learner.h"

namespace superstep::training {

/// All that training depends on.
struct NetworkJob {
  const models::Network* network = nullptr;
  const layers::Loss* loss = nullptr;  ///< Null where the network has no output layer.
  bool pretrained = false;             ///< Whether all but the output layer are RBMs to pretrain.
  std::shared_ptr<const Source> train, valid;  ///< May be one and the same.
  std::vector<int64_t> train_rows, valid_rows;
  PretrainConfig pretrain;
  FinetuneConfig finetune;
  reduce::ReduceConfig reduce;
  uint64_t seed = 1;
};

class NetworkProgram : public reduce::Program {
 public:
  explicit NetworkProgram(NetworkJob job);
  ~NetworkProgram() override;

  [[nodiscard]] reduce::State initial() const override;
  [[nodiscard]] std::optional<reduce::Round> next(const reduce::Round* last,
                                                  const reduce::State& state) const override;
  [[nodiscard]] reduce::UpdateSpec update_spec(const reduce::Round& round) const override;
  [[nodiscard]] std::unique_ptr<reduce::LaneScratch> make_scratch() const override;
  [[nodiscard]] reduce::Outcome compute(const reduce::Task& task) const override;
  reduce::Report apply(const reduce::Round& round, reduce::State& state,
                       const reduce::ExactSum& sum, const std::vector<Bytes>& blobs) const override;

  /// The trained network: the best epoch where one was kept, else the last state.
  [[nodiscard]] ParamSet result(const reduce::State& state) const;
  /// The epoch that result() comes from, counted from 1; 0 where none was chosen.
  [[nodiscard]] int64_t best_epoch(const reduce::State& state) const;

  /// What was worked out from rows and batch: of the first phase that trains.
  [[nodiscard]] const reduce::ReduceConfig& reduce_config() const { return job_.reduce; }
  /// Writes the batch that was worked out into the configs that this job trains by.
  void resolve(PretrainConfig& pretrain, FinetuneConfig& finetune) const;
  [[nodiscard]] int64_t epochs(const std::string& phase) const;

 private:
  struct Phase;
  struct Scratch;
  struct Notes;

  [[nodiscard]] const Phase& phase(const std::string& name) const;
  [[nodiscard]] std::optional<reduce::Round> first_round(size_t phase) const;
  [[nodiscard]] reduce::Round train_round(const Phase& phase, int64_t epoch, int64_t step) const;
  [[nodiscard]] reduce::Round means_round(const Phase& phase) const;
  [[nodiscard]] reduce::Round valid_round(int64_t epoch) const;
  [[nodiscard]] size_t offset_of(const std::string& prefix) const;
  [[nodiscard]] bool closes_epoch(const Phase& phase, const reduce::Round& round) const;

  [[nodiscard]] reduce::Outcome compute_train(const Phase& phase, const reduce::Task& task) const;
  [[nodiscard]] reduce::Outcome compute_means(const Phase& phase, const reduce::Task& task) const;
  [[nodiscard]] reduce::Outcome compute_valid(const reduce::Task& task) const;

  void apply_train(const Phase& phase, reduce::State& state, const reduce::ExactSum& sum) const;
  void keep_if_best(const Tally& valid, int64_t epoch, Notes& notes, reduce::State& state) const;
  void reset_optimizer(reduce::State& state) const;

  NetworkJob job_;
  std::vector<std::string> prefixes_;  // of the optimizer's state tensors, over all phases
  std::shared_ptr<const ParamLayout> shared_layout_, outer_layout_;
  std::unique_ptr<reduce::OuterRule> outer_;
  std::vector<std::unique_ptr<Phase>> phases_;
};

}  // namespace superstep::training
