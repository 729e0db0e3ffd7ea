#include "superstep/cluster/coordinator.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "superstep/base/log.h"
#include "superstep/cluster/metrics_line.h"

namespace superstep::cluster {
namespace {

using reduce::Round;
using std::chrono::steady_clock;

// How long the coordinator sleeps when nothing is said; its clock ticks at least as often.
constexpr double kTickSeconds = 0.5;
constexpr double kTellSeconds = 1;

double clock_seconds() {
  return std::chrono::duration<double>(steady_clock::now().time_since_epoch()).count();
}

int64_t planned_weight(const Round& round) {
  int64_t weight = 0;
  for (const auto& unit : round.units) weight += unit.weight;
  return std::max<int64_t>(weight, 1);
}

reduce::ScheduleOptions schedule_options(const RunOptions& options) {
  reduce::ScheduleOptions schedule = options.schedule;
  if (options.folder) schedule.attempt = options.folder->attempt();
  if (options.resume) schedule.round = options.resume->last.superstep + 1;
  return schedule;
}

template <class... F>
struct Visitor : F... {
  using F::operator()...;
};
template <class... F>
Visitor(F...) -> Visitor<F...>;

}  // namespace

// A worker's way in: stamps what it says with its number. Also the way to it, until it leaves.
class Coordinator::Door : public CoordinatorPort {
 public:
  Door(Coordinator& coordinator, WorkerId id, WorkerPort& port, int lanes, std::string host,
       int64_t process)
      : coordinator_(coordinator),
        id_(id),
        host_(std::move(host)),
        process_(process),
        worker_(&port),
        lanes_(lanes) {}
  void notice(Notice notice) override { coordinator_.post(NoticeMessage{id_, std::move(notice)}); }
  void beat(LeaseId lease, uint64_t beats) override {
    coordinator_.post(BeatMessage{id_, lease, beats});
  }
  void stopped(LeaseId lease) override { coordinator_.post(StoppedMessage{id_, lease}); }
  void deliver(LeaseId lease, ParamSet& update, int64_t weight) override {
    coordinator_.add_update(id_, lease, update, weight);
  }
  void failed(LeaseId lease, std::exception_ptr error) override {
    coordinator_.post(FailedMessage{id_, lease, std::move(error)});
  }

  /// Calls `say` with the worker, or not at all once it has left.
  template <class Say>
  void tell(Say&& say) {
    const std::scoped_lock lock(mutex_);
    if (worker_) say(*worker_);
  }
  void close() {
    const std::scoped_lock lock(mutex_);
    worker_ = nullptr;
  }
  [[nodiscard]] int lanes() {
    const std::scoped_lock lock(mutex_);
    return worker_ ? lanes_ : 0;
  }
  [[nodiscard]] WorkerId id() const { return id_; }
  [[nodiscard]] const std::string& host() const { return host_; }
  [[nodiscard]] WorkerProcess process() const {
    return {host_, process_ != 0 ? process_ : -1 - id_};
  }

