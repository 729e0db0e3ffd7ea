// Ten thousand jobs on a bad day: a coordinator (Schedule, exact sum, state) and its workers on a
// network that delays, reorders, loses and repeats messages, where lanes hang and crawl, workers
// die, links go quiet, and the coordinator sleeps or is killed and restarted from its last round.
// Whatever happens, every unit is counted once a round, the state after every round is that of a
// sequential run bit for bit, and the job ends. Time is simulated. SUPERSTEP_SIMULATOR_SEED and
// SUPERSTEP_SIMULATOR_JOBS in the environment run others; a failure prints the seed of its job.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "superstep/base/rng.h"
#include "superstep/reduce/exact_sum.h"
#include "superstep/reduce/schedule.h"

namespace superstep::reduce {
namespace {

constexpr uint64_t kSeed = 1;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int64_t kJobs = 500;
#else
constexpr int64_t kJobs = 10000;
#endif
constexpr int64_t kMostEvents = 10000;  // a job that needs more does not end
constexpr WorkerId kGone = 1 << 30;
constexpr Seconds kTickEvery = 1, kBeatEvery = 2;

int64_t from_environment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoll(text, nullptr, 10);
}

/// What has really happened, over all jobs.
struct Troubles {
  int64_t lost = 0, repeated = 0, reordered = 0, deaths = 0, hangs = 0, quiet_links = 0, sleeps = 0,
          restarts = 0, events = 0, most_events = 0;
  ScheduleCounters schedule;
};

void add(ScheduleCounters& to, const ScheduleCounters& from) {
  to.granted += from.granted;
  to.backups += from.backups;
  to.audited += from.audited;
  to.dropped += from.dropped;
  to.compared += from.compared;
  to.conflicts += from.conflicts;
  to.discarded += from.discarded;
  to.released += from.released;
  to.expelled += from.expelled;
}

// The training that is distributed: an update is a pure function of state, round and unit.

const UpdateSpec& update_spec() {
  static const UpdateSpec spec = [] {
    UpdateSpec made = UpdateSpec::means(std::make_shared<const ParamLayout>(
        std::vector<ParamSpec>{{"weight", {3}}, {"count", {1}}}));
    made.rules[1].combine = Combine::kSum;
    return made;
  }();
  return spec;
}

struct Result {
  ParamSet update{update_spec().layout};
  int64_t weight = 0;
};

constexpr int64_t kMostWeight = 4;

Result compute(const ParamSet& state, int64_t round, int unit) {
  const RngKey key = RngKey(static_cast<uint64_t>(round)).fold(static_cast<uint64_t>(unit));
  Result result;
  for (size_t i = 0; i < 3; ++i)
    result.update.values(0)[i] =
        static_cast<float>(key.uniform(i) - 0.5) - 0.3F * state.values(0)[i];
  result.update.values(1)[0] = 1.0F;
  result.weight = static_cast<int64_t>(key.bits(9) % (kMostWeight + 1));
  return result;
}

ExactSum empty_sum(int units) { return {update_spec(), kMostWeight * units, units}; }

void apply(const ExactSum& sum, ParamSet& state) {
  for (int t = 0; t < 2; ++t)
    for (size_t i = 0; i < state.values(t).size(); ++i)
      state.values(t)[i] =
          static_cast<float>(static_cast<double>(state.values(t)[i]) + sum.value(t, i));
}

/// A sum on its way, and what it was made of.
struct Parcel {
  int64_t round = 0;
  std::vector<int> units;
  ExactSum sum;
};

class SimulatedJob {
 public:
  SimulatedJob(uint64_t seed, Troubles& troubles) : key_(RngKey(seed)), troubles_(troubles) {
    units_ = pick(1, 8);
    rounds_ = pick(1, 3);
    const int workers = pick(1, 4);
    loss_ = chance(0.5) ? uniform() * 0.1 : 0;
    repeat_ = chance(0.5) ? uniform() * 0.2 : 0;
    hang_ = chance(0.3) ? 0.05 : 0;
    crawl_ = chance(0.3) ? 0.1 : 0;
    audit_ = chance(0.3) ? 0.3 : 0;
    for (int w = 0; w < workers; ++w) push_in(uniform() * 2, Spawn{});
    for (int n = chance(0.4) ? pick(1, 2) : 0; n > 0; --n) push_in(uniform() * 15, Death{});
    if (chance(0.2)) push_in(uniform() * 10, QuietLink{});
    if (chance(0.1)) push_in(uniform() * 10, Sleep{});
    for (int n = chance(0.3) ? pick(1, 2) : 0; n > 0; --n) push_in(uniform() * 12, Restart{});
    push_in(kTickEvery, TickNow{});
  }

