// Finetuning: the whole net learns labels or targets.
//
//   train    epochs x ceil(batches / local_steps)
//   valid    after each epoch, where there are rows to choose by: their loss and errors, by which
//            the best epoch is kept and the phase may stop early
//
// State::outer holds the best tensors so far ("best.<name>").
#pragma once

#include "superstep/training/phase.h"

namespace superstep::training {

class FinetunePhase : public Phase {
 public:
  struct Options {
    Setup setup;
    FinetuneConfig config;
    const models::Network* network = nullptr;
    const layers::Loss* loss = nullptr;  ///< What is reported, and chosen by.
    std::vector<float> class_weights{};  ///< Of the loss that is descended; empty: all 1.
    std::shared_ptr<const Source> valid;
    std::span<const int64_t> valid_rows;
  };
  explicit FinetunePhase(Options options);

  [[nodiscard]] std::optional<reduce::Round> next(const reduce::Round& last,
                                                  const Notes& notes) const override;
  [[nodiscard]] reduce::Outcome compute(const reduce::Task& task, Scratch& scratch) const override;
  reduce::Report apply(const reduce::Round& round, reduce::State& state,
                       const reduce::ExactSum& sum, const std::vector<Bytes>& blobs) const override;

 protected:
  void read(std::span<const int64_t> rows, Replica& replica) const override;
  Tally gradient(const Minibatch& minibatch, Replica& replica, GradSink& sink) const override;

 private:
  void keep_if_best(const Tally& valid, int64_t epoch, Notes& notes, reduce::State& state) const;

  Options options_;
  std::unique_ptr<layers::Loss> weighted_;  // null: the loss as it is
  std::unique_ptr<Learner> learner_;
};

}  // namespace superstep::training
