// A learner turns a minibatch into a gradient. Contrastive divergence and backpropagation are two;
// neither knows of replicas, optimizers or supersteps.
#pragma once

#include "superstep/layers/loss.h"
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

/// Memory and primitives of one lane; holds nothing that a result depends on.
struct LearnerScratch {
  kernels::Context context;
  models::Network::Workspace work;
  Tensor a, b, c, d;
};

class Learner {
 public:
  virtual ~Learner() = default;
  /// Hands the gradient of the mean loss over the batch to the sink, and returns the tally of the
  /// batch (before the step). `key` is folded with seed, phase and epoch; what is drawn for a row
  /// depends on the key and the row's number alone.
  virtual Tally gradient(const ParamSet& params, const Batch& batch, RngKey key, GradSink& sink,
                         LearnerScratch& scratch) const = 0;
};

/// Contrastive divergence with one step, CD-1 (Hinton 2002, "Training products of experts by
/// minimizing contrastive divergence"), for layer `layer` of a network of restricted Boltzmann
/// machines; the layers below are fixed and hand up their mean activations. The hidden states that
/// drive the reconstruction are sampled; the reconstruction and both statistics use probabilities
/// (Hinton 2010, "A practical guide to training restricted Boltzmann machines", section 3). The
/// loss is the squared error of the reconstruction, summed over a row.
class ContrastiveDivergence : public Learner {
 public:
  ContrastiveDivergence(const models::Network& network, int layer);
  Tally gradient(const ParamSet& params, const Batch& batch, RngKey key, GradSink& sink,
                 LearnerScratch& scratch) const override;

 private:
  const models::Network& network_;
  int layer_;
};

/// Backpropagation (Rumelhart, Hinton, Williams 1986) through the whole net, from a loss.
class Backpropagation : public Learner {
 public:
  Backpropagation(const models::Network& network, const layers::Loss& loss);
  Tally gradient(const ParamSet& params, const Batch& batch, RngKey key, GradSink& sink,
                 LearnerScratch& scratch) const override;
  /// The tally alone, without a gradient.
  Tally evaluate(const ParamSet& params, const Batch& batch, LearnerScratch& scratch) const;

 private:
  const models::Network& network_;
  const layers::Loss& loss_;
};

}  // namespace superstep::training