  /// Runs to the end; false, with a failure on record, where it does not end.
  void run() {
    start_attempt();
    int64_t events = 0;
    while (round_ < rounds_ && !::testing::Test::HasFailure()) {
      if (++events > kMostEvents) {
        ADD_FAILURE() << "not at an end after " << events << " events, in round " << round_;
        break;
      }
      std::pop_heap(queue_.begin(), queue_.end(), later);
      Item item = std::move(queue_.back());
      queue_.pop_back();
      now_ = item.time;
      std::visit([&](auto& body) { happen(body); }, item.body);
    }
    add(troubles_.schedule, schedule_->counters());
    troubles_.events += events;
    troubles_.most_events = std::max(troubles_.most_events, events);
  }

 private:
  struct ToCoordinator {
    Event event;
    std::shared_ptr<const Parcel> parcel;  // with Arrived
    WorkerId from = 0;
    int64_t sent = 0;
  };
  struct ToWorker {
    WorkerId worker = 0;
    Action action;
    int64_t round = 0;  // with Grant, as is the state
    std::shared_ptr<const ParamSet> state;
  };
  struct Finish {
    WorkerId worker = 0;
    LeaseId lease = 0;
  };
  struct BeatNow {
    WorkerId worker = 0;
  };
  struct TickNow {};
  struct Spawn {};
  struct Death {};
  struct QuietLink {};
  struct Sleep {};
  struct Restart {};
  struct Rejoin {
    WorkerId worker = 0;
  };
  using Body = std::variant<ToCoordinator, ToWorker, Finish, BeatNow, TickNow, Spawn, Death,
                            QuietLink, Sleep, Restart, Rejoin>;
  struct Item {
    Seconds time = 0;
    int64_t order = 0;
    Body body;
  };
  static bool later(const Item& a, const Item& b) {
    return a.time != b.time ? a.time > b.time : a.order > b.order;
  }

  /// A unit at a worker, from its grant until it is dropped.
  struct Work {
    int unit = 0;
    int64_t round = 0;
    std::shared_ptr<const ParamSet> state;
    enum { kRunning, kHung, kNoticed, kPushing, kKept } stage = kRunning;
    uint64_t beats = 0;
    Result result;
    bool compares = false;
    std::optional<Digest> digest;
  };
  struct SimulatedWorker {
    bool alive = true;
    int lanes = 1;
    Seconds quiet_until = 0;
    std::map<LeaseId, Work> works;
    int64_t last_delivered = 0;
  };

  double uniform() { return key_.uniform(draws_++); }
  bool chance(double share) { return uniform() < share; }
  int pick(int from, int to) {
    return from + static_cast<int>(uniform() * static_cast<double>(to - from + 1));
  }
  void push_in(Seconds delay, Body body) {
    queue_.push_back({now_ + delay, ++order_, std::move(body)});
    std::push_heap(queue_.begin(), queue_.end(), later);
  }

  // The network: mostly quick, sometimes slow enough to be overtaken, lossy, repetitive.
  template <class Message>
  void send(WorkerId link, const Message& message) {
    if (chance(loss_) || workers_[link].quiet_until > now_) {
      ++troubles_.lost;
      return;
    }
    const auto delay = [&] { return uniform() * (chance(0.1) ? 3.0 : 0.1); };
    push_in(delay(), message);
    if (!chance(repeat_)) return;
    ++troubles_.repeated;
    push_in(delay(), message);
  }
  void tell_coordinator(WorkerId worker, Event event, std::shared_ptr<const Parcel> parcel = {}) {
    send(worker, ToCoordinator{std::move(event), std::move(parcel), worker, ++sent_});
  }
  /// What a connection does by itself: it is heard of, sooner or later, once.
  void tell_for_sure(WorkerId worker, Event event) {
    push_in(uniform(), ToCoordinator{std::move(event), {}, worker, ++sent_});
  }

