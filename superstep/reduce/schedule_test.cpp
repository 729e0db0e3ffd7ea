// One decision a test. What all of them come to together is schedule_simulator_test.cpp.
#include "superstep/reduce/schedule.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace superstep::reduce {
namespace {

constexpr Digest kSame = {1, 1}, kOther = {2, 2};

template <class T>
std::vector<T> all(const std::vector<Action>& actions) {
  std::vector<T> found;
  for (const Action& action : actions)
    if (const T* a = std::get_if<T>(&action)) found.push_back(*a);
  return found;
}

template <class T>
T only(const std::vector<Action>& actions) {
  const std::vector<T> found = all<T>(actions);
  EXPECT_EQ(found.size(), 1U);
  return found.empty() ? T{} : found[0];
}

template <class T>
bool has(const std::vector<Action>& actions) {
  return !all<T>(actions).empty();
}

/// A schedule and what a caller would do: workers 1, 2, ... of one lane unless said otherwise.
struct Job {
  explicit Job(int workers, ScheduleOptions options = {}, int lanes = 1) : schedule(options) {
    for (int w = 1; w <= workers; ++w) (void)on(Joined{.worker = w, .lanes = lanes});
  }
  std::vector<Action> on(const Event& event) { return schedule.on(event, now); }
  std::vector<Action> begin(int units) { return schedule.begin(units, now); }
  std::vector<Action> tick_at(Seconds time) {
    now = time;
    return on(Tick{});
  }
  /// All workers but `silent` say that they live, then a tick, every second until `time`.
  std::vector<Action> live_until(Seconds time, WorkerId silent = 0) {
    std::vector<Action> said;
    while (now < time) {
      now += 1;
      for (WorkerId w = 1; w <= 3; ++w)
        if (w != silent) (void)on(Beat{w, 0, 0});
      for (Action& a : on(Tick{})) said.push_back(std::move(a));
    }
    return said;
  }
  std::vector<Action> notice(const Grant& g, Digest digest = kSame) {
    return on(Noticed{g.worker, g.lease, digest});
  }
  std::vector<Action> arrive(const Grant& g) { return on(Arrived{g.worker, {g.lease}}); }
  /// Notice and arrival; what both led to.
  std::vector<Action> finish(const Grant& g) {
    std::vector<Action> said = notice(g);
    for (Action& a : arrive(g)) said.push_back(std::move(a));
    return said;
  }
  Schedule schedule;
  Seconds now = 0;
};

TEST(Schedule, CountsEachUnitOnceAndThenTheRoundIsDone) {
  Job job(2);
  const auto grants = all<Grant>(job.begin(3));
  ASSERT_EQ(grants.size(), 2U);  // two lanes
  const auto said = job.notice(grants[0]);
  EXPECT_EQ(only<Push>(said).lease, grants[0].lease);
  const Grant third = only<Grant>(said);  // the lane is free once the result is noticed
  EXPECT_EQ(third.unit, 2);
  const auto folded = job.arrive(grants[0]);
  ASSERT_FALSE(folded.empty());
  EXPECT_TRUE(std::holds_alternative<Fold>(folded[0]));
  EXPECT_EQ(only<Fold>(folded).units, std::vector<int>{0});
  EXPECT_FALSE(has<RoundDone>(job.finish(third)));
  EXPECT_TRUE(has<RoundDone>(job.finish(grants[1])));
  EXPECT_TRUE(job.schedule.done());
  EXPECT_EQ(job.schedule.counters().granted, 3);
}

TEST(Schedule, ARoundOfNoUnitsIsDoneAtOnce) {
  Job job(1);
  EXPECT_TRUE(has<RoundDone>(job.begin(0)));
  EXPECT_TRUE(job.schedule.done());
}

TEST(Schedule, SpreadsUnitsOverWorkersAndGivesThemBackToTheSameOnes) {
  Job job(2, {}, /*lanes=*/2);
  const auto first = all<Grant>(job.begin(4));
  ASSERT_EQ(first.size(), 4U);
  std::map<int, WorkerId> owner;
  for (const Grant& g : first) owner[g.unit] = g.worker;
  EXPECT_EQ(owner, (std::map<int, WorkerId>{{0, 1}, {1, 2}, {2, 1}, {3, 2}}));
  for (const Grant& g : first) (void)job.finish(g);
  // A third worker is new and idle, and still: who had a unit keeps it.
  (void)job.on(Joined{.worker = 0, .lanes = 2});
  for (const Grant& g : all<Grant>(job.begin(4))) EXPECT_EQ(g.worker, owner[g.unit]);
}

TEST(Schedule, AnIdleLaneTakesWhatWaitsForABusyOwner) {
  Job job(1);
  for (Grant g = only<Grant>(job.begin(3));;) {  // worker 1 computes all three
    const auto said = job.finish(g);
    if (has<RoundDone>(said)) break;
    g = only<Grant>(said);
  }
  EXPECT_EQ(only<Grant>(job.begin(3)).unit, 0);
  const Grant taken = only<Grant>(job.on(Joined{.worker = 2}));
  EXPECT_EQ(taken.worker, 2);
  EXPECT_EQ(taken.unit, 2);  // the last one waiting
}

TEST(Schedule, ALostWorkerGivesItsLeasesBack) {
  Job job(2);
  const auto grants = all<Grant>(job.begin(2));
  (void)job.finish(grants[1]);
  const Grant again = only<Grant>(job.on(Lost{1}));
  EXPECT_EQ(again.worker, 2);
  EXPECT_EQ(again.unit, grants[0].unit);
  EXPECT_NE(again.lease, grants[0].lease);
  // What the lost one still says is not wanted.
  EXPECT_TRUE(has<Drop>(job.notice(grants[0])));
  EXPECT_TRUE(has<Discard>(job.arrive(grants[0])));
  EXPECT_TRUE(has<RoundDone>(job.finish(again)));
  EXPECT_EQ(job.schedule.counters().released, 1);
}

TEST(Schedule, ALostClaimantVoidsTheClaim) {
  Job job(2);
  const auto grants = all<Grant>(job.begin(2));
  (void)job.finish(grants[1]);
  EXPECT_TRUE(has<Push>(job.notice(grants[0])));
  const Grant again = only<Grant>(job.on(Lost{1}));
  EXPECT_EQ(again.unit, grants[0].unit);
  EXPECT_TRUE(has<Discard>(job.on(Arrived{2, {grants[0].lease}})));  // it came by way of another
  EXPECT_TRUE(has<RoundDone>(job.finish(again)));
}

TEST(Schedule, ASumWithOneUnclaimedLeaseIsDiscardedWhole) {
  Job job(1, {}, /*lanes=*/2);
  const auto grants = all<Grant>(job.begin(2));
  (void)job.notice(grants[0]);
  const auto said = job.on(Arrived{1, {grants[0].lease, grants[1].lease}});
  ASSERT_FALSE(said.empty());
  EXPECT_TRUE(std::holds_alternative<Discard>(said[0]));
  EXPECT_EQ(only<Push>(said).lease, grants[0].lease);  // that one is still wanted, alone
  EXPECT_TRUE(has<Fold>(job.arrive(grants[0])));
  EXPECT_TRUE(has<Discard>(job.arrive(grants[0])));  // counted already
  EXPECT_TRUE(has<Discard>(job.on(Arrived{1, {}})));
  EXPECT_EQ(job.schedule.counters().discarded, 3);
  (void)job.notice(grants[1]);
  EXPECT_TRUE(has<Discard>(job.on(Arrived{1, {grants[1].lease, grants[1].lease}})));
  EXPECT_TRUE(has<RoundDone>(job.arrive(grants[1])));
}

TEST(Schedule, AnswersWhatComesTwiceTheSameWay) {
  Job job(1);
  const Grant g = only<Grant>(job.begin(1));
  EXPECT_TRUE(has<Push>(job.notice(g)));
  EXPECT_TRUE(has<Push>(job.notice(g)));
  EXPECT_EQ(job.schedule.counters().compared, 0);  // one result, said twice
  EXPECT_TRUE(has<RoundDone>(job.arrive(g)));
  EXPECT_TRUE(has<Drop>(job.notice(g)));
  EXPECT_TRUE(has<Drop>(job.notice({1, 12345, 0})));
}

TEST(Schedule, ALeaseOfAnOlderRoundOrAttemptCountsForNothing) {
  Job job(1);
  const Grant old = only<Grant>(job.begin(1));
  (void)job.finish(old);
  (void)job.begin(1);
  EXPECT_TRUE(has<Drop>(job.notice(old)));
  EXPECT_TRUE(has<Discard>(job.arrive(old)));

  Job after_restart(1, {.attempt = 2, .round = 1});
  const Grant now = only<Grant>(after_restart.begin(1));
  EXPECT_NE(now.lease, old.lease);
  EXPECT_TRUE(has<Discard>(after_restart.arrive(old)));
  EXPECT_TRUE(has<RoundDone>(after_restart.finish(now)));
}

TEST(Schedule, ASilentLaneGetsABackupAndTheFirstClaimWins) {
  Job job(2, {.silence = 30, .dead = 1000});
  const Grant first = only<Grant>(job.begin(1));
  EXPECT_FALSE(has<Grant>(job.live_until(20)));
  (void)job.on(Beat{first.worker, first.lease, 1});
  EXPECT_FALSE(has<Grant>(job.live_until(50)));
  const Grant backup = only<Grant>(job.live_until(100));  // one, though the lane stays silent
  EXPECT_EQ(backup.unit, 0);
  EXPECT_NE(backup.worker, first.worker);
  EXPECT_EQ(job.schedule.counters().backups, 1);

  EXPECT_TRUE(has<Push>(job.notice(backup)));
  const auto said = job.arrive(backup);
  EXPECT_TRUE(has<RoundDone>(said));
  EXPECT_EQ(only<Drop>(said).lease, first.lease);  // stop
  // The hung lane gets nothing until it says that it is free.
  EXPECT_EQ(only<Grant>(job.begin(2)).worker, backup.worker);
  EXPECT_EQ(only<Grant>(job.on(Stopped{first.worker, first.lease})).worker, first.worker);
}

TEST(Schedule, ABeatThatComesTwiceIsNoSignOfProgress) {
  Job job(2, {.silence = 30, .dead = 1000});
  const Grant first = only<Grant>(job.begin(1));
  (void)job.on(Beat{first.worker, first.lease, 5});
  (void)job.live_until(25);
  (void)job.on(Beat{first.worker, first.lease, 5});
  (void)job.on(Beat{first.worker, first.lease, 4});
  EXPECT_TRUE(has<Grant>(job.live_until(35)));
}

TEST(Schedule, AUnitMuchSlowerThanTheMedianGetsABackup) {
  Job job(2, {.silence = kNever, .slow_factor = 3}, /*lanes=*/2);
  const auto grants = all<Grant>(job.begin(4));
  job.now = 2;
  (void)job.on(Tick{});
  for (size_t i = 0; i < 2; ++i) (void)job.finish(grants[i]);
  EXPECT_FALSE(has<Grant>(job.live_until(9)));  // two finished: too few to say what is slow
  Grant last = grants[3];
  (void)job.finish(grants[2]);
  EXPECT_TRUE(has<Grant>(job.live_until(10)));  // durations 2, 2, 9: median 2, and 10 > 3 * 2
  EXPECT_EQ(job.schedule.counters().backups, 1);
  EXPECT_TRUE(has<RoundDone>(job.finish(last)));
}

TEST(Schedule, NeverBacksUpOnTheSameWorker) {
  Job job(1, {.silence = 5, .dead = 1000}, /*lanes=*/3);
  (void)job.begin(1);
  EXPECT_FALSE(has<Grant>(job.live_until(100)));
}

TEST(Schedule, ASecondResultIsComparedAndADifferenceReported) {
  for (const Digest digest : {kSame, kOther}) {
    Job job(2, {.silence = 5, .dead = 1000});
    const Grant first = only<Grant>(job.begin(1));
    const Grant backup = only<Grant>(job.live_until(10));
    (void)job.notice(first, kSame);
    const auto said = job.notice(backup, digest);
    EXPECT_EQ(only<Drop>(said).lease, backup.lease);
    EXPECT_EQ(has<Conflict>(said), digest == kOther);
    EXPECT_EQ(job.schedule.counters().compared, 1);
    EXPECT_EQ(job.schedule.counters().conflicts, digest == kOther ? 1 : 0);
    EXPECT_TRUE(has<RoundDone>(job.arrive(first)));
  }
}

TEST(Schedule, AVoidClaimIsLeasedAgainEvenWhereADuplicateWasDropped) {
  Job job(2, {.silence = 5, .dead = 1000});
  const Grant first = only<Grant>(job.begin(1));
  const Grant backup = only<Grant>(job.live_until(10));
  (void)job.notice(first);
  EXPECT_TRUE(has<Drop>(job.notice(backup)));
  const Grant again = only<Grant>(job.on(Lost{first.worker}));
  EXPECT_TRUE(has<RoundDone>(job.finish(again)));
  EXPECT_EQ(job.schedule.counters().compared, 2);  // the one that was lost had said its digest
}

TEST(Schedule, ASilentWorkerIsExpelled) {
  Job job(2, {.silence = kNever, .dead = 60});
  const auto grants = all<Grant>(job.begin(2));
  (void)job.finish(grants[1]);
  EXPECT_TRUE(job.live_until(60, /*silent=*/1).empty());
  const auto said = job.live_until(62, /*silent=*/1);
  EXPECT_EQ(only<Expel>(said).worker, 1);
  EXPECT_EQ(only<Expel>(said).reason, "silent for 61 s");
  EXPECT_EQ(only<Grant>(said).worker, 2);
  EXPECT_EQ(job.schedule.workers(), 1);
}

TEST(Schedule, AHungLeaseIsGivenUpAndAWorkerWithNoOtherLaneExpelled) {
  Job job(1, {.silence = 30, .dead = 60});
  const Grant first = only<Grant>(job.begin(1));
  auto said = job.live_until(62);
  EXPECT_EQ(all<Drop>(said).at(0).lease, first.lease);
  EXPECT_FALSE(has<Grant>(said));  // its only lane is not free
  said = job.live_until(130);
  EXPECT_EQ(only<Expel>(said).reason, "no lane has moved for 60 s");
  EXPECT_EQ(only<Grant>(job.on(Joined{.worker = 2})).unit, 0);
}

TEST(Schedule, AClaimThatNeverArrivesIsGivenUp) {
  Job job(1, {.silence = 30, .dead = 60});
  const Grant first = only<Grant>(job.begin(1));
  (void)job.notice(first);
  const Grant again = only<Grant>(job.live_until(62));
  EXPECT_EQ(again.unit, 0);
  EXPECT_TRUE(has<Discard>(job.arrive(first)));
  EXPECT_TRUE(has<RoundDone>(job.finish(again)));
}

TEST(Schedule, AClaimThatBeatsWhileItsUpdateIsOnTheWayIsNotGivenUp) {
  Job job(1, {.silence = 30, .dead = 60});
  const Grant first = only<Grant>(job.begin(1));
  (void)job.notice(first);
  EXPECT_TRUE(job.live_until(50).empty());
  (void)job.on(Beat{first.worker, first.lease, 1});
  EXPECT_TRUE(job.live_until(100).empty());
  EXPECT_TRUE(has<RoundDone>(job.arrive(first)));
}

TEST(Schedule, ALateTickRenewsAllAndExpiresNone) {
  Job job(2, {.silence = 30, .dead = 60, .late = 10});
  (void)job.begin(1);
  EXPECT_TRUE(job.tick_at(1).empty());
  EXPECT_TRUE(job.tick_at(500).empty());  // it was we who slept
  EXPECT_TRUE(job.tick_at(505).empty());
  EXPECT_TRUE(has<Grant>(job.live_until(540)));  // from then on silence counts again
}

TEST(Schedule, AnAuditedUnitIsLeasedTwiceAndTheRoundWaitsForBoth) {
  Job job(2, {.audit = 1});
  const auto grants = all<Grant>(job.begin(1));
  ASSERT_EQ(grants.size(), 2U);
  EXPECT_EQ(grants[0].unit, grants[1].unit);
  EXPECT_NE(grants[0].worker, grants[1].worker);
  EXPECT_FALSE(has<RoundDone>(job.finish(grants[1])));
  const auto said = job.notice(grants[0], kOther);
  EXPECT_TRUE(has<Conflict>(said));
  EXPECT_TRUE(has<RoundDone>(said));
  EXPECT_EQ(job.schedule.counters().audited, 1);
}

TEST(Schedule, ALoneWorkerAuditsItself) {
  Job job(1, {.audit = 1});
  const auto said = job.finish(only<Grant>(job.begin(1)));
  EXPECT_FALSE(has<RoundDone>(said));
  EXPECT_TRUE(has<RoundDone>(job.notice(only<Grant>(said))));
  EXPECT_EQ(job.schedule.counters().compared, 1);
}

TEST(Schedule, AnAuditThatIsLostIsGivenUp) {
  Job job(2, {.audit = 1});
  const auto grants = all<Grant>(job.begin(1));
  (void)job.finish(grants[0]);
  EXPECT_TRUE(has<RoundDone>(job.on(Lost{grants[1].worker})));
}

TEST(Schedule, AuditsDependOnUnitAndRoundAlone) {
  const auto audited = [](int64_t round, int workers) {
    Job job(workers, {.round = round, .audit = 0.25}, /*lanes=*/200);
    std::multiset<int> leased;
    for (const Grant& g : all<Grant>(job.begin(100))) leased.insert(g.unit);
    std::set<int> twice;
    for (const int u : leased)
      if (leased.count(u) == 2) twice.insert(u);
    return twice;
  };
  EXPECT_EQ(audited(5, 1), audited(5, 3));
  EXPECT_NE(audited(5, 1), audited(6, 1));
  EXPECT_GT(audited(5, 1).size(), 10U);  // 25 of 100, give or take
  EXPECT_LT(audited(5, 1).size(), 40U);
}

TEST(Schedule, AUnitThatKillsThreeWorkersOnTwoHostsStopsTheJob) {
  Job job(0);
  (void)job.on(Joined{.worker = 9, .host = "b"});
  (void)job.on(Lost{.worker = 9, .died = false});
  (void)job.begin(1);
  const auto die_on = [&](WorkerId worker, const std::string& host) {
    EXPECT_TRUE(has<Grant>(job.on(Joined{.worker = worker, .host = host})));
    return job.on(Lost{worker});
  };
  // Ever so often on one host of two: that host may be ill.
  for (WorkerId w = 1; w <= 4; ++w) EXPECT_FALSE(has<Poisoned>(die_on(w, "a")));
  const Poisoned poisoned = only<Poisoned>(die_on(5, "b"));
  EXPECT_EQ(poisoned.unit, 0);
  EXPECT_EQ(poisoned.reason, "5 workers died while they computed it, on a, b");
  EXPECT_FALSE(has<Grant>(job.on(Joined{.worker = 6, .host = "c"})));
}

TEST(Schedule, AUnitThatKillsThreeWorkersStopsTheJobWhereThereIsOneHostAlone) {
  Job job(0);
  (void)job.begin(1);
  for (WorkerId w = 1; w <= 3; ++w) {
    EXPECT_TRUE(has<Grant>(job.on(Joined{.worker = w, .host = "a"})));
    EXPECT_EQ(has<Poisoned>(job.on(Lost{w})), w == 3);
  }
}

TEST(Schedule, AWorkerThatLeavesOrComesBackHasNotDiedOverItsUnit) {
  Job job(0);
  (void)job.begin(1);
  for (WorkerId w = 1; w <= 5; ++w) {  // each leaves
    EXPECT_TRUE(has<Grant>(job.on(Joined{.worker = w, .host = "a", .process = w})));
    EXPECT_FALSE(has<Poisoned>(job.on(Lost{.worker = w, .died = false})));
  }
  for (WorkerId w = 6; w <= 10; ++w) {  // one process whose connection is cut again and again
    EXPECT_TRUE(has<Grant>(job.on(Joined{.worker = w, .host = "a", .process = 77})));
    EXPECT_FALSE(has<Poisoned>(job.on(Lost{w})));
  }
}

TEST(Schedule, WorkersWithoutAHostCountAsOneEach) {
  Job job(0);
  (void)job.begin(1);
  for (WorkerId w = 1; w <= 3; ++w) {
    EXPECT_TRUE(has<Grant>(job.on(Joined{.worker = w})));
    EXPECT_EQ(has<Poisoned>(job.on(Lost{w})), w == 3);
  }
}

TEST(Schedule, AWorkerThatDiesWithAFinishedResultIsNotTheUnitsFault) {
  Job job(0);
  (void)job.begin(1);
  for (WorkerId w = 1; w <= 5; ++w) {
    (void)job.notice(only<Grant>(job.on(Joined{.worker = w})));
    EXPECT_FALSE(has<Poisoned>(job.on(Lost{w})));
  }
}

TEST(Schedule, AsksForADigestWhereThereIsASecondLease) {
  Job job(2);
  const auto grants = all<Grant>(job.begin(2));
  ASSERT_EQ(grants.size(), 2U);
  for (const Grant& grant : grants) EXPECT_FALSE(grant.compares);
  (void)job.on(Noticed{grants[1].worker, grants[1].lease, std::nullopt});
  (void)job.arrive(grants[1]);
  const auto said = job.live_until(40);
  const Grant backup = only<Grant>(said);
  EXPECT_TRUE(backup.compares);
  EXPECT_EQ(only<Compare>(said).lease, grants[0].lease);
  EXPECT_EQ(only<Compare>(said).worker, grants[0].worker);
  EXPECT_FALSE(has<Conflict>(job.notice(grants[0])));
  EXPECT_FALSE(has<Conflict>(job.notice(backup)));
  EXPECT_EQ(job.schedule.counters().compared, 1);
  EXPECT_TRUE(has<RoundDone>(job.arrive(grants[0])));
}

TEST(Schedule, ComparesNothingWithAResultThatCameBeforeItsDigestWasAskedFor) {
  Job job(2);
  const Grant first = only<Grant>(job.begin(1));
  const Grant backup = only<Grant>(job.live_until(40));
  EXPECT_TRUE(has<Push>(job.on(Noticed{first.worker, first.lease, std::nullopt})));
  EXPECT_TRUE(has<Drop>(job.notice(backup)));
  EXPECT_EQ(job.schedule.counters().compared, 0);
  EXPECT_TRUE(has<RoundDone>(job.arrive(first)));
}

TEST(Schedule, AsksBothForADigestWhereAUnitIsAudited) {
  Job job(2, {.audit = 1});
  const auto grants = all<Grant>(job.begin(1));
  ASSERT_EQ(grants.size(), 2U);
  for (const Grant& grant : grants) EXPECT_TRUE(grant.compares);
}

TEST(Schedule, NamesItsMembersAndWhatEachHolds) {
  Job job(1, {}, /*lanes=*/2);
  job.now = 5;
  (void)job.on(Joined{.worker = 2, .lanes = 1, .host = "node-2"});
  const auto grants = all<Grant>(job.begin(3));
  ASSERT_EQ(grants.size(), 3U);
  const auto members = job.schedule.members();
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[0].lanes, 2);
  EXPECT_EQ(members[0].heard, 0);
  EXPECT_EQ(members[0].units.size(), 2U);
  EXPECT_EQ(members[1].host, "node-2");
  EXPECT_EQ(members[1].heard, 5);
  EXPECT_EQ(members[1].units.size(), 1U);
  for (const Grant& g : grants) (void)job.finish(g);
  EXPECT_TRUE(job.schedule.members()[0].units.empty());
  (void)job.on(Lost{1});
  EXPECT_EQ(job.schedule.members().size(), 1U);
}

