// Longer than most files, since it is one state machine whose parts are only right together.
#include "superstep/reduce/schedule.h"

#include <algorithm>

#include "superstep/base/error.h"
#include "superstep/base/host.h"
#include "superstep/base/rng.h"

namespace superstep::reduce {
namespace {

constexpr WorkerId kNobody = std::numeric_limits<WorkerId>::min();
constexpr size_t kDeathsToPoison = 3;     // deaths over one unit ...
constexpr size_t kHostsToPoison = 2;      // ... on so many hosts, where there are so many
constexpr size_t kDeathsToAvoid = 3;      // of workers over units: their host may be ill
constexpr size_t kFinishedForMedian = 3;  // fewer say nothing about what is slow
constexpr int kLeaseBits = 40;            // low bits of a lease id; the attempt is above them

}  // namespace

Schedule::Schedule(ScheduleOptions options) : options_(options), round_(options.round) {
  SUPERSTEP_ASSERT(options.attempt >= 0 && options.audit >= 0 && options.audit <= 1);
}

std::vector<Action> Schedule::begin(int units, Seconds now,
                                    std::vector<std::vector<std::string>> hosts) {
  SUPERSTEP_ASSERT(done_ && units >= 0);
  SUPERSTEP_ASSERT(hosts.empty() || hosts.size() == static_cast<size_t>(units));
  // What is left of the round before does not count any more: its unit numbers mean nothing now.
  for (const auto& [id, lease] : leases_) SUPERSTEP_ASSERT(lease.state == LeaseState::kStopping);
  Actions out;
  done_ = false;
  counted_ = 0;
  durations_.clear();
  has_workers_.reset();
  units_.assign(static_cast<size_t>(units), {});
  for (size_t u = 0; u < hosts.size(); ++u) units_[u].hosts = std::move(hosts[u]);
  if (owners_.size() < units_.size()) owners_.resize(units_.size(), kNobody);
  const RngKey audit_key = RngKey(static_cast<uint64_t>(round_)).fold("audit");
  for (int u = 0; u < units; ++u) {
    disown_if_far(u);
    make_pending(u);
    if (audit_key.uniform(static_cast<uint64_t>(u)) >= options_.audit) continue;
    units_[static_cast<size_t>(u)].audit_open = true;
    audits_waiting_.insert(u);
    ++audits_open_;
  }
  ++round_;
  assign(now, out);
  finish_round_if_done(out);
  return out;
}

std::vector<Action> Schedule::on(const Event& event, Seconds now) {
  Actions out;
  std::visit([&](const auto& e) { handle(e, now, out); }, event);
  if (done_) return out;
  assign(now, out);
  if (std::holds_alternative<Tick>(event)) assign_backups(now, out);
  finish_round_if_done(out);
  return out;
}

std::vector<Member> Schedule::members() const {
  std::vector<Member> members;
  std::map<WorkerId, std::vector<int>> held;
  for (const auto& [id, lease] : leases_)
    if (lease.state != LeaseState::kStopping) held[lease.worker].push_back(lease.unit);
  for (const auto& [id, worker] : workers_)
    members.push_back({.worker = id,
                       .host = worker.host,
                       .lanes = worker.lanes,
                       .heard = worker.heard,
                       .units = std::move(held[id])});
  return members;
}

void Schedule::handle(const Joined& event, Seconds now, Actions& out) {
  SUPERSTEP_ASSERT(event.lanes >= 1);
  // A worker that joins twice has lost its connection, and with it what it knew of its leases.
  remove_worker(event.worker, /*died=*/false, out);
  std::string host = event.host.empty() ? "worker " + std::to_string(event.worker) : event.host;
  hosts_.insert(host);
  if (event.process != 0)
    for (Unit& unit : units_)
      std::erase_if(unit.deaths, [&](const Death& death) {
        return death.host == host && death.process == event.process;
      });
  if (event.process != 0) std::erase(deaths_[host], event.process);
  workers_[event.worker] = {.lanes = event.lanes,
                            .busy = 0,
                            .host = std::move(host),
                            .process = event.process,
                            .heard = now};
}

void Schedule::handle(const Lost& event, Seconds, Actions& out) {
  remove_worker(event.worker, event.died, out);
}

void Schedule::handle(const Beat& event, Seconds now, Actions&) {
  hear(event.worker, now);
  const auto found = leases_.find(event.lease);
  if (found == leases_.end() || found->second.worker != event.worker) return;
  Lease& lease = found->second;
  if (event.beats <= lease.beats) return;
  lease.beats = event.beats;
  // A claimed lease beats while its update is on the way.
  if (lease.state != LeaseState::kStopping) lease.moved = now;
}

void Schedule::handle(const Noticed& event, Seconds now, Actions& out) {
  hear(event.worker, now);
  const auto found = leases_.find(event.lease);
  if (found == leases_.end() || found->second.worker != event.worker)
    return drop(event.worker, event.lease, out);
  Lease& lease = found->second;
  if (lease.state == LeaseState::kClaimed) {  // noticed again: our answer was lost
    lease.moved = now;
    out.push_back(Push{event.worker, event.lease});
    return;
  }
  --workers_.at(event.worker).busy;
  if (lease.state == LeaseState::kStopping) {
    leases_.erase(found);
    return drop(event.worker, event.lease, out);
  }

  Unit& unit = units_[static_cast<size_t>(lease.unit)];
  std::erase(unit.running, event.lease);
  if (!unit.first_worker) {
    unit.first_worker = event.worker;
    unit.digest = event.digest;
  } else {
    compare(lease.unit, event, out);
    close_audit(lease.unit);
  }
  if (unit.counted || unit.claim != 0) {
    leases_.erase(found);
    return drop(event.worker, event.lease, out);
  }
  unit.claim = event.lease;
  lease.state = LeaseState::kClaimed;
  lease.moved = now;
  durations_.push_back(now - lease.granted);
  out.push_back(Push{event.worker, event.lease});
}

// A later result of a unit with the first.
void Schedule::compare(int u, const Noticed& event, Actions& out) {
  const Unit& unit = units_[static_cast<size_t>(u)];
  if (!unit.digest || !event.digest) return;
  ++counters_.compared;
  if (*unit.digest == *event.digest) return;
  ++counters_.conflicts;
  out.push_back(Conflict{u, *unit.first_worker, event.worker});
}

void Schedule::handle(const Stopped& event, Seconds now, Actions& out) {
  hear(event.worker, now);
  const auto found = leases_.find(event.lease);
  if (found == leases_.end() || found->second.worker != event.worker) return;
  // A claimed lease was noticed, so this is the answer to a Drop of before, come late.
  if (found->second.state == LeaseState::kClaimed) return;
  --workers_.at(event.worker).busy;
  const Lease lease = found->second;
  leases_.erase(found);
  if (lease.state == LeaseState::kStopping) return;
  std::erase(units_[static_cast<size_t>(lease.unit)].running, event.lease);
  ++counters_.released;
  release(lease.unit, out);
}

void Schedule::handle(const Arrived& event, Seconds now, Actions& out) {
  hear(event.worker, now);
  std::vector<LeaseId> distinct = event.leases;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  std::vector<LeaseId> claimed;
  std::copy_if(distinct.begin(), distinct.end(), std::back_inserter(claimed), [&](LeaseId id) {
    const auto found = leases_.find(id);
    return found != leases_.end() && found->second.state == LeaseState::kClaimed;
  });
  const bool whole = !claimed.empty() && claimed.size() == event.leases.size();
  if (!whole || !workers_.contains(event.worker)) {
    ++counters_.discarded;
    out.push_back(Discard{});
    // Updates that were wanted went down with the others: their workers still keep them.
    for (const LeaseId id : claimed) out.push_back(Push{leases_.at(id).worker, id});
    return;
  }
  Fold fold;
  for (const LeaseId id : event.leases) fold.units.push_back(leases_.at(id).unit);
  out.push_back(fold);
  for (const LeaseId id : event.leases) {
    const Lease lease = leases_.at(id);
    leases_.erase(id);
    Unit& unit = units_[static_cast<size_t>(lease.unit)];
    unit.claim = 0;
    unit.counted = true;
    ++counted_;
    owners_[static_cast<size_t>(lease.unit)] = lease.worker;
    if (!unit.audit_open) stop_running(unit, now, out);
  }
}

void Schedule::handle(const Tick&, Seconds now, Actions& out) {
  const Seconds gap = last_tick_ ? now - *last_tick_ : 0;
  last_tick_ = now;
  if (gap > options_.late) return renew_all(gap, now);
  expel_silent(now, out);
  give_up_hung(now, out);
}

void Schedule::hear(WorkerId worker, Seconds now) {
  if (const auto found = workers_.find(worker); found != workers_.end()) found->second.heard = now;
}

void Schedule::drop(WorkerId worker, LeaseId lease, Actions& out) {
  ++counters_.dropped;
  out.push_back(Drop{worker, lease});
}

void Schedule::grant(WorkerId worker, int unit, Seconds now, Actions& out) {
  const LeaseId id = (options_.attempt << kLeaseBits) + ++leases_made_;
  leases_[id] = {.worker = worker, .unit = unit, .granted = now, .moved = now};
  Unit& granted = units_[static_cast<size_t>(unit)];
  const bool compares = granted.audit_open || granted.digest || !granted.running.empty();
  if (!granted.audit_open)
    for (const LeaseId other : granted.running)
      out.push_back(Compare{leases_.at(other).worker, other});
  granted.running.push_back(id);
  ++workers_.at(worker).busy;
  ++counters_.granted;
  out.push_back(Grant{worker, id, unit, compares});
}

// Pending units go to free lanes: first to those who had them last; then units that nobody had, one
// a worker in turn, near ones before far ones; then a worker with nothing else takes from whoever
// has the most waiting.
void Schedule::assign(Seconds now, Actions& out) {
  if (!has_workers_ && !workers_.empty()) has_workers_ = now;
  if (!first_worker_) first_worker_ = has_workers_;
  const auto grant_pending = [&](WorkerId worker, std::optional<int> unit) {
    if (!unit) return false;
    take(*unit);
    owners_[static_cast<size_t>(*unit)] = worker;
    grant(worker, *unit, now, out);
    return true;
  };
  const auto in_turn = [&](auto&& choose) {
    for (bool progress = true; progress && !nothing_waits();) {
      progress = false;
      for (const auto& [id, worker] : workers_)
        if (is_free(worker)) progress |= grant_pending(id, choose(worker));
    }
  };
  for (const auto& [id, worker] : workers_)
    while (is_free(worker) && grant_pending(id, first_of(id))) {
    }
  in_turn([&](const Worker& worker) { return first_near(worker.host); });
  in_turn([&](const Worker&) {
    const std::optional<int> far = first_far(now);
    return far ? far : last_of_the_busiest();
  });
  if (nothing_waits()) assign_audits(now, out);
}

// The second lease of an audited unit goes to another worker, or to the same one where no other is
// left to wait for.
void Schedule::assign_audits(Seconds now, Actions& out) {
  const bool same_worker_will_do =
      workers_.size() == 1 || counted_ == static_cast<int>(units_.size());
  for (auto at = audits_waiting_.begin(); at != audits_waiting_.end();) {
    const int u = *at;
    const Unit& unit = units_[static_cast<size_t>(u)];
    const WorkerId holder =
        unit.first_worker ? *unit.first_worker : leases_.at(unit.running.at(0)).worker;
    auto best = workers_.end();
    for (auto w = workers_.begin(); w != workers_.end(); ++w) {
      if (!is_free(w->second)) continue;
      if (w->first != holder) {
        best = w;
        break;
      }
      if (same_worker_will_do) best = w;
    }
    if (best == workers_.end()) {
      ++at;
      continue;
    }
    at = audits_waiting_.erase(at);
    ++counters_.audited;
    grant(best->first, u, now, out);
  }
}

// A unit that is silent or slow gets one more lease, on an idle lane of another worker.
void Schedule::assign_backups(Seconds now, Actions& out) {
  if (!nothing_waits()) return;
  const Seconds median = median_duration();
  std::vector<int> slow;
  for (const auto& [id, lease] : leases_)
    if (lease.state == LeaseState::kRunning && is_slow(lease, median, now)) {
      const Unit& unit = units_[static_cast<size_t>(lease.unit)];
      if (unit.running.size() == 1 && unit.claim == 0 && !unit.counted) slow.push_back(lease.unit);
    }
  for (const int u : slow) {
    const WorkerId holder = leases_.at(units_[static_cast<size_t>(u)].running[0]).worker;
    WorkerId idlest = kNobody;
    int most_free = 0;
    for (const auto& [id, worker] : workers_) {
      if (id == holder || is_ill(worker.host) || worker.lanes - worker.busy <= most_free) continue;
      idlest = id;
      most_free = worker.lanes - worker.busy;
    }
    if (idlest == kNobody) continue;
    ++counters_.backups;
    grant(idlest, u, now, out);
  }
}

bool Schedule::is_slow(const Lease& lease, Seconds median, Seconds now) const {
  return now - lease.moved > options_.silence ||
         now - lease.granted > std::max(options_.slow_factor * median, options_.slow_least);
}

Seconds Schedule::median_duration() const {
  if (durations_.size() < kFinishedForMedian) return kNever;
  std::vector<Seconds> sorted = durations_;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

// It was the coordinator that slept: what the workers sent meanwhile is still on its way in.
void Schedule::renew_all(Seconds gap, Seconds now) {
  for (auto& [id, worker] : workers_) worker.heard = now;
  for (auto& [id, lease] : leases_) {
    lease.moved = now;
    lease.granted += gap;
    lease.stopped += gap;
  }
}

void Schedule::expel_silent(Seconds now, Actions& out) {
  std::map<WorkerId, int> hung_lanes;
  for (const auto& [id, lease] : leases_)
    if (lease.state == LeaseState::kStopping && now - lease.stopped > options_.dead)
      ++hung_lanes[lease.worker];
  std::vector<Expel> expelled;
  for (const auto& [id, worker] : workers_) {
    if (now - worker.heard > options_.dead)
      expelled.push_back({id, fmt::format("silent for {:.0f} s", now - worker.heard)});
    else if (hung_lanes[id] == worker.lanes)
      expelled.push_back({id, fmt::format("no lane has moved for {:.0f} s", options_.dead)});
  }
  for (Expel& expel : expelled) {
    ++counters_.expelled;
    remove_worker(expel.worker, /*died=*/true, out);
    out.push_back(std::move(expel));
  }
}

void Schedule::give_up_hung(Seconds now, Actions& out) {
  std::vector<LeaseId> hung;
  for (auto& [id, lease] : leases_) {
    if (lease.state != LeaseState::kStopping) {
      if (now - lease.moved > options_.dead) hung.push_back(id);
    } else if (now - lease.moved > options_.silence) {  // not stopped yet: perhaps it did not hear
      lease.moved = now;
      drop(lease.worker, id, out);
    }
  }
  for (const LeaseId id : hung) {
    Lease& lease = leases_.at(id);
    Unit& unit = units_[static_cast<size_t>(lease.unit)];
    const int u = lease.unit;
    ++counters_.released;
    drop(lease.worker, id, out);
    if (lease.state == LeaseState::kRunning) {  // the lane stays busy until it says otherwise
      std::erase(unit.running, id);
      lease.state = LeaseState::kStopping;
      lease.moved = lease.stopped = now;
    } else {
      unit.claim = 0;
      leases_.erase(id);
    }
    release(u, out);
  }
}

void Schedule::stop_running(Unit& unit, Seconds now, Actions& out) {
  for (const LeaseId id : unit.running) {
    Lease& lease = leases_.at(id);
    lease.state = LeaseState::kStopping;
    lease.moved = lease.stopped = now;
    drop(lease.worker, id, out);
  }
  unit.running.clear();
}

void Schedule::remove_worker(WorkerId worker, bool died, Actions& out) {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return;
  const Death death{found->second.host, found->second.process};
  bool over_a_unit = false;
  workers_.erase(found);
  if (const auto own = pending_.extract(worker))
    for (const int unit : own.mapped()) make_nobodys(unit);

  for (auto at = leases_.begin(); at != leases_.end();) {
    const auto [id, lease] = *at;
    if (lease.worker != worker) {
      ++at;
      continue;
    }
    at = leases_.erase(at);
    if (lease.state == LeaseState::kStopping) continue;
    ++counters_.released;
    Unit& unit = units_[static_cast<size_t>(lease.unit)];
    if (lease.state == LeaseState::kClaimed) {
      unit.claim = 0;
    } else {
      std::erase(unit.running, id);
      if (died) unit.deaths.push_back(death);
      over_a_unit = true;
    }
    release(lease.unit, out);
  }
  if (died && over_a_unit) deaths_[death.host].push_back(death.process);
}

// After a lease of the unit became void: it waits again, unless another lease still runs.
void Schedule::release(int u, Actions& out) {
  Unit& unit = units_[static_cast<size_t>(u)];
  // An audit whose second lease is gone is given up; the round need not wait for it.
  if (unit.audit_open && !audits_waiting_.contains(u)) close_audit(u);
  if (unit.counted || unit.claim != 0 || !unit.running.empty()) return;
  if (!is_poisoned(unit)) return make_pending(u);
  close_audit(u);
  std::set<std::string> hosts;
  for (const Death& death : unit.deaths) hosts.insert(death.host);
  out.push_back(Poisoned{u, fmt::format("{} workers died while they computed it, on {}",
                                        unit.deaths.size(), fmt::join(hosts, ", "))});
}

// One host of several may be ill; where there has never been another, it is all that can be asked.
bool Schedule::is_poisoned(const Unit& unit) const {
  if (unit.deaths.size() < kDeathsToPoison) return false;
  std::set<std::string> hosts;
  for (const Death& death : unit.deaths) hosts.insert(death.host);
  return hosts.size() >= std::min(kHostsToPoison, hosts_.size());
}

void Schedule::close_audit(int u) {
  Unit& unit = units_[static_cast<size_t>(u)];
  if (!unit.audit_open) return;
  unit.audit_open = false;
  audits_waiting_.erase(u);
  --audits_open_;
}

// Where other hosts are still free of deaths.
bool Schedule::is_ill(const std::string& host) const {
  const auto dead = [&](const std::string& name) {
    const auto found = deaths_.find(name);
    return found != deaths_.end() && found->second.size() >= kDeathsToAvoid;
  };
  return dead(host) &&
         std::ranges::any_of(workers_, [&](const auto& w) { return !dead(w.second.host); });
}

bool Schedule::is_free(const Worker& worker) const {
  return worker.busy < worker.lanes && !is_ill(worker.host);
}

// Who had the unit last may not be near to what it now means.
void Schedule::disown_if_far(int u) {
  const Unit& unit = units_[static_cast<size_t>(u)];
  WorkerId& owner = owners_[static_cast<size_t>(u)];
  const auto found = workers_.find(owner);
  if (unit.hosts.empty() || found == workers_.end()) return;
  const auto is_owners = [&](const auto& host) { return same_host(host, found->second.host); };
  if (std::ranges::none_of(unit.hosts, is_owners)) owner = kNobody;
}

void Schedule::make_pending(int unit) {
  const WorkerId owner = owners_[static_cast<size_t>(unit)];
  if (workers_.contains(owner))
    pending_[owner].insert(unit);
  else
    make_nobodys(unit);
}

void Schedule::make_nobodys(int u) {
  const Unit& unit = units_[static_cast<size_t>(u)];
  for (const std::string& host : unit.hosts) near_[host].insert(u);
  if (unit.hosts.empty()) near_[""].insert(u);
}

void Schedule::take(int u) {
  const auto take_from = [u](auto& waiting, const auto& key) {
    const auto found = waiting.find(key);
    if (found == waiting.end()) return;
    found->second.erase(u);
    if (found->second.empty()) waiting.erase(found);
  };
  take_from(pending_, owners_[static_cast<size_t>(u)]);
  for (const std::string& host : units_[static_cast<size_t>(u)].hosts) take_from(near_, host);
  if (units_[static_cast<size_t>(u)].hosts.empty()) take_from(near_, "");
}

std::optional<int> Schedule::first_of(WorkerId owner) const {
  const auto found = pending_.find(owner);
  if (found == pending_.end()) return std::nullopt;
  return *found->second.begin();
}

// Of what nobody had.
std::optional<int> Schedule::first_near(const std::string& host) const {
  for (const auto& [name, units] : near_)
    if (same_host(name, host)) return *units.begin();
  return std::nullopt;
}

// Of what nobody had, for a lane that is near to none of it.
std::optional<int> Schedule::first_far(Seconds now) const {
  if (near_.empty()) return std::nullopt;
  if (const auto anywhere = near_.find(""); anywhere != near_.end())
    return *anywhere->second.begin();
  const bool waits = now - *has_workers_ < options_.near_wait;
  const bool more_come =
      workers() < options_.expected && now - *first_worker_ < options_.expected_wait;
  for (const auto& waiting : near_) {  // no binding: clang 14 lets no lambda have one
    const bool has_worker = std::ranges::any_of(
        workers_, [&](const auto& w) { return same_host(waiting.first, w.second.host); });
    if (!has_worker && !more_come) return *waiting.second.begin();
  }
  if (waits || more_come) return std::nullopt;
  const auto most = std::ranges::max_element(
      near_, {}, [](const auto& waiting) { return waiting.second.size(); });
  return *most->second.rbegin();
}

std::optional<int> Schedule::last_of_the_busiest() const {
  if (pending_.empty()) return std::nullopt;
  const auto most = std::ranges::max_element(
      pending_, {}, [](const auto& waiting) { return waiting.second.size(); });
  return *most->second.rbegin();
}

void Schedule::finish_round_if_done(Actions& out) {
  if (done_ || audits_open_ > 0 || counted_ < static_cast<int>(units_.size())) return;
  done_ = true;
  out.push_back(RoundDone{});
}

}  // namespace superstep::reduce
