// What more threads give: whole jobs on the local engine, nets of MNIST's size with rows like it,
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
#include <string>
#include <vector>

#include "bench/job.h"
#include "superstep/engines/local.h"

namespace superstep::bench {
namespace {

constexpr int64_t kRows = 20'000, kColumns = 784, kEpochs = 2;

double load_of_machine() {
  double load = 0;
  return getloadavg(&load, 1) == 1 ? load : -1;
}

void measure(const std::string& kind, std::vector<int64_t> hidden, int64_t replicas,
             const std::shared_ptr<const data::MatrixSource>& dense, int trials,
             const std::vector<int>& threads) {
  const auto rows = in_form(dense, hidden.front());
  const Net net(kind, std::move(hidden), kColumns);
  training::NetworkJob job = net.job(rows, kEpochs);
  job.reduce.replicas = replicas;
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
        kind, net.network.describe(), replicas, replicas == 1 ? "" : "s", threads[t],
        threads[t] == 1 ? " " : "s", 1e3 * median(t) / kBatches, 1e3 * seconds[t][0] / kBatches,
        median(0) / median(t), seconds[0][0] / seconds[t][0], load_of_machine());
}

}  // namespace
}  // namespace superstep::bench

int main(int argc, char** argv) {
  const int trials = argc > 1 ? std::max(1, std::atoi(argv[1])) : 9;
  std::vector<int> threads;
  for (int i = 2; i < argc; ++i) threads.push_back(std::max(1, std::atoi(argv[i])));
  if (threads.empty()) threads = {1, 2};
  const auto rows =
      superstep::bench::synthetic_rows(superstep::bench::kRows, superstep::bench::kColumns);
  for (const int64_t replicas : {1, 2}) {
    superstep::bench::measure("mlp", {500, 250}, replicas, rows, trials, threads);
    superstep::bench::measure("rbm", {500}, replicas, rows, trials, threads);
  }
}
