#include "superstep/reduce/config.h"

#include <algorithm>

#include "superstep/base/error.h"
#include "superstep/reduce/outer.h"

namespace superstep::reduce {
namespace {

constexpr int64_t kBatchesPerReplica = 20;
constexpr int64_t kMostReplicas = 8;
constexpr int64_t kMostLocalSteps = 50;

int64_t divide_up(int64_t a, int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

}  // namespace

void ReduceConfig::declare(config::Section& s) {
  s.integer(
      "replicas", replicas,
      "Logical workers, each with its own share of the rows. They are part of the result; how "
      "many processes or threads compute them is not. 0: one for every 20 minibatches, 1 to 8.",
      {.min = 0, .max = 1 << 20});
  s.integer(
      "local_steps", local_steps,
      "Minibatches that a replica trains between two averagings. 0: equal parts of its epoch, "
      "at most 50.",
      {.min = 0, .max = 1 << 30});
  const auto names = outer_rule_names();
  s.choice("outer", outer, "How the mean change of the replicas moves the model.",
           {names.begin(), names.end()});
  s.number("outer_momentum", outer_momentum, "Momentum of outer = \"nesterov\".",
           {.min = 0, .max = 1, .max_exclusive = true});
  s.number("outer_rate", outer_rate, "Step length of outer = \"nesterov\".",
           {.min = 0, .min_exclusive = true});
  s.number("audit", audit, "Share of units that are computed twice on purpose and compared.",
           {.min = 0, .max = 1, .effect = config::kRun});
}

void ReduceConfig::choose(int64_t rows, int64_t batch) {
  SUPERSTEP_ASSERT(rows >= 1 && batch >= 1);
  const int64_t batches = divide_up(rows, batch);
  if (replicas == 0) replicas = std::clamp<int64_t>(batches / kBatchesPerReplica, 1, kMostReplicas);
  if (local_steps == 0) {
    const int64_t each = divide_up(batches, replicas);
    local_steps = divide_up(each, divide_up(each, kMostLocalSteps));
  }
}

}  // namespace superstep::reduce
