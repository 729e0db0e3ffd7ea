// What more threads give: whole jobs on the local engine, nets of MNIST's size with rows like it,
// minibatches of 100, 50 local steps.
//
//   scaling_bench [TRIALS [THREADS...]]        9 trials of 1 and 2 threads
//
// A job with one replica is computed by one lane, whose threads share each minibatch; one with two
// replicas by a lane each. Trials of all numbers of threads take turns, so that other programs on
// the machine disturb all alike. Supersteps that train are timed, from one's state to the next
// one's; a job's start, some milliseconds in all, is not. Printed are the median of a trial's
// supersteps, then the median and the fastest of the trials, with the load of the machine.
// Speed-up: time of the first number of threads over the time of this one.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/job.h"
#include "superstep/engines/local.h"

namespace superstep::bench {
namespace {

constexpr int64_t kRows = 20'000, kColumns = 784, kEpochs = 3;

// Of each superstep that learns from `rows` rows: what is left over at the end of an epoch, and
// what measures, is not one.
struct Timer final : cluster::Observer {
  explicit Timer(int64_t rows) : wanted(rows) {}
  void on_round(const cluster::RoundDone& done) override {
    int64_t rows = 0;
    for (const auto& unit : done.round.units) rows += unit.weight;
    if (rows == wanted) seconds.push_back(done.seconds);
  }
  int64_t wanted;
  std::vector<double> seconds;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.at(values.size() / 2);
}

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
  const int64_t rows_a_superstep = replicas * job.reduce.local_steps * kBatch;

  std::vector<std::vector<double>> seconds(threads.size());
  for (int trial = -1; trial < trials; ++trial) {
    for (size_t t = 0; t < threads.size(); ++t) {
      Timer timer(rows_a_superstep);
      (void)engines::run_local(program, threads[t], {.observer = &timer});
      if (trial >= 0) seconds[t].push_back(median(timer.seconds));  // the first warms up
    }
  }
  const double batches = static_cast<double>(rows_a_superstep) / kBatch;
  const auto fastest = [&](size_t t) { return *std::ranges::min_element(seconds[t]); };
  for (size_t t = 0; t < threads.size(); ++t)
    fmt::print(
        "{:<4} {:<14} {} replica{} on {} thread{}: {:.3f} ms a minibatch (fastest {:.3f}), "
        "speed-up {:.2f} (of the fastest {:.2f}), load {:.1f}\n",
        kind, net.network.describe(), replicas, replicas == 1 ? "" : "s", threads[t],
        threads[t] == 1 ? " " : "s", 1e3 * median(seconds[t]) / batches, 1e3 * fastest(t) / batches,
        median(seconds[0]) / median(seconds[t]), fastest(0) / fastest(t), load_of_machine());
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
