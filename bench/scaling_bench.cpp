// What more threads give: whole jobs on the local engine, nets of MNIST's size with synthetic rows,
// minibatches of 100, 50 local steps.
//
//   scaling_bench [TRIALS [THREADS...]]        9 trials of 1 and 2 threads
//
// A job with one replica is computed by one lane, whose threads share each minibatch; one with two
// replicas by a lane each. Trials of all numbers of threads take turns, so that other programs on
// the machine disturb all alike; medians and the fastest are printed, with the load of the machine.
// Speed-up: time of the first number of threads over the time of this one.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "superstep/data/row_source.h"
#include "superstep/engines/local.h"
#include "superstep/training/network_program.h"

namespace superstep {
namespace {

constexpr int64_t kRows = 5000, kColumns = 784, kClasses = 10, kBatch = 100, kEpochs = 6;

std::shared_ptr<const Source> synthetic_rows() {
  Tensor x({kRows, kColumns});
  std::vector<int32_t> labels;
  for (int64_t r = 0; r < kRows; ++r) {
    fill_uniform(RngKey(1), static_cast<uint64_t>(r), x.matrix().row(r));
    labels.push_back(static_cast<int32_t>(r % kClasses));
  }
  return std::make_shared<const data::MatrixSource>(std::move(x), std::move(labels));
}

double load_of_machine() {
  double load = 0;
  return getloadavg(&load, 1) == 1 ? load : -1;
}

void measure(const std::string& kind, std::vector<int64_t> hidden, int64_t replicas,
             const std::shared_ptr<const Source>& rows, int trials,
             const std::vector<int>& threads) {
  models::ModelConfig config;
  config.kind = kind;
  config.hidden = std::move(hidden);
  const models::Network network = models::make_network(config, kColumns, kClasses);
  const layers::SoftmaxCrossEntropy loss;
  training::NetworkJob job{.network = &network,
                           .loss = config.has_output() ? &loss : nullptr,
                           .pretrain_machines = config.pretrained(),
                           .train = rows,
                           .valid = rows,
                           .train_rows = std::vector<int64_t>(kRows),
                           .valid_rows = {},
                           .pretrain = {},
                           .finetune = {},
                           .reduce = {},
                           .seed = 1};
  std::iota(job.train_rows.begin(), job.train_rows.end(), int64_t{0});
  job.pretrain.epochs = job.finetune.epochs = kEpochs;
  job.pretrain.batch = job.finetune.batch = kBatch;
  job.pretrain.learning_rate = job.finetune.learning_rate = 0.01;
  job.reduce.replicas = replicas;
  job.reduce.local_steps = 50;
  const training::NetworkProgram program(job);

  std::vector<std::vector<double>> seconds(threads.size());
  for (int trial = -1; trial < trials; ++trial) {
    for (size_t t = 0; t < threads.size(); ++t) {
      const auto start = std::chrono::steady_clock::now();
      (void)engines::run_local(program, threads[t], {});
      if (trial < 0) continue;  // to warm up
      seconds[t].push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
  }
  for (auto& of_threads : seconds) std::ranges::sort(of_threads);
  constexpr double kBatches = kEpochs * kRows / kBatch;
  const auto median = [&](size_t t) { return seconds[t][seconds[t].size() / 2]; };
  for (size_t t = 0; t < threads.size(); ++t)
    fmt::print(
        "{:<4} {:<14} {} replica{} on {} thread{}: {:.3f} ms a minibatch (fastest {:.3f}), "
        "speed-up {:.2f} (of the fastest {:.2f}), load {:.1f}\n",
        kind, network.describe(), replicas, replicas == 1 ? "" : "s", threads[t],
        threads[t] == 1 ? " " : "s", 1e3 * median(t) / kBatches, 1e3 * seconds[t][0] / kBatches,
        median(0) / median(t), seconds[0][0] / seconds[t][0], load_of_machine());
}

}  // namespace
}  // namespace superstep

int main(int argc, char** argv) {
  const int trials = argc > 1 ? std::max(1, std::atoi(argv[1])) : 9;
  std::vector<int> threads;
  for (int i = 2; i < argc; ++i) threads.push_back(std::max(1, std::atoi(argv[i])));
  if (threads.empty()) threads = {1, 2};
  const auto rows = superstep::synthetic_rows();
  for (const int64_t replicas : {1, 2}) {
    superstep::measure("mlp", {500, 250}, replicas, rows, trials, threads);
    superstep::measure("rbm", {500}, replicas, rows, trials, threads);
  }
}