 private:
  Coordinator& coordinator_;
  const WorkerId id_;
  const std::string host_;
  const int64_t process_;
  std::mutex mutex_;  // held while the worker is told something: then it cannot leave
  WorkerPort* worker_;
  const int lanes_;
};

Coordinator::Coordinator(const reduce::Program& program, RunOptions options)
    : program_(program),
      options_(std::move(options)),
      schedule_(schedule_options(options_)),
      started_(clock_seconds()) {
  if (options_.folder)
    checkpointer_ =
        std::make_unique<Checkpointer>(*options_.folder, options_.job, options_.checkpoint_seconds);
}

Coordinator::~Coordinator() = default;

double Coordinator::now() const { return clock_seconds() - started_; }

Coordinator::Door& Coordinator::door(WorkerId worker) {
  const std::scoped_lock lock(mutex_);
  return *doors_.at(worker);
}

std::vector<Coordinator::Door*> Coordinator::doors() {
  const std::scoped_lock lock(mutex_);
  std::vector<Door*> all;
  for (auto& [id, door] : doors_) all.push_back(door.get());
  return all;
}

int Coordinator::lanes() {
  int lanes = 0;
  for (Door* door : doors()) lanes += door->lanes();
  return lanes;
}

CoordinatorPort& Coordinator::join(WorkerPort& port, int lanes, std::string host, int64_t process) {
  const std::scoped_lock lock(mutex_);
  const auto id = static_cast<WorkerId>(doors_.size());
  auto& door = doors_[id] = std::make_unique<Door>(*this, id, port, lanes, host, process);
  messages_.emplace_back(JoinedMessage{id, lanes, std::move(host), process});
  arrived_.notify_one();
  return *door;
}

void Coordinator::leave(CoordinatorPort& port, bool died) {
  auto& door = dynamic_cast<Door&>(port);
  door.close();
  post(LeftMessage{door.id(), died});
}

void Coordinator::post(Message message) {
  {
    const std::scoped_lock lock(mutex_);
    messages_.push_back(std::move(message));
  }
  arrived_.notify_one();
}

std::optional<Coordinator::Message> Coordinator::next_message() {
  std::unique_lock lock(mutex_);
  arrived_.wait_for(lock, std::chrono::duration<double>(kTickSeconds),
                    [&] { return !messages_.empty(); });
  if (messages_.empty()) return std::nullopt;
  Message message = std::move(messages_.front());
  messages_.pop_front();
  return message;
}

void Coordinator::add_update(WorkerId worker, LeaseId lease, ParamSet& update, int64_t weight) {
  std::shared_ptr<SharedSum> sum;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = claimed_.find(lease);
    if (found == claimed_.end() || found->second.worker != worker) return;  // not wanted any more
    sum = std::move(found->second.sum);
    claimed_.erase(found);
    ++adding_;
  }
  sum->add(update, weight);
  sum.reset();  // before the round can end
  post(ArrivedMessage{worker, lease});
}

RunResult Coordinator::run() {
  struct StopWorkers {
    Coordinator& coordinator;
    ~StopWorkers() {
      for (Door* door : coordinator.doors()) door->tell([](WorkerPort& worker) { worker.stop(); });
    }
  } const stop_workers{*this};

  std::optional<Round> round, last;  // the one under way, and the newest that is in the state
  if (options_.resume) {
    state_ = std::move(options_.resume->state);
    private_states_ = std::move(options_.resume->private_states);
    last = options_.resume->last;
    round = program_.next(&*last, state_);
    if (options_.folder) options_.folder->truncate_metrics(options_.resume->metrics_size);
  } else {
    state_ = program_.initial();
    round = program_.next(nullptr, state_);
  }

  const auto traffic = [&] { return options_.traffic ? options_.traffic() : Traffic{}; };
  Traffic before = traffic();
  while (round) {
    const double begin = now();
    if (!run_round(*round)) {
      if (checkpointer_ && last) checkpointer_->write(state_, private_states_, *last);
      break;
    }
    const reduce::Report report = program_.apply(*round, state_, sum_->sum(), blobs_);
    const Traffic after = traffic();
    const RoundDone done{.round = *round,
                         .report = report,
                         .state = state_,
                         .seconds = now() - begin,
                         .compute_seconds = compute_seconds_,
                         .lanes = lanes(),
                         .bytes_in = after.in - before.in,
                         .bytes_out = after.out - before.out,
                         .transfer_seconds = after.seconds - before.seconds};
    before = after;
    if (options_.folder) options_.folder->append_metrics(metrics_line(done));
    if (options_.observer) options_.observer->on_round(done);
    ++result_.rounds;

    auto next = program_.next(&*round, state_);
    if (next && options_.stop.stop_requested()) {
      if (checkpointer_) checkpointer_->write(state_, private_states_, *round);
      break;
    }
    if (next && checkpointer_) checkpointer_->offer(state_, private_states_, *round);
    last = std::exchange(round, std::move(next));
  }
  tell_cluster(/*due=*/true);
  result_.finished = !round;
  result_.state = std::move(state_);
  result_.counters = schedule_.counters();
  result_.read = read_;
  return std::move(result_);
}

