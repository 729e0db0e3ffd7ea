#include "superstep/cli/signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "superstep/base/log.h"

namespace superstep::cli {

std::stop_token stop_on_signals() {
  // Threads inherit the mask, so the signals reach nobody but the thread that waits for them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  static std::stop_source source;
  std::thread([signals] {
    int signal = 0;
    sigwait(&signals, &signal);
    log::info("stopping after this superstep; once more to stop at once");
    source.request_stop();
    sigwait(&signals, &signal);
    constexpr int kKilledBySignal = 128;
    _exit(kKilledBySignal + signal);
  }).detach();
  return source.get_token();
}

}  // namespace superstep::cli