/// Workers of one lane: 1 on "a.example", 2 on "b.example".
Job two_hosts(ScheduleOptions options = {}) {
  Job job(0, options);
  (void)job.on(Joined{.worker = 1, .host = "a.example"});
  (void)job.on(Joined{.worker = 2, .host = "b.example"});
  return job;
}
using Hosts = std::vector<std::vector<std::string>>;

std::map<int, WorkerId> by_unit(const std::vector<Grant>& grants) {
  std::map<int, WorkerId> found;
  for (const Grant& g : grants) found[g.unit] = g.worker;
  return found;
}

TEST(Schedule, GivesAFreeLaneTheFirstUnitOfItsHost) {
  Job job = two_hosts();
  // "b": without its domain; unit 2 is on both.
  const auto first = all<Grant>(job.schedule.begin(
      4, 0, Hosts{{"b"}, {"b.example"}, {"c", "b.example", "a.example"}, {"a.example"}}));
  EXPECT_EQ(by_unit(first), (std::map<int, WorkerId>{{0, 2}, {2, 1}}));
  EXPECT_EQ(only<Grant>(job.finish(first[0])).unit, 3);  // worker 1
  EXPECT_EQ(only<Grant>(job.finish(first[1])).unit, 1);
}

TEST(Schedule, LeavesAUnitToAWorkerOfItsHostForAWhile) {
  Job job = two_hosts({.near_wait = 3});
  const auto first =
      all<Grant>(job.schedule.begin(3, 0, Hosts{{"a.example"}, {"b.example"}, {"b.example"}}));
  ASSERT_EQ(by_unit(first), (std::map<int, WorkerId>{{0, 1}, {1, 2}}));
  EXPECT_FALSE(has<Grant>(job.finish(first[0])));  // unit 2 is left to worker 2, which is busy
  EXPECT_FALSE(has<Grant>(job.tick_at(2.9)));
  const Grant far = only<Grant>(job.tick_at(3));
  EXPECT_EQ(far.worker, 1);
  EXPECT_EQ(far.unit, 2);
  // The wait is the round's: what comes free later takes what there is.
  (void)job.finish(first[1]);
  EXPECT_TRUE(has<RoundDone>(job.finish(far)));
}