// A sum is as large as the model twice over: fresh memory for it costs more than to add an update.
void Coordinator::begin_sum(const reduce::UpdateSpec& spec, int64_t weight, int64_t units) {
  {
    const std::scoped_lock lock(mutex_);
    claimed_.clear();
  }
  const auto fits = [&](const std::shared_ptr<SharedSum>& sum) {
    return sum && sum->sum().spec().layout == spec.layout && sum->sum().spec().rules == spec.rules;
  };
  // A round that only measures stands between two that train.
  if (!fits(sum_)) std::swap(sum_, other_sum_);
  // Who is late may still add to the sum of a round that is done.
  if (fits(sum_) && sum_.use_count() == 1) {
    std::shared_ptr<SharedSum>(sum_).reset();  // as with the state at the end of run_round
    sum_->reset(weight, units);
  } else {
    sum_ = std::make_shared<SharedSum>(spec, weight, units);
  }
}

// Where it is given up the state is what it was before.
bool Coordinator::run_round(const Round& round) {
  const auto units = static_cast<int64_t>(round.units.size());
  auto spec = program_.update_spec(round);
  begin_sum(spec, planned_weight(round), std::max<int64_t>(units, 1));
  blobs_.assign(round.units.size(), {});
  new_private_states_.assign(round.units.size(), {});
  notices_.clear();
  units_of_leases_.clear();
  compute_seconds_ = 0;
  round_done_ = round.units.empty();
  if (round_done_) return true;

  if (place_) state_.shared = place_(std::move(state_.shared));
  auto shared = std::make_shared<ParamSet>(std::move(state_.shared));
  start_ = std::make_shared<const RoundStart>(RoundStart{round, std::move(spec), shared});
  for (Door* door : doors()) door->tell([&](WorkerPort& worker) { worker.begin(start_); });
  // Asked before the clock is: file systems may take their time.
  auto hosts =
      options_.many_hosts ? program_.hosts(round) : std::vector<std::vector<std::string>>();
  carry_out(schedule_.begin(static_cast<int>(units), now(), std::move(hosts)));
  bool given_up = false;
  while (!round_done_ && !given_up) {
    if (auto message = next_message()) handle(std::move(*message));
    if (now() - last_tick_ >= kTickSeconds) tick();
    given_up = !round_done_ && options_.stop.stop_requested() && lanes() == 0;
    tell_cluster(/*due=*/false);
  }

  // Only now: a unit that is leased a second time begins from the state that it had the first time.
  for (size_t u = 0; u < round.units.size() && !given_up; ++u) {
    Bytes& after = new_private_states_[u];
    if (after.empty())
      private_states_.erase(round.units[u].id);
    else
      private_states_[round.units[u].id] = std::move(after);
  }
  if (!given_up) result_.units += units;
  start_.reset();
  for (Door* door : doors()) door->tell([](WorkerPort& worker) { worker.begin(nullptr); });
  // A unit that nobody waits for may still read the old state: then it keeps it, and we a copy.
  if (shared.use_count() == 1) {
    // use_count() orders nothing; letting go of a copy does: what the lanes read, they read before.
    std::shared_ptr<ParamSet>(shared).reset();
    state_.shared = std::move(*shared);
  } else {
    state_.shared = *shared;
  }
  return !given_up;
}

