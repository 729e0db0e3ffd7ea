// What iterative reduce costs where there is nothing to reduce: the local engine with one lane and
// one replica, against a bare loop over the same learner, optimizer and rows in the same order.
//
// A trial is a whole job of 12 epochs of 5,000 rows, minibatches of 100, 50 local steps: 600
// minibatches in 12 supersteps, on nets of MNIST's size with synthetic rows. Trials of both kinds
// take turns, and medians are compared, by the clock and by the processor time of the process
// (which other programs on the machine disturb less). The goal is a ratio of at most 1.03.
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "bench/bare_loop.h"
#include "bench/figure.h"
#include "bench/stopwatch.h"
#include "superstep/data/row_source.h"
#include "superstep/engines/local.h"

namespace superstep::bench {
namespace {

constexpr int64_t kRows = 5000, kColumns = 784, kClasses = 10, kBatch = 100, kEpochs = 12;
constexpr int kTrials = 9;

Seconds measured(const std::function<void()>& action) {
  const Stopwatch watch;
  action();
  return watch.elapsed();
}

data::MatrixSource synthetic_rows() {
  Tensor x({kRows, kColumns});
  std::vector<int32_t> labels;
  for (int64_t r = 0; r < kRows; ++r) {
    fill_uniform(RngKey(1), static_cast<uint64_t>(r), x.matrix().row(r));
    labels.push_back(static_cast<int32_t>(r % kClasses));
  }
  return data::MatrixSource(std::move(x), std::move(labels));
}

void compare(const std::string& kind, std::vector<int64_t> hidden,
             const std::shared_ptr<const Source>& rows, const Figures& figures) {
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
  job.pretrain.centering = false;  // it is the program's work, which the bare loop does not have
  job.reduce.replicas = 1;
  job.reduce.local_steps = 50;

  const training::NetworkProgram program(job);
  const training::Backpropagation backpropagation(network, loss);
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
  const auto rows = std::make_shared<const superstep::data::MatrixSource>(synthetic_rows());
  compare("mlp", {500, 250}, rows, figures);
  compare("rbm", {500}, rows, figures);
}
