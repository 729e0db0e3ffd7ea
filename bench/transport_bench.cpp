// What it costs to bring a state of 100 MB to a worker and an update of 100 MB back: over gRPC, as
// a superstep does it, and through memory that both ends see, against 100 MB each way through a
// bare TCP connection. Coordinator and worker are two processes on this machine; trials of all
// kinds take turns, and medians are compared.
//
// A superstep does more than to move bytes: digests of the state, a check of the update on both
// sides. What one in this process takes is said too, and taken off in the last column. The goal is
// 55% of bare TCP with checks off.
//
//   transport_bench [MEGABYTES]
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "superstep/base/heap.h"
#include "superstep/cluster/coordinator.h"
#include "superstep/cluster/transport/client.h"
#include "superstep/cluster/transport/server.h"
#include "superstep/cluster/worker.h"

namespace superstep::cluster {
namespace {

constexpr int kRounds = 6, kTrials = 5;

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// One unit a round that changes nothing; apply() moves one number, so that the state goes out
/// anew.
class Exchange : public reduce::Program {
 public:
  explicit Exchange(int64_t floats)
      : layout_(std::make_shared<const ParamLayout>(std::vector<ParamSpec>{{"w", {floats}}})) {}
  [[nodiscard]] reduce::State initial() const override {
    return {.shared = ParamSet(layout_), .outer = ParamSet(), .notes = {}};
  }
  [[nodiscard]] std::optional<reduce::Round> next(const reduce::Round* last,
                                                  const reduce::State&) const override {
    const int64_t superstep = last ? last->superstep + 1 : 0;
    if (superstep == kRounds) return std::nullopt;
    return reduce::Round{.phase = "exchange",
                         .epoch = 0,
                         .superstep = superstep,
                         .args = {},
                         .units = {{.id = 0, .begin = 0, .end = 1, .weight = 1}}};
  }
  [[nodiscard]] reduce::UpdateSpec update_spec(const reduce::Round&) const override {
    return reduce::UpdateSpec::means(layout_);
  }
  [[nodiscard]] reduce::Outcome compute(const reduce::Task& task) const override {
    return {.update = task.scratch.update(layout_), .weight = 1, .blob = {}, .private_state = {}};
  }
  reduce::Report apply(const reduce::Round&, reduce::State& state, const reduce::ExactSum&,
                       const std::vector<Bytes>&) const override {
    state.shared.values(0)[0] += 1;
    return {.event = "superstep", .measures = {}};
  }

