#include "superstep/cli/signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "superstep/base/log.h"

namespace superstep::cli {
namespace {

constexpr int kEndedBySignal = 128;
std::atomic<int> caught = 0;

}  // namespace

std::stop_token stop_on_signals(std::string says) {
  // Threads inherit the mask, so the signals reach nobody but the thread that waits for them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  static std::stop_source source;
  std::thread([signals, says = std::move(says)] {
    int signal = 0;
    sigwait(&signals, &signal);
    caught = signal;
    log::info("{}", says);
    source.request_stop();
    sigwait(&signals, &signal);
    _exit(kEndedBySignal + signal);
  }).detach();
  return source.get_token();
}

int code_of_signal() { return caught == 0 ? 0 : kEndedBySignal + caught; }

}  // namespace superstep::cli
