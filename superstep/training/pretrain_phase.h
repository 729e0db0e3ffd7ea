// Pretraining of one restricted Boltzmann machine of a stack, on what the layers below it make of
// the rows (Hinton, Osindero and Teh 2006; Bengio et al. 2007).
//
//   means    once: mean and mean square of each visible unit, for its bias and its offset
//   train    epochs x ceil(batches / local_steps)
//   gap      after each epoch, where there are rows to choose by: mean free energy of these and of
//            as many rows that were learned from. Where their difference grows, the machine
//            overfits (Hinton 2010, section 6).
#pragma once

#include "superstep/layers/label_rbm.h"
#include "superstep/layers/rbm.h"
#include "superstep/training/phase.h"

namespace superstep::training {

class PretrainPhase : public Phase {
 public:
  struct Options {
    Setup setup;
    PretrainConfig config;
    const models::Network* network = nullptr;
    int layer = 0;
    bool started = false;              ///< The machine comes from another model: its biases stay.
    std::vector<std::string> columns;  ///< Names for messages; empty: numbers.
    std::shared_ptr<const Source> valid;
    std::span<const int64_t> valid_rows;
    int64_t cache_bytes = 0;
  };
  explicit PretrainPhase(Options options);
  ~PretrainPhase() override;

  [[nodiscard]] reduce::Round first_round() const override;
  [[nodiscard]] std::optional<reduce::Round> next(const reduce::Round& last,
                                                  const Notes& notes) const override;
  [[nodiscard]] reduce::Outcome compute(const reduce::Task& task, Scratch& scratch) const override;
  reduce::Report apply(const reduce::Round& round, reduce::State& state,
                       const reduce::ExactSum& sum, const std::vector<Bytes>& blobs) const override;

  void rest() const override { input_->forget(); }

  /// Names of the offsets of a centred machine.
  static std::string visible_offset(int layer) {
    return fmt::format("offset.layer.{}.visible", layer);
  }
  static std::string hidden_offset(int layer) {
    return fmt::format("offset.layer.{}.hidden", layer);
  }
  /// Whether a machine of this config is centred: not one of counts, whose bias grows with a row.
  static bool is_centred(const PretrainConfig& config, const layers::Layer& layer);

 protected:
  void begin_unit(Replica& replica) const override;
  void read(std::span<const int64_t> rows, Replica& replica) const override;
  Tally gradient(const Minibatch& minibatch, Replica& replica, GradSink& sink) const override;
  [[nodiscard]] Bytes private_state(const Replica& replica) const override;
  [[nodiscard]] double momentum(int64_t epoch) const override;

 private:
  [[nodiscard]] int64_t gap_rows() const;
  [[nodiscard]] bool is_centred() const { return !setup().hidden_offset.empty(); }
  [[nodiscard]] reduce::Outcome compute_means(const reduce::Task& task, Scratch& scratch) const;
  [[nodiscard]] reduce::Outcome compute_gap(const reduce::Task& task, Scratch& scratch) const;
  struct Moments;
  void apply_means(reduce::State& state, const Moments& moments) const;
  void refuse_unscaled(std::span<const double> mean, std::span<const double> square) const;

  Options options_;
  int first_;
  std::unique_ptr<layers::Rbm> rbm_;  // tied; null where the label is on top
  const layers::LabelRbm* label_rbm_ = nullptr;
  std::unique_ptr<ContrastiveDivergence> divergence_;
  std::unique_ptr<LabelDivergence> label_divergence_;
  std::unique_ptr<LayerInput> input_, valid_input_;
};

}  // namespace superstep::training