void Coordinator::tell_cluster(bool due) {
  if (!options_.observer || (!due && now() - last_told_ < kTellSeconds)) return;
  last_told_ = now();
  ClusterNow told{.lost = lost_, .read = all_read(), .leases = schedule_.counters()};
  for (const reduce::Member& member : schedule_.members()) {
    const Work& work = work_[member.worker];
    WorkerNow worker{.worker = member.worker,
                     .host = member.host,
                     .lanes = member.lanes,
                     .silent_seconds = last_told_ - member.heard,
                     .units = work.units,
                     .compute_seconds = work.compute_seconds,
                     .read = work.read};
    if (start_)
      for (const int unit : member.units)
        worker.replicas.push_back(start_->round.units.at(static_cast<size_t>(unit)).id);
    told.workers.push_back(std::move(worker));
  }
  options_.observer->on_cluster(told);
}

// A tick may void claims. An update that is being added cannot be taken back, so none is voided
// while one is: the next tick is soon.
void Coordinator::tick() {
  std::vector<reduce::Action> actions;
  {
    const std::scoped_lock lock(mutex_);
    if (adding_ > 0) return;
    last_tick_ = now();
    actions = schedule_.on(reduce::Tick{}, last_tick_);
    for (const auto& action : actions) {
      if (const auto* drop = std::get_if<reduce::Drop>(&action)) claimed_.erase(drop->lease);
      if (const auto* expel = std::get_if<reduce::Expel>(&action))
        std::erase_if(claimed_, [&](const auto& c) { return c.second.worker == expel->worker; });
    }
  }
  carry_out(std::move(actions));
}

void Coordinator::handle(Message message) {
  std::visit(
      Visitor{
          [&](JoinedMessage& joined) {
            if (start_) door(joined.worker).tell([&](WorkerPort& worker) { worker.begin(start_); });
            carry_out(schedule_.on(
                reduce::Joined{joined.worker, joined.lanes, std::move(joined.host), joined.process},
                now()));
          },
          [&](LeftMessage& left) {
            {
              const std::scoped_lock lock(mutex_);
              std::erase_if(claimed_,
                            [&](const auto& c) { return c.second.worker == left.worker; });
            }
            work_.erase(left.worker);
            ++lost_;
            const int64_t before = schedule_.counters().released;
            auto actions = schedule_.on(reduce::Lost{left.worker, left.died}, now());
            const int64_t held = schedule_.counters().released - before;
            log::warning("worker {} on {} {}; {} of its units {} to others", left.worker,
                         door(left.worker).host(), left.died ? "is gone" : "leaves", held,
                         held == 1 ? "goes" : "go");
            carry_out(std::move(actions));
          },
          [&](NoticeMessage& said) {
            const auto lease = said.notice.lease;
            const auto digest = said.notice.digest;
            work_[said.worker].compute_seconds += said.notice.compute_seconds;
            note_read(said.worker, said.notice.read);
            notices_[lease] = std::move(said.notice);
            carry_out(schedule_.on(reduce::Noticed{said.worker, lease, digest}, now()));
          },
          [&](BeatMessage& beat) {
            carry_out(schedule_.on(reduce::Beat{beat.worker, beat.lease, beat.beats}, now()));
          },
          [&](StoppedMessage& stopped) {
            carry_out(schedule_.on(reduce::Stopped{stopped.worker, stopped.lease}, now()));
          },
          [&](ArrivedMessage& arrived) {
            {
              const std::scoped_lock lock(mutex_);
              --adding_;
            }
            auto actions = schedule_.on(reduce::Arrived{arrived.worker, {arrived.lease}}, now());
            for (const auto& action : actions) {
              const auto* fold = std::get_if<reduce::Fold>(&action);
              if (!fold) continue;
              Notice& notice = notices_.at(arrived.lease);
              for (const int unit : fold->units) {
                blobs_.at(static_cast<size_t>(unit)) = std::move(notice.blob);
                new_private_states_.at(static_cast<size_t>(unit)) = std::move(notice.private_state);
              }
              compute_seconds_ += notice.compute_seconds;
              ++work_[arrived.worker].units;
            }
            carry_out(std::move(actions));
          },
          [&](FailedMessage& failed) { rethrow(failed); },
      },
      message);
}

