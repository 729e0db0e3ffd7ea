// What a layer of a stack sees of a row: the row itself for the lowest, for others the mean
// activations of the layers below, which are frozen while it trains.
//
//   LayerInput input(network, 2, source, 256 << 20);
//   LayerInput::Reader reader = input.reader(params, context);      // once a work unit
//   reader.read(rows, batch);                     // batch.features(): (rows, its inputs)
//
// Activations are kept in memory up to a budget and computed again beyond it. A row's activations
// have the same bits alone or in any batch, so nobody can tell which were kept. Readers of many
// threads share what is kept.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "superstep/models/network.h"
#include "superstep/tensor/batch.h"

namespace superstep::training {

class LayerInput {
 public:
  /// Network and source outlive it. `budget` is in bytes; the rows of the lowest numbers are kept.
  /// Without `labels` batches have neither labels nor targets where all rows were kept. The lowest
  /// layer gets its rows in the form `form`.
  LayerInput(const models::Network& network, int layer, std::shared_ptr<const Source> source,
             int64_t budget, bool labels, Form form = Form::kDense);
  ~LayerInput();

  class Reader;
  /// `params` begin with the network's tensors. Where those below the layer are others than at the
  /// last call, what was kept is forgotten. Both arguments outlive the reader.
  [[nodiscard]] Reader reader(const ParamSet& params, kernels::Context& context);

  /// Gives the memory back.
  void forget();
  /// Rows that were read without computing them again, so far.
  [[nodiscard]] int64_t hits() const { return hits_; }

 private:
  struct Kept;

  const models::Network& network_;
  int layer_;
  std::shared_ptr<const Source> source_;
  int64_t most_rows_;
  bool labels_;
  Form form_;
  std::mutex mutex_;
  std::shared_ptr<Kept> kept_;
  std::atomic<int64_t> hits_ = 0;
};

class LayerInput::Reader {
 public:
  void read(std::span<const int64_t> rows, Batch& batch);

 private:
  friend class LayerInput;
  Reader(LayerInput& input, std::shared_ptr<Kept> kept, const ParamSet& params,
         kernels::Context& context)
      : input_(input), kept_(std::move(kept)), params_(params), context_(context) {}

  LayerInput& input_;
  std::shared_ptr<Kept> kept_;
  const ParamSet& params_;
  kernels::Context& context_;
  models::Network::Workspace work_;
  Batch missing_;
  std::vector<int64_t> missing_rows_;
};

}  // namespace superstep::training