TEST(Schedule, TakesWhatNoWorkerIsNearToAtOnce) {
  Job job = two_hosts();
  const auto first = all<Grant>(job.schedule.begin(3, 0, Hosts{{"c"}, {"d"}, {}}));
  EXPECT_EQ(by_unit(first), (std::map<int, WorkerId>{{0, 2}, {2, 1}}));
}

TEST(Schedule, WaitsForWorkersThatAreExpected) {
  Job job(0, {.near_wait = 1, .expected = 2, .expected_wait = 10});
  EXPECT_FALSE(has<Grant>(job.schedule.begin(2, 0, Hosts{{"b"}, {"b"}})));
  job.now = 10;  // the wait begins with the first worker
  EXPECT_FALSE(has<Grant>(job.on(Joined{.worker = 1, .host = "a"})));
  EXPECT_FALSE(has<Grant>(job.tick_at(19)));
  // It has one of its own; none is expected any more, and the round's wait is over.
  EXPECT_EQ(by_unit(all<Grant>(job.on(Joined{.worker = 2, .host = "b"}))),
            (std::map<int, WorkerId>{{0, 2}, {1, 1}}));
}

TEST(Schedule, WaitsForExpectedWorkersOnce) {
  Job job(0, {.expected = 2, .expected_wait = 10});
  (void)job.on(Joined{.worker = 1, .host = "a"});
  EXPECT_FALSE(has<Grant>(job.schedule.begin(1, 0, Hosts{{"b"}})));
  EXPECT_FALSE(has<Grant>(job.tick_at(9.9)));
  (void)job.finish(only<Grant>(job.tick_at(10)));
  EXPECT_TRUE(has<Grant>(job.schedule.begin(1, 10, Hosts{{"b"}})));
}

