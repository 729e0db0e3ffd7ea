// A learner turns a minibatch into a gradient: contrastive divergence, backpropagation, up-down.
// None of them knows of replicas, optimizers or supersteps.
#pragma once

#include <vector>

#include "superstep/base/bytes.h"
#include "superstep/layers/label_rbm.h"
#include "superstep/layers/loss.h"
#include "superstep/layers/rbm.h"
#include "superstep/models/network.h"
#include "superstep/tensor/batch.h"

namespace superstep::training {

/// Sums over rows: what a minibatch, a unit, an epoch came to.
struct Tally {
  int64_t rows = 0;
  double loss = 0;     ///< Summed over rows: cross-entropy, squared error.
  int64_t errors = 0;  ///< Rows whose likeliest class was not theirs.

  Tally& operator+=(const Tally& other) {
    rows += other.rows;
    loss += other.loss;
    errors += other.errors;
    return *this;
  }
};

/// Persistent chains of a replica: the hidden states that go on from minibatch to minibatch.
struct Chains {
  int64_t first = 0;  ///< Number of the first chain, over all replicas: its key of randomness.
  Tensor states;      ///< (chains, hidden); no rows: the chains have not begun.

  [[nodiscard]] Bytes to_bytes() const;
  static Chains from_bytes(const Bytes& bytes);
};

/// Memory and primitives of one lane; nothing in it but the chains bears on a result.
struct LearnerScratch {
  kernels::Context context;
  models::Network::Workspace work;
  Tensor a, b, c, d, e, f;
  SparseMatrix sample, stacked;
  Chains chains;
};

/// A minibatch and what is random in it.
struct Minibatch {
  const Batch& batch;
  RngKey key;       ///< Folded with seed, phase and epoch: what is drawn for a row depends on the
                    ///< key and the row's number alone.
  RngKey step_key;  ///< Folded with the step as well: what is drawn for a chain.
};

class Learner {
 public:
  virtual ~Learner() = default;
  /// Hands the gradient of the mean loss over the batch to the sink, and returns the tally of the
  /// batch (before the step).
  virtual Tally gradient(const ParamSet& params, const Minibatch& minibatch, GradSink& sink,
                         LearnerScratch& scratch) const = 0;
};

/// Contrastive divergence (Hinton 2002, "Training products of experts by minimizing contrastive
/// divergence") and persistent contrastive divergence (Tieleman 2008) of one restricted Boltzmann
/// machine. The batch's x is its visible side. The loss is the squared error of the reconstruction,
/// summed over a row. docs/training.md has the formulas.
class ContrastiveDivergence : public Learner {
 public:
  struct Options {
    int64_t steps = 1;        ///< k: Gibbs steps from the data, or of a chain.
    bool persistent = false;  ///< Chains go on from scratch.chains.
    /// Learn from a state of the visible units in place of their means; chains always do.
    bool sample_reconstruction = false;
    double sparsity_target = 0, sparsity_cost = 0;  ///< A target of 0: none.
  };
  /// Means of the units that centring takes out of the statistics (Montavon and Mueller 2012;
  /// Melchior, Fischer and Wiskott 2016), or none: then both are empty. They are views of the
  /// global state and constant within a unit.
  struct Offsets {
    std::span<const float> visible, hidden;
  };

  /// The tensors of the machine begin at `first` of the ParamSet.
  ContrastiveDivergence(const layers::Rbm& rbm, int first, const Options& options)
      : rbm_(rbm), first_(first), options_(options) {}

  Tally gradient(const ParamSet& params, const Minibatch& minibatch, GradSink& sink,
                 LearnerScratch& scratch) const override {
    return gradient(params, minibatch, {}, {}, sink, scratch);
  }
  /// Adds the mean activation of each hidden unit, summed over the rows, to `activity` where it is
  /// not empty.
  Tally gradient(const ParamSet& params, const Minibatch& minibatch, const Offsets& offsets,
                 std::span<double> activity, GradSink& sink, LearnerScratch& scratch) const;

 private:
  void follow_chains(const ParamSet& params, const Minibatch& minibatch,
                     std::span<const float> row_totals, Form form, Matrix v, Matrix h,
                     LearnerScratch& scratch) const;

  const layers::Rbm& rbm_;
  int first_;
  Options options_;
};

/// The same for a top machine that has the label beside the features (CD-k; Hinton, Osindero and
/// Teh 2006). The loss is that of the features alone.
class LabelDivergence : public Learner {
 public:
  LabelDivergence(const layers::LabelRbm& rbm, int first, int64_t steps)
      : rbm_(rbm), first_(first), steps_(steps) {}
  Tally gradient(const ParamSet& params, const Minibatch& minibatch, GradSink& sink,
                 LearnerScratch& scratch) const override;

 private:
  const layers::LabelRbm& rbm_;
  int first_;
  int64_t steps_;
};

/// Backpropagation (Rumelhart, Hinton, Williams 1986) through the whole net, from a loss; with
/// inverted dropout (Srivastava et al. 2014) of the inputs of layers.
class Backpropagation : public Learner {
 public:
  /// `dropout`: the share of inputs left out, a layer each; empty: none.
  Backpropagation(const models::Network& network, const layers::Loss& loss,
                  std::vector<double> dropout = {})
      : network_(network), loss_(loss), dropout_(std::move(dropout)) {}
  Tally gradient(const ParamSet& params, const Minibatch& minibatch, GradSink& sink,
                 LearnerScratch& scratch) const override;

 private:
  const models::Network& network_;
  const layers::Loss& loss_;
  std::vector<double> dropout_;
};

/// The up-down algorithm, contrastive wake-sleep (Hinton, Osindero and Teh 2006, appendix B), for a
/// stack of binary machines with a LabelRbm on top: recognition weights learn from what the net
/// dreams, generative weights from what it sees. The loss is that of the label given the features.
class UpDown : public Learner {
 public:
  UpDown(const models::Network& network, const layers::Loss& loss, int64_t steps)
      : network_(network), loss_(loss), steps_(steps) {}
  Tally gradient(const ParamSet& params, const Minibatch& minibatch, GradSink& sink,
                 LearnerScratch& scratch) const override;

 private:
  const models::Network& network_;
  const layers::Loss& loss_;
  int64_t steps_;
};

/// The tally of a batch through a network and a loss, without a gradient.
Tally evaluate(const models::Network& network, const layers::Loss& loss, const ParamSet& params,
               const Batch& batch, LearnerScratch& scratch);

/// Rows whose largest score is not that of their label; the first of equals counts.
int64_t count_errors(ConstMatrix z, const Batch& batch);

}  // namespace superstep::training