// Grants first: lanes wait for them, and for nothing else that is said here.
void Coordinator::carry_out(std::vector<reduce::Action> actions) {
  std::stable_partition(actions.begin(), actions.end(), [](const reduce::Action& action) {
    return std::holds_alternative<reduce::Grant>(action);
  });
  for (const auto& action : actions) {
    std::visit(
        Visitor{
            [&](const reduce::Grant& grant) {
              units_of_leases_[grant.lease] = grant.unit;
              const auto id = start_->round.units.at(static_cast<size_t>(grant.unit)).id;
              const auto found = private_states_.find(id);
              Bytes before = found == private_states_.end() ? Bytes{} : found->second;
              door(grant.worker).tell([&](WorkerPort& worker) {
                worker.grant(grant.lease, grant.unit, std::move(before), grant.compares);
              });
            },
            [&](const reduce::Compare& compare) {
              door(compare.worker).tell([&](WorkerPort& worker) { worker.compare(compare.lease); });
            },
            [&](const reduce::Push& push) {
              {
                const std::scoped_lock lock(mutex_);
                claimed_[push.lease] = {push.worker, sum_};
              }
              door(push.worker).tell([&](WorkerPort& worker) { worker.push(push.lease); });
            },
            [&](const reduce::Drop& drop) {
              notices_.erase(drop.lease);
              door(drop.worker).tell([&](WorkerPort& worker) { worker.drop(drop.lease); });
            },
            [&](const reduce::Fold&) {},
            [&](const reduce::Discard&) {},
            [&](const reduce::Expel& expel) {
              log::warning("worker {} is no longer waited for: {}", expel.worker, expel.reason);
              door(expel.worker).tell([&](WorkerPort& worker) { worker.expel(expel.reason); });
            },
            [&](const reduce::Conflict& conflict) {
              result_.reproducible = false;
              log::warning(
                  "unit {} of superstep {} came out differently on workers {} and {}: this machine "
                  "or this build is not deterministic",
                  conflict.unit, start_->round.superstep, conflict.first, conflict.second);
            },
            [&](const reduce::Poisoned& poisoned) {
              const auto& unit = start_->round.units.at(static_cast<size_t>(poisoned.unit));
              throw Error(fmt::format(
                  "{} ({} rows, pieces {} to {}): this unit cannot be computed: {}",
                  name_of(poisoned.unit), unit.weight, unit.begin, unit.end, poisoned.reason));
            },
            [&](const reduce::RoundDone&) { round_done_ = true; },
        },
        action);
  }
}

void Coordinator::note_read(WorkerId worker, const io::BytesRead& read) {
  io::BytesRead& known = work_[worker].read;
  if (read.all() <= known.all()) return;  // nothing new, or notices that have overtaken each other
  known = read_[door(worker).process()] = read;
}

io::BytesRead Coordinator::all_read() const {
  io::BytesRead all;
  for (const auto& [process, read] : read_) all += read;
  return all;
}

std::string Coordinator::name_of(int unit) const {
  const Round& round = start_->round;
  const reduce::WorkUnit& named = round.units.at(static_cast<size_t>(unit));
  return fmt::format("{}, epoch {}, superstep {}, replica {}", round.phase, round.epoch,
                     round.superstep, named.id);
}

void Coordinator::rethrow(const FailedMessage& failed) const {
  const auto found = units_of_leases_.find(failed.lease);
  const std::string where =
      found == units_of_leases_.end()
          ? std::string(failed.lease == 0 ? "the scratch of a lane" : "a unit")
          : name_of(found->second);
  try {
    std::rethrow_exception(failed.error);
  } catch (const NumericError& error) {
    throw NumericError("{}: {}", where, error.what());
  }
}

}  // namespace superstep::cluster
