// What iterative reduce costs where there is nothing to reduce: the local engine with one lane and
// one replica, against a bare loop over the same learner, optimizer and rows in the same order.
//
// A trial is a whole job of 12 epochs of 5,000 rows, minibatches of 100, 50 local steps: 600
// minibatches in 12 supersteps, on nets of MNIST's size with synthetic rows. Trials of both kinds
// take turns, and medians are compared, by the clock and by the processor time of the process
// (which other programs on the machine disturb less). The goal is a ratio of at most 1.03.
#include <functional>
#include <string>
#include <vector>

#include "bench/bare_loop.h"
#include "bench/figure.h"
#include "bench/job.h"
#include "bench/stopwatch.h"
#include "superstep/engines/local.h"

namespace superstep::bench {
namespace {

constexpr int64_t kRows = 5000, kColumns = 784, kEpochs = 12;
constexpr int kTrials = 9;

Seconds measured(const std::function<void()>& action) {
  const Stopwatch watch;
  action();
  return watch.elapsed();
}

void compare(const std::string& kind, std::vector<int64_t> hidden,
             const std::shared_ptr<const data::MatrixSource>& rows, const Figures& figures) {
  const Net net(kind, std::move(hidden), kColumns);
  const models::Network& network = net.network;
  const training::NetworkJob job = net.job(rows, kEpochs);

  const training::NetworkProgram program(job);
  const training::Backpropagation backpropagation(network, net.loss);
  const auto run_bare = [&](const training::PhaseConfig& phase, const training::Learner& learner,
                            const std::string& name) {
    ParamSet params = network.initial(RngKey(job.seed).fold("initial"));
    BareLoop loop(job, phase, learner, name, params);
    for (int64_t epoch = 0; epoch < kEpochs; ++epoch) loop.epoch(epoch);
  };
  const auto bare = [&] {
    if (const auto* rbm = dynamic_cast<const layers::Rbm*>(&network.layer(0)))
      run_bare(job.pretrain, training::ContrastiveDivergence(*rbm, 0, {}), "pretrain.0");
    else
      run_bare(job.finetune, backpropagation, "finetune");
  };
  const auto engine = [&] { (void)engines::run_local(program, 1, {}); };

  bare();
  engine();
  std::vector<double> bare_wall, bare_processor, engine_wall, engine_processor;
  for (int trial = 0; trial < kTrials; ++trial) {
    const Seconds b = measured(bare), e = measured(engine);
    bare_wall.push_back(b.wall);
    bare_processor.push_back(b.processor);
    engine_wall.push_back(e.wall);
    engine_processor.push_back(e.processor);
  }
  constexpr double kBatches = kEpochs * kRows / kBatch;
  const auto add = [&](const std::string& what, double value, const std::string& unit) {
    figures.add(fmt::format("{} {}, {}", kind, network.describe(), what), value, unit);
  };
  add("bare loop", 1e3 * median(bare_wall) / kBatches, "ms a minibatch");
  add("local engine", 1e3 * median(engine_wall) / kBatches, "ms a minibatch");
  add("engine / bare loop", median(engine_wall) / median(bare_wall), "by the clock");
  add("engine / bare loop, processor", median(engine_processor) / median(bare_processor),
      "by processor time");
}

}  // namespace
}  // namespace superstep::bench

int main(int argc, char** argv) {
  using namespace superstep::bench;
  const Figures figures(argc, argv);
  const auto rows = synthetic_rows(kRows, kColumns);
  compare("mlp", {500, 250}, rows, figures);
  compare("rbm", {500}, rows, figures);
}