  // The coordinator.

  void start_attempt() {
    schedule_ = std::make_unique<Schedule>(ScheduleOptions{.attempt = ++attempt_,
                                                           .round = round_,
                                                           .audit = audit_,
                                                           .silence = 5,
                                                           .dead = 15,
                                                           .late = 4});
    // Another host than that of the workers, so that theirs may be ill, and no unit poisonous.
    (void)schedule_->on(Joined{.worker = kGone, .host = "another"}, now_);
    (void)schedule_->on(Lost{.worker = kGone, .died = false}, now_);
    start_round();
  }
  void start_round() {
    sum_ = empty_sum(units_);
    counted_.clear();
    state_at_start_ = std::make_shared<const ParamSet>(state_);
    obey(schedule_->begin(units_, now_), nullptr);
  }
  void happen(ToCoordinator& message) {
    if (sleeps_until_ > now_) return push_in(sleeps_until_ - now_, std::move(message));
    int64_t& last = workers_[message.from].last_delivered;
    if (message.sent < last) ++troubles_.reordered;
    last = std::max(last, message.sent);
    const std::vector<Action> actions = schedule_->on(message.event, now_);
    if (message.parcel) {
      ASSERT_FALSE(actions.empty());
      ASSERT_TRUE(std::holds_alternative<Fold>(actions[0]) ||
                  std::holds_alternative<Discard>(actions[0]));
    }
    obey(actions, message.parcel.get());
  }
  void happen(TickNow&) {
    if (sleeps_until_ > now_) return push_in(sleeps_until_ - now_, TickNow{});
    push_in(kTickEvery, TickNow{});
    obey(schedule_->on(Tick{}, now_), nullptr);
  }
  void obey(const std::vector<Action>& actions, const Parcel* parcel) {
    bool round_done = false;
    for (const Action& action : actions) {
      if (const auto* grant = std::get_if<Grant>(&action)) {
        send(grant->worker, ToWorker{grant->worker, action, round_, state_at_start_});
      } else if (const auto* compare = std::get_if<Compare>(&action)) {
        send(compare->worker, ToWorker{compare->worker, action, 0, {}});
      } else if (const auto* push = std::get_if<Push>(&action)) {
        send(push->worker, ToWorker{push->worker, action, 0, {}});
      } else if (const auto* drop = std::get_if<Drop>(&action)) {
        send(drop->worker, ToWorker{drop->worker, action, 0, {}});
      } else if (const auto* fold = std::get_if<Fold>(&action)) {
        ASSERT_NE(parcel, nullptr);
        ASSERT_EQ(parcel->round, round_);
        ASSERT_EQ(parcel->units, fold->units);
        for (const int unit : fold->units) ASSERT_TRUE(counted_.insert(unit).second) << unit;
        sum_.add(parcel->sum);
      } else if (const auto* expel = std::get_if<Expel>(&action)) {
        if (!workers_[expel->worker].alive) continue;
        workers_[expel->worker].alive = false;  // the engine ends it and starts another
        push_in(uniform(), Spawn{});
      } else if (std::holds_alternative<Conflict>(action) ||
                 std::holds_alternative<Poisoned>(action)) {
        FAIL() << "units are pure, and all workers are on one host";
      } else if (std::holds_alternative<RoundDone>(action)) {
        round_done = true;
      }
    }
    if (round_done) finish_round();
  }
  void finish_round() {
    ASSERT_EQ(counted_.size(), static_cast<size_t>(units_));
    // The same round, sequentially.
    ExactSum wanted = empty_sum(units_);
    for (int unit = 0; unit < units_; ++unit) {
      const Result result = compute(state_, round_, unit);
      wanted.add(result.update, result.weight);
    }
    ASSERT_EQ(sum_.to_bytes(), wanted.to_bytes());
    apply(sum_, state_);
    if (++round_ < rounds_) start_round();
  }
  void happen(Sleep&) {
    ++troubles_.sleeps;
    sleeps_until_ = now_ + 20;  // longer than `dead`
  }
  void happen(Restart&) {
    if (round_ == 0 && attempt_ == 0) return;
    ++troubles_.restarts;
    add(troubles_.schedule, schedule_->counters());
    start_attempt();
    for (const auto& [id, worker] : workers_)
      if (worker.alive) push_in(uniform() * 2, Rejoin{id});
  }

