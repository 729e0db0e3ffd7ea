// The section [reduce] of a job: how many replicas, how often they meet, and how their mean counts.
//
//   ReduceConfig reduce;
//   doc.section("reduce", "Iterative reduce.", [&](config::Section& s) { reduce.declare(s); });
//   ...
//   reduce.choose(rows, batch);         // what was left at 0; never depends on the machine
#pragma once

#include <cstdint>
#include <string>

#include "superstep/config/section.h"

namespace superstep::reduce {

struct ReduceConfig {
  int64_t replicas = 0;     ///< Logical workers; 0: chosen from rows and batch.
  int64_t local_steps = 0;  ///< Minibatches between two averagings; 0: chosen likewise.
  std::string outer = "average";
  double outer_momentum = 0.5;  ///< mu of nesterov.
  double outer_rate = 0.7;      ///< rate of nesterov.
  double audit = 0;             ///< Share of units computed twice and compared.

  void declare(config::Section& section);

  /// Fills in what is 0, from the training rows and the rows of a replica's minibatch (both at
  /// least 1) alone:
  ///  - replicas: one for every 20 minibatches of an epoch, 1 to 8. Fewer minibatches than that
  ///    leave a replica too little to learn from between two averagings.
  ///  - local_steps: an epoch's minibatches of a replica, cut into equal supersteps of at most 50.
  ///    Averaging every 25 to 50 minibatches lost nothing against every one in our measurements
  ///    (MNIST, 4 replicas), once a pass of 250 cost 0.1 to 0.2 points of error.
  /// 60,000 rows in batches of 100: 8 replicas, 38 steps (75 minibatches a replica: 38 and 37).
  void choose(int64_t rows, int64_t batch);
};

}  // namespace superstep::reduce
