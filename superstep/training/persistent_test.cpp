// Persistent contrastive divergence.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "superstep/models/testing.h"
#include "superstep/training/testing.h"

namespace superstep::training {
namespace {

using layers::Rbm;
using models::testing::BufferSink;
using testing::Done;
using testing::run_from;
using testing::Stand;
using testing::Trial;

constexpr size_t kVisible = 3, kHidden = 2;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// 3 visible and 2 hidden binary units; 40 rows, all of them 1 1 1, which the machine seldom is.
struct Small {
  Small() {
    models::testing::randomize(params, 6, 0.9F);
    batch.x.resize({40, kVisible});
    std::ranges::fill(batch.x.values(), 1.0F);
    batch.row_numbers = testing::numbers(0, 40);
  }
  Tally gradient(uint64_t step, GradSink& sink, LearnerScratch& scratch, int64_t steps = 1) const {
    const ContrastiveDivergence learner(rbm, 0, {.steps = steps, .persistent = true});
    return learner.gradient(params,
                            {.batch = batch, .key = RngKey(1), .step_key = RngKey(2).fold(step)},
                            sink, scratch);
  }

  Rbm rbm{{.visible = kVisible, .hidden = kHidden}};
  ParamSet params{
      {{"weight", {kVisible, kHidden}}, {"bias", {kHidden}}, {"visible_bias", {kVisible}}}};
  Batch batch;
};

// E[v_i h_j], E[h_j] and E[v_i] of the machine: the sum over all 32 states.
std::vector<double> model_statistics(const ParamSet& params) {
  const auto w = params.matrix(Rbm::kWeight);
  std::vector<double> sums(kVisible * kHidden + kHidden + kVisible);
  double z = 0;
  for (size_t state = 0; state < 32; ++state) {
    const auto v = [&](size_t i) { return static_cast<double>(state >> i & 1); };
    const auto h = [&](size_t j) { return static_cast<double>(state >> (kVisible + j) & 1); };
    double energy = 0;
    for (size_t i = 0; i < kVisible; ++i) {
      energy -= double{params.values(Rbm::kVisibleBias)[i]} * v(i);
      for (size_t j = 0; j < kHidden; ++j)
        energy -= v(i) * double{w.row(static_cast<int64_t>(i))[j]} * h(j);
    }
    for (size_t j = 0; j < kHidden; ++j) energy -= double{params.values(Rbm::kBias)[j]} * h(j);
    const double p = std::exp(-energy);
    z += p;
    for (size_t i = 0; i < kVisible; ++i)
      for (size_t j = 0; j < kHidden; ++j) sums[i * kHidden + j] += p * v(i) * h(j);
    for (size_t j = 0; j < kHidden; ++j) sums[kVisible * kHidden + j] += p * h(j);
    for (size_t i = 0; i < kVisible; ++i) sums[kVisible * kHidden + kHidden + i] += p * v(i);
  }
  for (double& sum : sums) sum /= z;
  return sums;
}

// What the chains add to a gradient: it, and what the data took away. Row 1 1 1 has v = 1.
std::vector<double> chain_statistics(const Small& small, const BufferSink& sink, double steps) {
  std::vector<double> h0(kHidden), all;
  for (size_t j = 0; j < kHidden; ++j) {
    double x = double{small.params.values(Rbm::kBias)[j]};
    for (int64_t i = 0; i < 3; ++i) x += double{small.params.matrix(Rbm::kWeight).row(i)[j]};
    h0[j] = sigmoid(x);
  }
  for (size_t k = 0; k < kVisible * kHidden; ++k)
    all.push_back(sink.gradient(Rbm::kWeight)[k] / steps + h0[k % kHidden]);
  for (size_t j = 0; j < kHidden; ++j) all.push_back(sink.gradient(Rbm::kBias)[j] / steps + h0[j]);
  for (size_t i = 0; i < kVisible; ++i)
    all.push_back(sink.gradient(Rbm::kVisibleBias)[i] / steps + 1);
  return all;
}

// Parameters that stay: after 100 steps 40 chains have forgotten the data, and the mean over 500
// more, 20,000 states of which neighbours in a chain are alike, errs by about
// 0.5 sqrt(3 / 20,000) = 0.006. Three times that is allowed.
TEST(PersistentChains, ComeToTheMachinesOwnDistribution) {
  for (const int64_t steps : {1, 2}) {
    const Small small;
    LearnerScratch scratch;
    BufferSink first(small.params.layout()), burn_in(small.params.layout()),
        sink(small.params.layout());
    small.gradient(0, first, scratch, steps);
    for (uint64_t step = 1; step < 100; ++step) small.gradient(step, burn_in, scratch, steps);
    for (uint64_t step = 100; step < 600; ++step) small.gradient(step, sink, scratch, steps);
    const auto wanted = model_statistics(small.params), got = chain_statistics(small, sink, 500);
    for (size_t k = 0; k < wanted.size(); ++k)
      EXPECT_NEAR(got[k], wanted[k], 0.018) << "number " << k << ", steps " << steps;
    // One step from the data is not there yet.
    double apart = 0;
    const auto begun = chain_statistics(small, first, 1);
    for (size_t k = 0; k < wanted.size(); ++k)
      apart = std::max(apart, std::abs(begun[k] - wanted[k]));
    EXPECT_GT(apart, 0.1);
  }
}

// Counts of two choices among three columns, so nine states of what is seen in order, and four of
// what is hidden: p(choices, h) is as exp(the sum over choices of b + W h, + 2 c'h). The bias of a
// hidden unit counts twice, and so does its gradient.
TEST(PersistentChains, OfCountsComeToTheMachinesOwnDistribution) {
  Small small;
  small.rbm =
      Rbm({.visible = kVisible, .hidden = kHidden, .visible_units = layers::Units::kSoftmax});
  for (int64_t r = 0; r < 40; ++r)
    std::ranges::copy(std::vector<float>{2, 0, 0}, small.batch.x.matrix().row(r).begin());
  const auto w = std::as_const(small.params).matrix(Rbm::kWeight);
  const auto c = std::as_const(small.params).values(Rbm::kBias),
             b = std::as_const(small.params).values(Rbm::kVisibleBias);
  std::vector<double> wanted(kVisible * kHidden + kHidden + kVisible);
  double z = 0;
  for (size_t first = 0; first < 3; ++first)
    for (size_t second = 0; second < 3; ++second)
      for (size_t h = 0; h < 4; ++h) {
        double exponent = double{b[first]} + double{b[second]};
        const auto on = [&](size_t j) { return static_cast<double>(h >> j & 1); };
        for (size_t j = 0; j < kHidden; ++j)
          exponent += on(j) * (double{w.row(static_cast<int64_t>(first))[j]} +
                               double{w.row(static_cast<int64_t>(second))[j]} + 2 * double{c[j]});
        const double p = std::exp(exponent);
        z += p;
        for (const size_t i : {first, second}) {
          for (size_t j = 0; j < kHidden; ++j) wanted[i * kHidden + j] += p * on(j);
          wanted[kVisible * kHidden + kHidden + i] += p;
        }
        for (size_t j = 0; j < kHidden; ++j) wanted[kVisible * kHidden + j] += 2 * p * on(j);
      }
  LearnerScratch scratch;
  BufferSink burn_in(small.params.layout()), sink(small.params.layout());
  for (uint64_t step = 0; step < 100; ++step) small.gradient(step, burn_in, scratch);
  for (uint64_t step = 100; step < 600; ++step) small.gradient(step, sink, scratch);
  // What the data (2 0 0) took away is added again.
  std::vector<double> h0(kHidden), got;
  for (size_t j = 0; j < kHidden; ++j) h0[j] = sigmoid(2 * double{c[j]} + 2 * double{w.row(0)[j]});
  for (size_t k = 0; k < kVisible * kHidden; ++k)
    got.push_back(sink.gradient(Rbm::kWeight)[k] / 500 + (k < kHidden ? 2 * h0[k] : 0));
  for (size_t j = 0; j < kHidden; ++j)
    got.push_back(sink.gradient(Rbm::kBias)[j] / 500 + 2 * h0[j]);
  for (size_t i = 0; i < kVisible; ++i)
    got.push_back(sink.gradient(Rbm::kVisibleBias)[i] / 500 + (i == 0 ? 2 : 0));
  double apart = 0;
  for (size_t k = 0; k < wanted.size(); ++k) {
    EXPECT_NEAR(got[k], wanted[k] / z, 0.036) << "number " << k;  // twice as wide: counts to 2
    apart = std::max(apart, std::abs(wanted[k] / z - (k < kHidden ? 2 * h0[k] : 0)));
  }
  EXPECT_GT(apart, 0.3);
}

// The loss is that of the data's own reconstruction, so it does not depend on the chains.
TEST(PersistentChains, LeaveTheLossToTheData) {
  const Small small;
  LearnerScratch persistent, plain;
  BufferSink sink(small.params.layout());
  const ContrastiveDivergence learner(small.rbm, 0, {});
  const double wanted =
      learner.gradient(small.params, {small.batch, RngKey(1), RngKey(1)}, sink, plain).loss;
  EXPECT_EQ(small.gradient(0, sink, persistent).loss, wanted);
  EXPECT_EQ(small.gradient(1, sink, persistent).loss, wanted);
}

// 40 chains are those of one replica, or 20 each of two: a chain's draws follow from its number.
TEST(PersistentChains, AreDrawnByTheirNumberAlone) {
  const Small small;
  BufferSink sink(small.params.layout());
  const auto chains_after = [&](int64_t first, int64_t count) {
    LearnerScratch scratch;
    scratch.chains.first = first;
    scratch.chains.states = Tensor({count, kHidden});  // all begin alike
    for (uint64_t step = 0; step < 3; ++step) small.gradient(step, sink, scratch);
    const auto values = scratch.chains.states.values();
    return std::vector<float>(values.begin(), values.end());
  };
  auto both = chains_after(0, 20);
  const auto second = chains_after(20, 20);
  EXPECT_NE(both, second);
  both.insert(both.end(), second.begin(), second.end());
  EXPECT_EQ(both, chains_after(0, 40));
}

TEST(PersistentChains, ComeBackFromTheirBytes) {
  Chains chains;
  EXPECT_EQ(chains.to_bytes(), Bytes());
  EXPECT_EQ(Chains::from_bytes({}).states.shape().rank(), 0U);
  chains.first = 60;
  chains.states = Tensor({4, 3});
  fill_uniform(RngKey(1), 0, chains.states.values());
  const Bytes bytes = chains.to_bytes();
  const Chains back = Chains::from_bytes(bytes);
  EXPECT_EQ(back.first, 60);
  EXPECT_EQ(back.states.shape(), chains.states.shape());
  EXPECT_TRUE(std::ranges::equal(back.states.values(), chains.states.values()));
  EXPECT_EQ(back.to_bytes(), bytes);
  EXPECT_THROW(Chains::from_bytes(bytes.substr(0, bytes.size() - 1)), DataError);
  EXPECT_THROW(Chains::from_bytes(bytes + "x"), DataError);
}

// 45 rows in batches of 5 for three replicas, 15 rows to choose by: rounds of free energies lie
// between the epochs, and their units have numbers of their own.
Trial three_replicas() {
  Trial trial("dbn", {6, 4}, 45, 15);
  trial.job.reduce.replicas = 3;
  trial.job.pretrain.persistent = true;
  trial.job.pretrain.epochs = 3;
  return trial;
}

TEST(PersistentChains, OfAReplicaGoOnOverAllItsSupersteps) {
  const Trial trial = three_replicas();
  const auto program = trial.program();
  std::map<std::string, std::map<int64_t, Bytes>> left;  // by phase and replica
  int continued = 0;
  run_from({program.initial(), {}, {}}, program, 1, [&](const Done& done, const Stand&) {
    if (done.round.args != kTrain) return;
    for (size_t u = 0; u < done.round.units.size(); ++u) {
      const auto& unit = done.round.units[u];
      if (done.round.phase == kFinetune) {
        EXPECT_EQ(done.outcomes[u].private_state, "");
        continue;
      }
      Bytes& chains = left[done.round.phase][unit.id];
      // Fresh in the first superstep of a machine, and from then on those of the last.
      EXPECT_EQ(done.private_states[u], chains)
          << done.round.phase << " epoch " << done.round.epoch << " replica " << unit.id;
      continued += chains.empty() ? 0 : 1;
      chains = done.outcomes[u].private_state;
      const Chains now = Chains::from_bytes(chains);
      EXPECT_EQ(now.first, unit.id * 5);
      EXPECT_EQ(now.states.shape(), Shape({5, done.round.phase == "pretrain.0" ? 6 : 4}));
    }
  });
  EXPECT_EQ(left.size(), 2U);
  EXPECT_EQ(continued, 2 * (3 * 3 * 2 - 3));  // machines, epochs, replicas and supersteps
}

TEST(PersistentChains, ArePartOfTheUnitsInput) {
  const Trial trial = three_replicas();
  const auto program = trial.program();
  reduce::Progress progress;
  const auto used = program.make_scratch();
  reduce::State before = program.initial();
  int same = 0, other = 0;
  run_from({before, {}, {}}, program, 1, [&](const Done& done, const Stand& stand) {
    const FloatingPointScope floating_point;
    for (size_t u = done.round.units.size(); u-- > 0;) {
      const auto again = [&](const Bytes& private_state, reduce::LaneScratch& scratch) {
        return program.compute({.round = done.round,
                                .unit = done.round.units[u],
                                .shared = before.shared,
                                .private_state = private_state,
                                .scratch = scratch,
                                .progress = progress});
      };
      const auto fresh = program.make_scratch();
      for (const auto& scratch : {used.get(), fresh.get()}) {
        const auto outcome = again(done.private_states[u], *scratch);
        EXPECT_TRUE(std::ranges::equal(outcome.update.flat(), done.outcomes[u].update.flat()));
        EXPECT_EQ(outcome.blob, done.outcomes[u].blob);
        EXPECT_EQ(outcome.private_state, done.outcomes[u].private_state);
        ++same;
      }
      if (done.round.args != kTrain || done.private_states[u].empty()) continue;
      const auto without = again({}, *used);
      other += std::ranges::equal(without.update.flat(), done.outcomes[u].update.flat()) ? 0 : 1;
    }
    before = stand.state;
  });
  EXPECT_GT(same, 100);
  EXPECT_GT(other, 5);  // not every one: chains of one number come together under small weights
}

}  // namespace
}  // namespace superstep::training
