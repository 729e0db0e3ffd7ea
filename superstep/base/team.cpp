#include "superstep/base/team.h"

#include <atomic>
#include <chrono>
#include <exception>
#include <span>
#include <thread>
#include <utility>

#include "superstep/base/error.h"
#include "superstep/base/floating_point.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace superstep {
namespace {

thread_local Team* current_team = nullptr;

// Longer than anything that a training step does on one thread; waking a sleeper takes about as
// long.
constexpr auto kSpin = std::chrono::microseconds(200);

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

template <class T>
void wait_while(const std::atomic<T>& state, T value, bool spins) {
  if (state.load(std::memory_order_acquire) != value) return;
  if (spins) {
    const auto end = std::chrono::steady_clock::now() + kSpin;
    do {
      for (int i = 0; i < 64; ++i) {
        if (state.load(std::memory_order_acquire) != value) return;
        pause();
      }
      std::this_thread::yield();  // the one waited for may want this core
    } while (std::chrono::steady_clock::now() < end);
  }
  state.wait(value, std::memory_order_acquire);
}

// The store must be seen before sleepers are looked for, hence the strongest order.
template <class T>
void tell(std::atomic<T>& state, T value) {
  state.store(value, std::memory_order_seq_cst);
  state.notify_one();
}

}  // namespace

// One line of the cache each: a member waits for its own.
struct alignas(64) Team::Member {
  enum State : int { kIdle, kOffered, kTaken, kEnd };
  std::atomic<int> state = kIdle;
  int number = 0;
  bool spins = true;
  std::exception_ptr error;
  std::jthread thread;  // last: ended before the rest goes

  bool take() {
    int offered = kOffered;
    return state.compare_exchange_strong(offered, kTaken, std::memory_order_acq_rel);
  }
  void work(const Call& call) {
    try {
      call.function(call.context, number);
    } catch (...) {
      error = std::current_exception();
    }
  }
};

Team::Team(int size)
    : size_(size), members_(std::make_unique<Member[]>(static_cast<size_t>(size))) {
  SUPERSTEP_ASSERT(size >= 1);
  // A thread that spins on the core of one that works only holds it up.
  const bool spins = size <= static_cast<int>(std::thread::hardware_concurrency());
  for (int m = 0; m < size; ++m) {
    Member& member = members_[static_cast<size_t>(m)];
    member.number = m;
    member.spins = spins;
    if (m > 0) member.thread = std::jthread([this, &member] { serve(member); });
  }
}

Team::~Team() {
  for (int m = 1; m < size_; ++m) tell<int>(members_[static_cast<size_t>(m)].state, Member::kEnd);
}

void Team::serve(Member& member) {
  const FloatingPointScope floating_point;
  for (;;) {
    wait_while<int>(member.state, Member::kIdle, member.spins);
    if (member.state.load(std::memory_order_acquire) == Member::kEnd) return;
    if (!member.take()) {  // taken by the thread whose team it is, which tells when it is done
      wait_while<int>(member.state, Member::kTaken, member.spins);
      continue;
    }
    member.work(call_);
    tell<int>(member.state, Member::kIdle);
  }
}

void Team::run(int members, Call call) {
  SUPERSTEP_ASSERT(current_team == this && members >= 1 && members <= size_);
  current_team = nullptr;  // a part is not cut again
  call_ = call;
  const std::span others(members_.get() + 1, static_cast<size_t>(members - 1));
  for (Member& member : others) tell<int>(member.state, Member::kOffered);
  members_[0].work(call);
  // On a busy machine a member may be long in coming: its part is then done here.
  for (Member& member : others) {
    if (!member.take()) continue;
    member.work(call);
    tell<int>(member.state, Member::kIdle);
  }
  for (Member& member : others) wait_while<int>(member.state, Member::kTaken, members_[0].spins);
  current_team = this;
  std::exception_ptr first;
  for (int m = members - 1; m >= 0; --m)
    if (std::exception_ptr error = std::exchange(members_[static_cast<size_t>(m)].error, nullptr))
      first = std::move(error);
  if (first) std::rethrow_exception(first);
}

Team::Scope::Scope(Team& team) : before_(current_team) { current_team = &team; }
Team::Scope::~Scope() { current_team = before_; }

Team* Team::current() { return current_team; }

}  // namespace superstep