TEST(Schedule, AUnitGoesBackToWhoHadItUnlessItsBytesLieElsewhere) {
  Job job = two_hosts();
  for (const Grant& g : all<Grant>(job.schedule.begin(2, 0, Hosts{{"a.example"}, {"b.example"}})))
    (void)job.finish(g);
  const auto without = all<Grant>(job.begin(2));
  EXPECT_EQ(by_unit(without), (std::map<int, WorkerId>{{0, 1}, {1, 2}}));
  for (const Grant& g : without) (void)job.finish(g);
  // Unit 0 of this round is of other rows.
  EXPECT_EQ(by_unit(all<Grant>(job.schedule.begin(2, 0, Hosts{{"b.example"}, {"a.example"}}))),
            (std::map<int, WorkerId>{{0, 2}, {1, 1}}));
}

TEST(Schedule, ANearUnitOfALostWorkerGoesElsewhere) {
  Job job = two_hosts();
  const auto first =
      all<Grant>(job.schedule.begin(3, 0, Hosts{{"a.example"}, {"b.example"}, {"b.example"}}));
  (void)job.finish(first[0]);
  const Grant again = only<Grant>(job.on(Lost{2}));  // nobody is near to it now
  EXPECT_EQ(again.worker, 1);
  EXPECT_TRUE(has<Grant>(job.finish(again)));
}

