// What NetworkProgram does of a phase of one replica, without rounds, updates and sums: rows in the
// same order through the same learner and optimizer.
//
//   BareLoop loop(job, job.finetune, learner, "finetune", params);
//   loop.epoch(0);                                     // params have moved
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "superstep/base/floating_point.h"
#include "superstep/data/dealing.h"
#include "superstep/optim/optimizer.h"
#include "superstep/training/network_program.h"

namespace superstep::bench {

class BareLoop {
 public:
  /// All that is referred to must outlive the loop, which is of the thread that makes it.
  BareLoop(const training::NetworkJob& job, const training::PhaseConfig& phase,
           const training::Learner& learner, const std::string& name, ParamSet& params)
      : job_(job),
        phase_(phase),
        learner_(learner),
        params_(params),
        key_(RngKey(job.seed).fold(name)),
        dealing_(job.train_rows, 1, *phase.batch, job.seed),
        optimizer_(optim::make_optimizer(phase.optimizer)),
        state_(optimizer_->state_prefixes().size(), ParamSet(job.network->layout())) {
    std::vector<optim::TensorRule> rules;
    const ParamLayout& layout = params.layout();
    for (int t = 0; t < layout.size(); ++t)
      rules.push_back({.param = t, .l2 = layout.spec(t).shape.rank() == 2 ? phase.l2 : 0});
    optimizer_->bind(params_, state_, rules, scratch_.context);
  }
  ~BareLoop() { optimizer_->unbind(); }
  BareLoop(const BareLoop&) = delete;
  BareLoop& operator=(const BareLoop&) = delete;

  void epoch(int64_t number) {
    const auto order = dealing_.order(0, number, key_.fold("order"));
    const RngKey of_epoch = key_.fold(static_cast<uint64_t>(number));
    for (size_t begin = 0; begin < order.size(); begin += static_cast<size_t>(*phase_.batch)) {
      const size_t count = std::min(static_cast<size_t>(*phase_.batch), order.size() - begin);
      job_.train->read_as(job_.form, std::span(order).subspan(begin, count), batch_);
      ++step_;
      GradSink& sink = optimizer_->begin(
          {.learning_rate = *phase_.learning_rate, .momentum = phase_.momentum, .number = step_});
      learner_.gradient(params_,
                        {.batch = batch_,
                         .key = of_epoch,
                         .step_key = of_epoch.fold("step").fold(static_cast<uint64_t>(step_))},
                        sink, scratch_);
      optimizer_->end();
    }
  }

 private:
  const FloatingPointScope floating_point_;
  const training::NetworkJob& job_;
  const training::PhaseConfig& phase_;
  const training::Learner& learner_;
  ParamSet& params_;
  RngKey key_;
  data::Dealing dealing_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::vector<ParamSet> state_;
  training::LearnerScratch scratch_;
  Batch batch_;
  int64_t step_ = 0;
};

}  // namespace superstep::bench
