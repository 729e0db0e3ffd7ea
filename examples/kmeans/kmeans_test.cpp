#include "examples/kmeans/kmeans.h"

#include <gtest/gtest.h>

#include <numeric>

#include "superstep/engines/local.h"

namespace {

// 5,000 rows of three columns around four places.
class Clouds : public Source {
 public:
  static constexpr int64_t kRows = 5000;
  int64_t columns() const override { return 3; }
  void read(std::span<const int64_t> rows, Batch& batch) const override {
    batch.row_numbers.assign(rows.begin(), rows.end());
    batch.x.resize({static_cast<int64_t>(rows.size()), columns()});
    for (size_t i = 0; i < rows.size(); ++i)
      for (int64_t j = 0; j < columns(); ++j)
        batch.x.matrix().row(static_cast<int64_t>(i))[static_cast<size_t>(j)] = value(rows[i], j);
  }
  static float value(int64_t row, int64_t column) {
    const auto centre = static_cast<float>((row % 4) * (column + 1));
    const auto number = static_cast<uint64_t>(row * 3 + column);
    return centre + static_cast<float>(RngKey(7).uniform(number)) - 0.5F;
  }
};

std::vector<int64_t> all_rows() {
  std::vector<int64_t> rows(Clouds::kRows);
  std::iota(rows.begin(), rows.end(), int64_t{0});
  return rows;
}

engines::EngineResult run(const KMeans::Options& options, int lanes) {
  const Clouds source;
  return engines::run_local(KMeans(source, all_rows(), options), lanes, {});
}

// The algorithm as it is taught, in double, on all rows at once.
std::vector<double> plain_loop(std::vector<double> centres, int64_t rounds) {
  const size_t k = centres.size() / 3;
  for (int64_t round = 0; round < rounds; ++round) {
    std::vector<double> sums(centres.size()), counts(k);
    for (int64_t r = 0; r < Clouds::kRows; ++r) {
      std::vector<double> distances(k);
      for (size_t c = 0; c < k; ++c)
        for (size_t j = 0; j < 3; ++j)
          distances[c] +=
              std::pow(Clouds::value(r, static_cast<int64_t>(j)) - centres[3 * c + j], 2);
      const auto nearest =
          static_cast<size_t>(std::ranges::min_element(distances) - distances.begin());
      for (size_t j = 0; j < 3; ++j)
        sums[3 * nearest + j] += Clouds::value(r, static_cast<int64_t>(j));
      counts[nearest] += 1;
    }
    for (size_t i = 0; i < centres.size(); ++i)
      if (counts[i / 3] > 0) centres[i] = sums[i] / counts[i / 3];
  }
  return centres;
}

TEST(KMeans, GivesTheSameBytesOnOneTwoThreeAndSevenLanes) {
  // 5,000 rows in units of 256 are 20 units: every lane can have some.
  const KMeans::Options options{.clusters = 4, .rounds = 20, .rows_a_unit = 256};
  const auto one = run(options, 1);
  for (const int lanes : {2, 3, 7}) {
    const auto many = run(options, lanes);
    EXPECT_EQ(many.run.rounds, one.run.rounds);
    EXPECT_TRUE(std::ranges::equal(many.run.state.shared.values(0), one.run.state.shared.values(0)))
        << lanes << " lanes";
  }
}

TEST(KMeans, AgreesWithAPlainLoopRoundForRound) {
  const Clouds source;
  for (const int64_t rounds : {1, 3}) {
    const KMeans program(source, all_rows(), {.clusters = 4, .rounds = rounds});
    const State state = program.initial();
    const auto first = state.shared.values(0);
    const auto expected = plain_loop({first.begin(), first.end()}, rounds);
    const auto run = engines::run_local(program, 2, {}).run;
    const auto centres = run.state.shared.values(0);
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(centres[i], expected[i], 1e-4) << i;
  }
}

TEST(KMeans, StopsWhenNoCentreMoves) {
  const auto done = run({.clusters = 1, .rounds = 50}, 2);
  EXPECT_EQ(done.run.rounds, 2);  // the first finds the mean, the second finds it again
  EXPECT_EQ(done.run.state.notes, "settled");
}

TEST(KMeans, RefusesMoreCentresThanRows) {
  const Clouds source;
  EXPECT_THROW(KMeans(source, {0, 1}, {.clusters = 3}), ConfigError);
}

}  // namespace