  // The workers. All are on one host of two, so that no unit is ever called poisoned.

  void happen(Spawn&) {
    const WorkerId id = ++last_worker_;
    workers_[id].lanes = pick(1, 3);
    push_in(kBeatEvery * uniform(), BeatNow{id});
    Rejoin join{id};
    happen(join);
  }
  void happen(Rejoin& join) {
    const SimulatedWorker& worker = workers_[join.worker];
    if (worker.alive)
      tell_for_sure(join.worker,
                    Joined{.worker = join.worker, .lanes = worker.lanes, .host = "one"});
  }
  void happen(Death&) {
    const WorkerId id = random_living();
    if (id == 0) return;
    ++troubles_.deaths;
    workers_[id].alive = false;
    push_in(chance(0.5) ? 2 : 30, Spawn{});
    // Else the coordinator is not told, and has to expel it for its silence.
    if (chance(0.7)) tell_for_sure(id, Lost{id});
  }
  void happen(QuietLink&) {
    const WorkerId id = random_living();
    if (id == 0) return;
    ++troubles_.quiet_links;
    workers_[id].quiet_until = now_ + 30 * uniform();
  }
  WorkerId random_living() {
    std::vector<WorkerId> living;
    for (const auto& [id, worker] : workers_)
      if (worker.alive) living.push_back(id);
    return living.empty()
               ? 0
               : living[static_cast<size_t>(pick(0, static_cast<int>(living.size()) - 1))];
  }
  void happen(ToWorker& message) {
    SimulatedWorker& worker = workers_[message.worker];
    if (!worker.alive) return;
    if (const auto* grant = std::get_if<Grant>(&message.action)) {
      if (worker.works.contains(grant->lease)) return;  // it came twice
      Work& work = worker.works[grant->lease];
      work = {.unit = grant->unit,
              .round = message.round,
              .state = message.state,
              .result = {},
              .compares = grant->compares,
              .digest = {}};
      if (chance(hang_)) {
        ++troubles_.hangs;
        work.stage = Work::kHung;
      } else {
        push_in((0.5 + uniform()) * (chance(crawl_) ? 10 : 1),
                Finish{message.worker, grant->lease});
      }
    } else if (const auto* compare = std::get_if<Compare>(&message.action)) {
      const auto found = worker.works.find(compare->lease);
      if (found != worker.works.end()) found->second.compares = true;
    } else if (const auto* push = std::get_if<Push>(&message.action)) {
      const auto found = worker.works.find(push->lease);
      if (found == worker.works.end() || found->second.stage == Work::kRunning) return;
      found->second.stage = Work::kPushing;
      push_results(message.worker);
    } else if (const auto* drop = std::get_if<Drop>(&message.action)) {
      const auto found = worker.works.find(drop->lease);
      if (found != worker.works.end() && found->second.stage == Work::kHung)
        return;  // hears nothing
      if (found != worker.works.end()) worker.works.erase(found);
      tell_coordinator(message.worker, Stopped{message.worker, drop->lease});
    }
  }
  void happen(Finish& finish) {
    SimulatedWorker& worker = workers_[finish.worker];
    const auto found = worker.works.find(finish.lease);
    if (!worker.alive || found == worker.works.end() || found->second.stage != Work::kRunning)
      return;
    Work& work = found->second;
    work.result = compute(*work.state, work.round, work.unit);
    const auto update = work.result.update.flat();
    if (work.compares) work.digest = digest(update.data(), update.size_bytes());
    work.stage = Work::kNoticed;
    tell_coordinator(finish.worker, Noticed{finish.worker, finish.lease, work.digest});
  }
  // A worker is its own adder: what it is to push goes as one sum, sometimes.
  void push_results(WorkerId id) {
    std::vector<LeaseId> together;
    for (auto& [lease, work] : workers_[id].works)
      if (work.stage == Work::kPushing) together.push_back(lease);
    if (chance(0.3) && together.size() > 1) together.erase(together.begin() + 1, together.end());
    if (together.empty()) return;
    const int64_t round = workers_[id].works[together[0]].round;
    auto parcel = std::make_shared<Parcel>(Parcel{round, {}, empty_sum(units_)});
    Arrived arrived{id, {}};
    for (const LeaseId lease : together) {
      Work& work = workers_[id].works[lease];
      if (work.round != round || parcel->sum.count() == units_) continue;
      if (chance(0.7)) work.stage = Work::kKept;  // else it is sent once more with the next
      parcel->units.push_back(work.unit);
      parcel->sum.add(work.result.update, work.result.weight);
      arrived.leases.push_back(lease);
    }
    tell_coordinator(id, arrived, std::move(parcel));
  }
  void happen(BeatNow& beat) {
    SimulatedWorker& worker = workers_[beat.worker];
    if (!worker.alive) return;
    push_in(kBeatEvery, BeatNow{beat.worker});
    tell_coordinator(beat.worker, Beat{beat.worker, 0, 0});
    for (auto& [lease, work] : worker.works) {
      if (work.stage == Work::kRunning)
        tell_coordinator(beat.worker, Beat{beat.worker, lease, ++work.beats});
      else if (work.stage == Work::kNoticed)  // no answer yet
        tell_coordinator(beat.worker, Noticed{beat.worker, lease, work.digest});
    }
    push_results(beat.worker);
  }

