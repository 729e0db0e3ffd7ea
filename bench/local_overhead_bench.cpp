// What iterative reduce costs where there is nothing to reduce: the local engine with one lane and
// one replica, against a bare loop over the same learner, optimizer and rows in the same order.
//
// A trial is a whole job of 12 epochs of 5,000 rows, minibatches of 100, 50 local steps: 600
// minibatches in 12 supersteps, on nets of MNIST's size with synthetic rows. Trials of both kinds
// take turns, and medians are compared, by the clock and by the processor time of the process
// (which other programs on the machine disturb less). The goal is a ratio of at most 1.03.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "superstep/base/floating_point.h"
#include "superstep/data/row_source.h"
#include "superstep/engines/local.h"
#include "superstep/optim/optimizer.h"
#include "superstep/training/network_program.h"

namespace superstep {
namespace {

constexpr int64_t kRows = 5000, kColumns = 784, kClasses = 10, kBatch = 100, kEpochs = 12;
constexpr int kTrials = 9;

struct Seconds {
  double wall = 0, processor = 0;
};

Seconds measured(const std::function<void()>& action) {
  const auto processor = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  };
  const auto wall = std::chrono::steady_clock::now();
  const double before = processor();
  action();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count(),
          processor() - before};
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
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

// What NetworkProgram does of a phase of one replica, without rounds, updates and sums.
void bare_loop(const training::NetworkJob& job, const training::PhaseConfig& phase,
               const training::Learner& learner, const std::string& name) {
  const FloatingPointScope floating_point;
  const RngKey key = RngKey(job.seed).fold(name);
  const data::Dealing dealing(job.train_rows, 1, kBatch, job.seed);
  auto optimizer = optim::make_optimizer(phase.optimizer);
  ParamSet params = job.network->initial(RngKey(job.seed).fold("initial"));
  std::vector<ParamSet> state(optimizer->state_prefixes().size(), ParamSet(job.network->layout()));
  std::vector<optim::TensorRule> rules;
  for (int t = 0; t < params.layout().size(); ++t)
    rules.push_back({.param = t, .l2 = params.layout().spec(t).shape.rank() == 2 ? phase.l2 : 0});
  training::LearnerScratch scratch;
  Batch batch;
  optimizer->bind(params, state, rules, scratch.context);
  int64_t step = 0;
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const auto order = dealing.order(0, epoch, key.fold("order"));
    const RngKey of_epoch = key.fold(static_cast<uint64_t>(epoch));
    for (int64_t begin = 0; begin < kRows; begin += kBatch) {
      job.train->read(std::span(order).subspan(static_cast<size_t>(begin), kBatch), batch);
      ++step;
      GradSink& sink = optimizer->begin(
          {.learning_rate = *phase.learning_rate, .momentum = phase.momentum, .number = step});
      learner.gradient(params,
                       {.batch = batch,
                        .key = of_epoch,
                        .step_key = of_epoch.fold("step").fold(static_cast<uint64_t>(step))},
                       sink, scratch);
      optimizer->end();
    }
  }
  optimizer->unbind();
}

void compare(const std::string& kind, std::vector<int64_t> hidden,
             const std::shared_ptr<const Source>& rows) {
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
  const auto bare = [&] {
    if (const auto* rbm = dynamic_cast<const layers::Rbm*>(&network.layer(0)))
      bare_loop(job, job.pretrain, training::ContrastiveDivergence(*rbm, 0, {}), "pretrain.0");
    else
      bare_loop(job, job.finetune, backpropagation, "finetune");
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
  fmt::print(
      "{:<4} {:<16} bare loop {:.3f} ms a minibatch, local engine {:.3f} ms: ratio {:.3f} "
      "(processor time {:.3f})\n",
      kind, network.describe(), 1e3 * median(bare_wall) / kBatches,
      1e3 * median(engine_wall) / kBatches, median(engine_wall) / median(bare_wall),
      median(engine_processor) / median(bare_processor));
}

}  // namespace
}  // namespace superstep

int main() {
  const auto rows =
      std::make_shared<const superstep::data::MatrixSource>(superstep::synthetic_rows());
  superstep::compare("mlp", {500, 250}, rows);
  superstep::compare("rbm", {500}, rows);
}