TEST(Schedule, AHostWhereThreeWorkersDiedGetsNoMoreWhileAnotherIsThere) {
  Job job(0, {.silence = kNever, .slow_factor = kNever});
  (void)job.on(Joined{.worker = 9, .lanes = 2, .host = "well"});
  (void)job.begin(9);  // two of them to worker 9
  for (WorkerId w = 1; w <= 3; ++w) {
    EXPECT_EQ(only<Grant>(job.on(Joined{.worker = w, .host = "ill", .process = w})).worker, w);
    (void)job.on(Lost{w});
  }
  EXPECT_FALSE(has<Grant>(job.on(Joined{.worker = 4, .host = "ill", .process = 4})));
  // One that comes back has only lost its connection: it did not die.
  EXPECT_TRUE(has<Grant>(job.on(Joined{.worker = 5, .host = "ill", .process = 3})));
}

TEST(Schedule, WhereThereIsNoOtherHostAnIllOneGoesOn) {
  Job job(0, {.silence = kNever, .slow_factor = kNever});
  (void)job.on(Joined{.worker = 9, .host = "well"});
  (void)job.begin(9);
  for (WorkerId w = 1; w <= 3; ++w) {
    (void)job.on(Joined{.worker = w, .host = "ill", .process = w});
    (void)job.on(Lost{w});
  }
  EXPECT_FALSE(has<Grant>(job.on(Joined{.worker = 4, .host = "ill", .process = 4})));
  EXPECT_EQ(only<Grant>(job.on(Lost{9})).worker, 4);
}

}  // namespace
}  // namespace superstep::reduce