  RngKey key_;
  Troubles& troubles_;
  uint64_t draws_ = 0;
  int units_ = 0, rounds_ = 0;
  double loss_ = 0, repeat_ = 0, hang_ = 0, crawl_ = 0, audit_ = 0;

  Seconds now_ = 0, sleeps_until_ = 0;
  int64_t order_ = 0, sent_ = 0;
  std::vector<Item> queue_;

  std::unique_ptr<Schedule> schedule_;
  int64_t attempt_ = 0, round_ = 0;
  ParamSet state_{update_spec().layout};
  std::shared_ptr<const ParamSet> state_at_start_;
  ExactSum sum_ = empty_sum(1);
  std::set<int> counted_;

  std::map<WorkerId, SimulatedWorker> workers_;
  WorkerId last_worker_ = 0;
};

TEST(ScheduleSimulator, EveryUnitIsCountedOnceWhateverHappensAndEveryJobEnds) {
  const auto seed = static_cast<uint64_t>(from_environment("SUPERSTEP_SIMULATOR_SEED", kSeed));
  const int64_t jobs = from_environment("SUPERSTEP_SIMULATOR_JOBS", kJobs);
  std::cout << "seed " << seed << ", " << jobs << " jobs\n";
  Troubles troubles;
  for (int64_t job = 0; job < jobs && !HasFailure(); ++job) {
    const uint64_t job_seed = seed + static_cast<uint64_t>(job);
    SCOPED_TRACE("SUPERSTEP_SIMULATOR_JOBS=1 SUPERSTEP_SIMULATOR_SEED=" + std::to_string(job_seed));
    SimulatedJob(job_seed, troubles).run();
  }
  const ScheduleCounters& counters = troubles.schedule;
  std::cout << troubles.events << " events (at most " << troubles.most_events
            << " a job): " << troubles.lost << " messages lost, " << troubles.repeated
            << " repeated, " << troubles.reordered << " out of order; " << troubles.deaths
            << " deaths, " << troubles.hangs << " hangs, " << troubles.quiet_links
            << " quiet links, " << troubles.sleeps << " sleeps, " << troubles.restarts
            << " restarts\n"
            << counters.granted << " leases: " << counters.backups << " backups, "
            << counters.audited << " audits, " << counters.compared << " compared, "
            << counters.released << " released; " << counters.dropped << " drops, "
            << counters.discarded << " sums discarded, " << counters.expelled
            << " workers expelled\n";
  EXPECT_EQ(counters.conflicts, 0);
  if (jobs < 100) return;  // one job of the many need not have seen it all
  for (const int64_t happened :
       {troubles.lost, troubles.repeated, troubles.reordered, troubles.deaths, troubles.hangs,
        troubles.quiet_links, troubles.sleeps, troubles.restarts, counters.backups,
        counters.audited, counters.compared, counters.released, counters.dropped,
        counters.discarded, counters.expelled})
    EXPECT_GT(happened, 0);
}

}  // namespace
}  // namespace superstep::reduce
