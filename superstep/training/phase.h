// A phase of a network's training: which rounds it has, what their units compute and how the sums
// move the state. NetworkProgram runs phases one after another; the two kinds are pretraining of
// one machine (pretrain_phase.h) and finetuning of the whole net (finetune_phase.h). What both have
// in common is here: replicas that take minibatches for `local_steps` and are averaged.
#pragma once

#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "superstep/data/dealing.h"
#include "superstep/optim/optimizer.h"
#include "superstep/reduce/outer.h"
#include "superstep/reduce/program.h"
#include "superstep/training/config.h"
#include "superstep/training/layer_input.h"
#include "superstep/training/learner.h"

namespace superstep::training {

/// What goes on from superstep to superstep beside the tensors; State::notes.
struct Notes {
  Tally epoch;  ///< Of the training rows, in the epoch under way.
  int64_t best_epoch = 0, best_errors = std::numeric_limits<int64_t>::max();
  double best_loss = std::numeric_limits<double>::infinity();
  int64_t epochs = 0;  ///< Finished, of the last phase.

  static Notes from(const Bytes& bytes) { return ByteReader(bytes, "the notes").get<Notes>(); }
  [[nodiscard]] Bytes to_bytes() const {
    ByteWriter out;
    out.put(*this);
    return std::move(out).take();
  }
};

/// Where things lie in State::shared: the network's own tensors first, then the optimizer's state
/// of each ("velocity.layer.0.weight"), a set of the network's layout a prefix, then the offsets of
/// centred machines ("offset.layer.0.visible", "offset.layer.0.hidden").
struct SharedTensors {
  std::shared_ptr<const ParamLayout> network, all;
  std::vector<std::string> prefixes;

  /// Where in the flat buffer the state of a prefix begins.
  [[nodiscard]] size_t offset_of(const std::string& prefix) const;
};

/// Scratch of a lane, for all phases.
struct Scratch : reduce::LaneScratch {
  struct Rule {
    std::unique_ptr<optim::Optimizer> optimizer;
    std::vector<ParamSet> state;  // one a prefix
  };

  explicit Scratch(std::shared_ptr<const ParamLayout> network) : params(std::move(network)) {}
  Rule& rule(const std::string& optimizer);

  LearnerScratch learner;
  ParamSet params;  // the replica's own copy
  Batch batch;
  std::map<std::string, Rule> rules;
  // The order of rows of the last unit: the next one of the same epoch needs it again.
  std::string order_phase;
  int64_t order_replica = -1, order_epoch = -1;
  std::vector<int64_t> order;
};

class Phase {
 public:
  /// What a phase trains on and by.
  struct Setup {
    std::string name;
    PhaseConfig config;                    ///< Whole: batch and learning rate are set.
    std::vector<int> used;                 ///< Tensors of the network that a minibatch reads.
    std::vector<optim::TensorRule> rules;  ///< Those that it moves.
    std::string hidden_offset;             ///< Moved beside them: its full name, or empty.
    std::shared_ptr<const Source> source;
    Form form = Form::kDense;       ///< Of the rows that the lowest layer gets.
    std::span<const int64_t> rows;  ///< Ascending.
    int64_t replicas = 1, local_steps = 1;
    uint64_t seed = 1;
  };
  explicit Phase(Setup setup);
  virtual ~Phase() = default;

  [[nodiscard]] const std::string& name() const { return setup_.name; }
  [[nodiscard]] const PhaseConfig& config() const { return setup_.config; }
  [[nodiscard]] const std::vector<std::string>& prefixes() const { return prefixes_; }
  /// Called once, when the tensors of all phases are known.
  void lay_out(const SharedTensors& tensors, const reduce::OuterRule& outer);

  [[nodiscard]] virtual reduce::Round first_round() const { return train_round(0, 0); }
  /// Without superstep number; none: the phase is over.
  [[nodiscard]] virtual std::optional<reduce::Round> next(const reduce::Round& last,
                                                          const Notes& notes) const = 0;
  [[nodiscard]] reduce::UpdateSpec update_spec(const reduce::Round& round) const;
  [[nodiscard]] virtual reduce::Outcome compute(const reduce::Task& task,
                                                Scratch& scratch) const = 0;
  virtual reduce::Report apply(const reduce::Round& round, reduce::State& state,
                               const reduce::ExactSum& sum,
                               const std::vector<Bytes>& blobs) const = 0;
  /// Units of another phase are computed now: memory that only this one needs may go.
  virtual void rest() const {}

 protected:
  /// Gives the gradient of one minibatch, on the replica's own parameters.
  struct Replica {
    const reduce::Task& task;
    Scratch& scratch;
    std::vector<double> activity{};  ///< Sums of hidden means, where an offset is moved.
    std::optional<LayerInput::Reader> reader{};
  };
  virtual void begin_unit(Replica&) const {}
  virtual void read(std::span<const int64_t> rows, Replica& replica) const = 0;
  virtual Tally gradient(const Minibatch& minibatch, Replica& replica, GradSink& sink) const = 0;
  [[nodiscard]] virtual Bytes private_state(const Replica&) const { return {}; }
  [[nodiscard]] virtual double momentum(int64_t) const { return setup_.config.momentum; }

  /// Superstep `step` of an epoch: each replica's next `local_steps` minibatches. No units: the
  /// epoch is over.
  [[nodiscard]] reduce::Round train_round(int64_t epoch, int64_t step) const;
  /// The train round after this one in its epoch.
  [[nodiscard]] std::optional<reduce::Round> next_in_epoch(const reduce::Round& last) const;
  [[nodiscard]] bool ends_epoch(const reduce::Round& round) const;
  /// A round over `rows` rows in units of 1,024.
  [[nodiscard]] reduce::Round rows_round(std::string_view kind, int64_t epoch, int64_t rows) const;

  reduce::Outcome compute_train(const reduce::Task& task, Scratch& scratch) const;
  void apply_train(const reduce::Round& round, reduce::State& state,
                   const reduce::ExactSum& sum) const;
  /// At the end of a phase: the optimizer and the outer rule forget.
  void reset(reduce::State& state) const;

  [[nodiscard]] std::span<const int64_t> order_of(int64_t replica, int64_t epoch,
                                                  Scratch& scratch) const;
  [[nodiscard]] int64_t batch() const { return *setup_.config.batch; }
  [[nodiscard]] int64_t batches(int64_t replica) const;
  [[nodiscard]] const Setup& setup() const { return setup_; }
  [[nodiscard]] const data::Dealing& dealing() const { return dealing_; }
  [[nodiscard]] RngKey key() const { return key_; }

 private:
  [[nodiscard]] bool keeps_state() const { return setup_.config.optimizer_state == "average"; }

  Setup setup_;
  data::Dealing dealing_;
  RngKey key_;
  int64_t steps_an_epoch_ = 0;
  std::vector<std::string> prefixes_;  // of the optimizer's state that travels
  SharedTensors tensors_;
  const reduce::OuterRule* outer_ = nullptr;
  reduce::UpdateSpec updates_;
};

/// Kinds of rounds: Round::args.
inline constexpr std::string_view kTrain = "train", kMeans = "means", kGap = "gap",
                                  kValid = "valid";

Bytes to_bytes(const Tally& tally);
Tally sum_of_tallies(const std::vector<Bytes>& blobs);

}  // namespace superstep::training