 private:
  std::shared_ptr<const ParamLayout> layout_;
};

/// Seconds of each round but the first, in which memory is fresh.
class Clock : public Observer {
 public:
  void on_round(const RoundDone& done) override {
    if (done.round.superstep > 0) seconds.push_back(done.seconds);
  }
  std::vector<double> seconds;
};

double superstep_here(const Exchange& program) {
  Clock clock;
  Coordinator coordinator(program, {.observer = &clock});
  Worker worker(program, 1);
  worker.connect(coordinator.join(worker, 1));
  (void)coordinator.run();
  return median(clock.seconds);
}

void must(bool good, const char* what) {
  if (!good) throw Error(std::string("cannot ") + what);
}

/// Runs `child` in a process of its own; gRPC must not have begun in this one.
pid_t in_child(const std::function<void()>& child) {
  const pid_t pid = fork();
  must(pid >= 0, "fork");
  if (pid != 0) return pid;
  child();
  _exit(0);
}

void wait_for(pid_t pid) {
  int status = 0;
  must(waitpid(pid, &status, 0) == pid && status == 0, "end the other process well");
}

// The worker reads where to dial from a pipe, since it must be forked before the server begins; and
// since gRPC cannot begin again after a fork, the server too has a process of its own.
double superstep_over_grpc(const Exchange& program, const transport::Link& server_link,
                           const transport::Link& link) {
  int address_pipe[2], answer_pipe[2];
  must(pipe(address_pipe) == 0 && pipe(answer_pipe) == 0, "make a pipe");
  const pid_t worker = in_child([&] {
    char address[64] = {};
    must(read(address_pipe[0], address, sizeof address - 1) > 0, "read an address");
    std::string reason;
    const auto end = transport::work(
        {.coordinator = address, .link = link},
        [&](const transport::Stage&) {
          return transport::MadeProgram{{std::shared_ptr<void>(), &program}, "same"};
        },
        &reason);
    must(end == transport::WorkEnd::kDone, reason.c_str());
  });
  const pid_t coordinator_process = in_child([&] {
    transport::Server server({.link = server_link});
    Clock clock;
    Coordinator coordinator(program, {.observer = &clock});
    server.attach(coordinator, {}, "same");
    const std::string address = server.address();
    must(write(address_pipe[1], address.data(), address.size()) > 0, "write an address");
    (void)coordinator.run();
    server.detach();
    const double seconds = median(clock.seconds);
    must(write(answer_pipe[1], &seconds, sizeof seconds) == sizeof seconds, "answer");
  });
  double seconds = 0;
  must(read(answer_pipe[0], &seconds, sizeof seconds) == sizeof seconds, "hear an answer");
  wait_for(coordinator_process);
  wait_for(worker);
  for (const int end : {address_pipe[0], address_pipe[1], answer_pipe[0], answer_pipe[1]})
    close(end);
  return seconds;
}

bool send_all(int fd, const char* bytes, size_t size) {
  while (size != 0) {
    const ssize_t sent = send(fd, bytes, std::min<size_t>(size, 1 << 20), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    size -= static_cast<size_t>(sent);
  }
  return true;
}

bool receive_all(int fd, char* bytes, size_t size) {
  while (size != 0) {
    const ssize_t got = recv(fd, bytes, std::min<size_t>(size, 1 << 20), 0);
    if (got <= 0) return false;
    bytes += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

// All of it there, then all of it back, 1 MiB a call.
double bare_tcp(size_t bytes) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  must(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
           listen(listener, 1) == 0 &&
           getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0,
       "listen");
  std::vector<char> memory(bytes);
  const pid_t other = in_child([&] {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    must(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "connect");
    for (int round = 0; round < kRounds; ++round)
      must(receive_all(fd, memory.data(), bytes) && send_all(fd, memory.data(), bytes), "exchange");
  });
  const int fd = accept(listener, nullptr, nullptr);
  std::vector<double> seconds;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    must(send_all(fd, memory.data(), bytes) && receive_all(fd, memory.data(), bytes), "exchange");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (round > 0) seconds.push_back(took.count());
  }
  wait_for(other);
  close(fd);
  close(listener);
  return median(seconds);
}

void run(int64_t megabytes) {
  const Exchange program(megabytes * 1'000'000 / 4);
  const Authority authority = make_authority("bench");
  struct Kind {
    const char* name;
    bool checks, tls, shares_memory;
    std::vector<double> seconds;
  };
  std::vector<Kind> kinds{{"gRPC, checks off", false, false, false, {}},
                          {"gRPC, checks on", true, false, false, {}},
                          {"gRPC, checks on, TLS", true, true, false, {}},
                          {"shared memory", true, false, true, {}}};
  std::vector<double> here, tcp;
  for (int trial = 0; trial < kTrials; ++trial) {
    tcp.push_back(bare_tcp(static_cast<size_t>(megabytes) * 1'000'000));
    here.push_back(superstep_here(program));
    for (Kind& kind : kinds) {
      transport::Link server{.checks = kind.checks, .shares_memory = kind.shares_memory},
          worker = server;
      if (kind.tls) {
        server.tls = issue(authority, {"127.0.0.1"});
        worker.tls = issue(authority, {});
      }
      kind.seconds.push_back(superstep_over_grpc(program, server, worker));
    }
  }
  const double bare = median(tcp), still = median(here);
  fmt::print("{} MB there and back, medians of {} trials of {} supersteps\n", megabytes, kTrials,
             kRounds - 1);
  fmt::print("{:<22}{:>8}{:>10}{:>22}\n", "", "ms", "of TCP", "of TCP, moving alone");
  fmt::print("{:<22}{:>8.0f}{:>10}\n", "bare TCP", bare * 1e3, "");
  fmt::print("{:<22}{:>8.0f}{:>10}\n", "nothing moved", still * 1e3, "");
  for (const Kind& kind : kinds) {
    const double seconds = median(kind.seconds);
    fmt::print("{:<22}{:>8.0f}{:>9.0f}%{:>21.0f}%\n", kind.name, seconds * 1e3,
               100 * bare / seconds, 100 * bare / (seconds - still));
  }
}

}  // namespace
}  // namespace superstep::cluster

int main(int argc, char** argv) {
  superstep::keep_freed_memory();
  superstep::cluster::run(argc > 1 ? std::stoll(argv[1]) : 100);
  return 0;
}
