#include "superstep/data/dealing.h"

#include <algorithm>
#include <utility>

#include "superstep/base/error.h"

namespace superstep::data {
namespace {

constexpr int64_t kBlocksPerReplica = 64;
constexpr size_t kWindowRows = 65'536;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Numbers in the order of their random bits: depends on nothing but the key and the numbers.
void shuffle(RngKey key, std::span<int64_t> numbers) {
  std::vector<std::pair<uint64_t, int64_t>> keyed;
  keyed.reserve(numbers.size());
  for (const int64_t number : numbers)
    keyed.emplace_back(key.bits(static_cast<uint64_t>(number)), number);
  std::sort(keyed.begin(), keyed.end());
  std::transform(keyed.begin(), keyed.end(), numbers.begin(),
                 [](const auto& pair) { return pair.second; });
}

}  // namespace

Role role_of(uint64_t seed, int64_t row, double valid_fraction, double test_fraction) {
  const RngKey key = RngKey(seed).fold("role");
  const auto number = static_cast<uint64_t>(row);
  if (key.fold("test").uniform(number) < test_fraction) return Role::kTest;
  return key.fold("valid").uniform(number) < valid_fraction ? Role::kValid : Role::kTrain;
}

Dealing::Dealing(std::span<const int64_t> rows, int64_t replicas, int64_t batch, uint64_t seed)
    : all_rows_(rows.begin(), rows.end()) {
  SUPERSTEP_ASSERT(replicas >= 1 && batch >= 1);
  const auto count = static_cast<int64_t>(rows.size());
  if (count < replicas)
    throw ConfigError(
        "[reduce] replicas = {}: only {} rows to learn from, wanted at least one a "
        "replica",
        replicas, count);
  block_rows_ = std::max(batch, divide_up(count, kBlocksPerReplica * replicas));
  block_rows_ = std::min(block_rows_, count / replicas);
  std::vector<int64_t> order(static_cast<size_t>(divide_up(count, block_rows_)));
  fill_permutation(RngKey(seed).fold("deal"), order);
  blocks_.resize(static_cast<size_t>(replicas));
  for (size_t i = 0; i < order.size(); ++i) blocks_[i % blocks_.size()].push_back(order[i]);
}

std::span<const int64_t> Dealing::block(int64_t number) const {
  const auto begin = static_cast<size_t>(number * block_rows_);
  return std::span(all_rows_).subspan(
      begin, std::min(static_cast<size_t>(block_rows_), all_rows_.size() - begin));
}

int64_t Dealing::rows(int64_t replica) const {
  int64_t count = 0;
  for (const int64_t number : blocks_.at(static_cast<size_t>(replica)))
    count += static_cast<int64_t>(block(number).size());
  return count;
}

std::vector<int64_t> Dealing::order(int64_t replica, int64_t epoch, RngKey key) const {
  const RngKey of_epoch = key.fold("order").fold(static_cast<uint64_t>(epoch));
  std::vector<int64_t> numbers = blocks_.at(static_cast<size_t>(replica));
  shuffle(of_epoch.fold("block"), numbers);
  std::vector<int64_t> order;
  order.reserve(static_cast<size_t>(rows(replica)));
  size_t window = 0;  // where the window begins
  for (const int64_t number : numbers) {
    const auto rows_of_block = block(number);
    order.insert(order.end(), rows_of_block.begin(), rows_of_block.end());
    if (order.size() - window < kWindowRows) continue;
    shuffle(of_epoch.fold("row"), std::span(order).subspan(window));
    window = order.size();
  }
  shuffle(of_epoch.fold("row"), std::span(order).subspan(window));
  return order;
}

}  // namespace superstep::data
