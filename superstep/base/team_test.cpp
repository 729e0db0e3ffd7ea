#include "superstep/base/team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace superstep {
namespace {

// Returns when `arrived` has been called for all parts: so that none is left to another's thread.
void meet(std::atomic<int>& arrived, int parts) {
  ++arrived;
  while (arrived < parts) std::this_thread::yield();
}

TEST(Team, ComputesEveryPartOnceAllAtOnce) {
  for (const int size : {1, 2, 3, 4}) {
    Team team(size);
    const Team::Scope scope(team);
    for (const int64_t count : {0, 1, 2, 3, 5, 100, 1001}) {
      std::vector<int> seen(static_cast<size_t>(count));
      std::vector<std::thread::id> threads(static_cast<size_t>(size));
      const int parts = parts_of(count, {});
      EXPECT_EQ(parts, std::clamp<int64_t>(count, 1, size));
      std::atomic<int> arrived = 0;
      split(count, {}, [&](const Part& part) {
        threads[static_cast<size_t>(part.member)] = std::this_thread::get_id();
        meet(arrived, parts);
        for (int64_t i = part.begin; i < part.end; ++i) ++seen[static_cast<size_t>(i)];
      });
      EXPECT_EQ(seen, std::vector<int>(static_cast<size_t>(count), 1)) << size << " threads";
      EXPECT_EQ(threads[0], std::this_thread::get_id());
      for (int a = 0; a < parts; ++a)
        for (int b = 0; b < a; ++b)
          EXPECT_NE(threads[static_cast<size_t>(a)], threads[static_cast<size_t>(b)]);
    }
  }
}

TEST(Team, CutsWhereItMayAndNoSmallerThanIsWorthIt) {
  Team team(4);
  const Team::Scope scope(team);
  const auto beginnings = [](int64_t count, const Cut& cut) {
    std::vector<int64_t> at(static_cast<size_t>(parts_of(count, cut)));
    split(count, cut, [&](const Part& part) { at[static_cast<size_t>(part.member)] = part.begin; });
    return at;
  };
  // 100 in steps of 16: quarters begin at 25, 50 and 75, which is down to 16, 48 and 64.
  EXPECT_EQ(beginnings(100, {.step = 16}), (std::vector<int64_t>{0, 16, 48, 64}));
  EXPECT_EQ(beginnings(100, {.fewest = 40}), (std::vector<int64_t>{0, 50}));
  EXPECT_EQ(beginnings(100, {.fewest = 101}), (std::vector<int64_t>{0}));
  EXPECT_EQ(beginnings(31, {.step = 16}), (std::vector<int64_t>{0}));
}

TEST(Team, SeesWhatTheThreadWroteAndTheThreadWhatItWrote) {
  constexpr int kRounds = 2000;
  Team team(3);
  const Team::Scope scope(team);
  std::vector<int64_t> numbers(300), next(300);
  for (int round = 0; round < kRounds; ++round) {
    // Every part reads what all parts of the round before wrote.
    split(300, {}, [&](const Part& part) {
      const int64_t sum = std::accumulate(numbers.begin(), numbers.end(), int64_t{0});
      for (int64_t i = part.begin; i < part.end; ++i) next[static_cast<size_t>(i)] = sum % 1000 + i;
    });
    std::swap(numbers, next);
  }
  // The same on one thread.
  std::vector<int64_t> expected(300);
  for (int round = 0; round < kRounds; ++round) {
    const int64_t sum = std::accumulate(expected.begin(), expected.end(), int64_t{0});
    for (int64_t i = 0; i < 300; ++i) expected[static_cast<size_t>(i)] = sum % 1000 + i;
  }
  EXPECT_EQ(numbers, expected);
}

TEST(Team, WakesMembersThatSleep) {
  Team team(2);
  const Team::Scope scope(team);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // ten times what they spin
    std::atomic<int> arrived = 0;
    split(2, {}, [&](const Part& part) {
      meet(arrived, 2);
      // Every other round it is this thread that has to wait, and sleeps.
      if (part.member == round % 2) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    });
    EXPECT_EQ(arrived, 2);
  }
}

TEST(Team, DoesThePartOfAMemberThatIsLongInComing) {
  Team team(2);
  const Team::Scope scope(team);
  // No part waits for another: whoever does the second, and when, both are done once.
  std::vector<int> seen(2);
  for (int round = 0; round < 5000; ++round)
    split(2, {}, [&](const Part& part) { ++seen[static_cast<size_t>(part.member)]; });
  EXPECT_EQ(seen, (std::vector<int>{5000, 5000}));
}

TEST(Team, CutsNoPartAgain) {
  Team team(2);
  const Team::Scope scope(team);
  std::atomic<int> calls = 0;
  split(2, {}, [&](const Part&) {
    EXPECT_EQ(Team::current(), nullptr);
    split(100, {}, [&](const Part& part) {
      EXPECT_EQ(part.end - part.begin, 100);
      ++calls;
    });
  });
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(Team::current(), &team);
}

TEST(Team, BelongsToTheThreadWhoseScopeItIs) {
  EXPECT_EQ(Team::current(), nullptr);
  Team outer(2), inner(3);
  {
    const Team::Scope scope(outer);
    {
      const Team::Scope within(inner);
      EXPECT_EQ(Team::current(), &inner);
      std::jthread([] { EXPECT_EQ(Team::current(), nullptr); });
    }
    EXPECT_EQ(Team::current(), &outer);
  }
  EXPECT_EQ(Team::current(), nullptr);
}

TEST(Team, ThrowsWhatItsLowestMemberThrewWhenAllAreDone) {
  Team team(3);
  const Team::Scope scope(team);
  for (int round = 0; round < 100; ++round) {
    std::atomic<int> done = 0;
    std::string message;
    try {
      split(3, {}, [&](const Part& part) {
        ++done;
        if (part.member > 0) throw std::runtime_error(std::to_string(part.member));
      });
    } catch (const std::runtime_error& error) {
      message = error.what();
      EXPECT_EQ(done, 3);
    }
    EXPECT_EQ(message, "1");
  }
  int parts = 0;  // and is as good as new
  split(1, {}, [&](const Part&) { ++parts; });
  EXPECT_EQ(parts, 1);
}

TEST(Team, RoundsAndFlushesAsTheLaneDoes) {
  Team team(2);
  const Team::Scope scope(team);
  float half = 1;
  std::atomic<int> arrived = 0;
  split(2, {}, [&](const Part& part) {
    meet(arrived, 2);
    if (part.member == 0) return;
    volatile float least = std::numeric_limits<float>::min();
    half = least * 0.5F;
  });
  EXPECT_EQ(half, 0.0F);
}

}  // namespace
}  // namespace superstep
