// The job that the benchmarks of whole epochs run: plain SGD, minibatches of 100, 50 local steps.
//
//   const Net net("mlp", {500, 250}, rows->columns());
//   training::NetworkJob job = net.job(rows, /*epochs=*/2);      // to be changed as the case wants
//   it
#pragma once

#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "bench/rows.h"
#include "superstep/layers/loss.h"
#include "superstep/training/network_program.h"

namespace superstep::bench {

constexpr int64_t kBatch = 100;

struct Net {
  Net(const models::ModelConfig& model, int64_t columns)
      : config(model), network(models::make_network(model, columns, kClasses)) {}
  Net(const std::string& kind, std::vector<int64_t> hidden, int64_t columns)
      : Net(model(kind, std::move(hidden)), columns) {}

  /// Learns from all of the rows, in the form they have. The net outlives it.
  [[nodiscard]] training::NetworkJob job(const std::shared_ptr<const data::MatrixSource>& rows,
                                         int64_t epochs) const {
    training::NetworkJob job{.network = &network,
                             .loss = config.has_output() ? &loss : nullptr,
                             .pretrain_machines = config.pretrained(),
                             .train = rows,
                             .valid = rows,
                             .form = rows->is_sparse() ? Form::kSparse : Form::kDense,
                             .train_rows = std::vector<int64_t>(static_cast<size_t>(rows->rows())),
                             .valid_rows = {},
                             .pretrain = {},
                             .finetune = {},
                             .reduce = {},
                             .seed = 1};
    std::iota(job.train_rows.begin(), job.train_rows.end(), int64_t{0});
    for (training::PhaseConfig* phase :
         std::initializer_list<training::PhaseConfig*>{&job.pretrain, &job.finetune}) {
      phase->epochs = epochs;
      phase->batch = kBatch;
      phase->learning_rate = 0.01;
    }
    job.pretrain.centering = false;  // bare loops and peers have none
    job.reduce.replicas = 1;
    job.reduce.local_steps = 50;
    return job;
  }

  models::ModelConfig config;
  models::Network network;
  layers::SoftmaxCrossEntropy loss;

 private:
  static models::ModelConfig model(const std::string& kind, std::vector<int64_t> hidden) {
    models::ModelConfig model;
    model.kind = kind;
    model.hidden = std::move(hidden);
    return model;
  }
};

}  // namespace superstep::bench
