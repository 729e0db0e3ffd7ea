// Sums what tests/exact_sum_oracle.py asks for and prints integers and values, for that program to
// compare with exact fractions. Words on standard input, separated by blanks; a case is
//
//   case <planned weight> <units> <tensors>  then a tensor: <mean|sum> <log2 limit> <elements>
//   updates <n>                              then an update: <weight> <element> ...
//   steps <n>                                then a step:
//     new         puts an empty sum on the stack
//     add <k>     adds update k to the sum on top, or lets it take the update where it can
//     halves <k>  the same, in two ranges, the second one first
//     join        adds the sum on top to the one below, and takes it away
//     wire        sends the sum on top through to_bytes and from_bytes
//
// and the answer one line: <weight> <count> <integer> ... <value> ..., without padding. Floats are
// written in hexadecimal, so nothing is rounded on the way.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "superstep/reduce/exact_sum.h"

namespace superstep::reduce {
namespace {

template <class T>
T next() {
  T value;
  if (!(std::cin >> value)) {
    std::fputs("exact_sum_cases: the input is cut short\n", stderr);
    std::exit(1);
  }
  return value;
}

std::vector<ExactSum> run_steps(const UpdateSpec& spec, int64_t planned, int64_t units,
                                const std::vector<ParamSet>& updates,
                                const std::vector<int64_t>& weights) {
  std::vector<ExactSum> stack;
  next<std::string>();  // "steps"
  for (auto steps = next<int>(); steps > 0; --steps) {
    const auto step = next<std::string>();
    if (step == "new") {
      stack.emplace_back(spec, planned, units);
    } else if (step == "add") {
      const auto k = next<size_t>();
      ParamSet update = updates.at(k);
      if (!stack.back().try_take(update, weights.at(k))) stack.back().add(update, weights.at(k));
    } else if (step == "halves") {
      const auto k = next<size_t>();
      const size_t size = spec.layout->flat_size();
      stack.back().settle();
      stack.back().add_range(updates.at(k), weights.at(k), size / 2 - 3, size);
      stack.back().add_range(updates.at(k), weights.at(k), 0, size / 2 - 3);
      stack.back().add_weight(weights.at(k));
    } else if (step == "join") {
      stack.back().settle();
      stack[stack.size() - 2].add(stack.back());
      stack.pop_back();
    } else if (step == "wire") {
      stack.back().settle();
      stack.back() = ExactSum::from_bytes(spec, planned, units, stack.back().to_bytes());
    }
  }
  return stack;
}

void run_case() {
  const auto planned = next<int64_t>();
  const auto units = next<int64_t>();
  std::vector<ParamSpec> specs;
  std::vector<TensorRule> rules;
  const auto tensors = next<int>();
  for (int t = 0; t < tensors; ++t) {
    const auto combine = next<std::string>() == "sum" ? Combine::kSum : Combine::kMean;
    rules.push_back({combine, next<int>()});
    specs.push_back({"tensor." + std::to_string(t), {next<int64_t>()}});
  }
  const UpdateSpec spec{std::make_shared<const ParamLayout>(std::move(specs)), std::move(rules)};

  std::vector<ParamSet> updates;
  std::vector<int64_t> weights;
  next<std::string>();  // "updates"
  for (auto n = next<int>(); n > 0; --n) {
    weights.push_back(next<int64_t>());
    ParamSet& update = updates.emplace_back(spec.layout);
    for (int t = 0; t < tensors; ++t)
      for (float& v : update.values(t)) v = std::strtof(next<std::string>().c_str(), nullptr);
    check_update(spec, update);
  }

  ExactSum sum = std::move(run_steps(spec, planned, units, updates, weights).back());
  // First the values: those of a sum that took its only update do not come from integers.
  std::vector<double> values;
  for (int t = 0; t < tensors; ++t)
    for (size_t i = 0; i < updates[0].values(t).size(); ++i) values.push_back(sum.value(t, i));
  sum.settle();
  std::printf("%ld %ld", static_cast<long>(sum.weight()), static_cast<long>(sum.count()));
  for (int t = 0; t < tensors; ++t)
    for (size_t i = 0; i < updates[0].values(t).size(); ++i)
      std::printf(" %ld", static_cast<long>(sum.integers()[spec.layout->offset(t) + i]));
  for (const double value : values) std::printf(" %a", value);
  std::printf("\n");
}

}  // namespace
}  // namespace superstep::reduce

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string word; std::cin >> word && word == "case";) superstep::reduce::run_case();
  return 0;
}
