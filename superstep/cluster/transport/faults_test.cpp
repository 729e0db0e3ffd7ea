// What a network does to those who know the secret: lost connections, late and early ends.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <transport.grpc.pb.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <list>
#include <numeric>
#include <thread>

#include "superstep/cluster/coordinator.h"
#include "superstep/cluster/testing.h"
#include "superstep/cluster/transport/client.h"
#include "superstep/cluster/transport/server.h"
#include "superstep/cluster/transport/shared_memory.h"
#include "superstep/cluster/transport/testing.h"
#include "superstep/cluster/transport/wire.h"
#include "superstep/cluster/worker.h"

namespace superstep::cluster::transport {
namespace {

using cluster::testing::Sums;
using testing::Relay;
using testing::Wide;

Digest digest_of(const RunResult& result) {
  const auto flat = result.state.shared.flat();
  return digest(flat.data(), flat.size_bytes());
}

template <class Program>
std::shared_ptr<const reduce::Program> borrowed(const Program& program) {
  return {std::shared_ptr<void>(), &program};
}

/// A worker on a thread of its own.
class Remote {
 public:
  Remote(ClientOptions options, std::function<MadeProgram(const Stage&)> make)
      : thread_([this, options = std::move(options),
                 make = std::move(make)](const std::stop_token& stop) mutable {
          options.stop = stop;
          end_ = work(options, make, &reason_);
        }) {}
  Remote(const std::string& address, const reduce::Program& program)
      : Remote({.coordinator = address}, [&program](const Stage&) {
          return MadeProgram{borrowed(program), "same"};
        }) {}
  WorkEnd end() {
    if (thread_.joinable()) thread_.join();
    return end_;
  }
  void stop() { thread_.request_stop(); }
  std::string reason() {
    end();
    return reason_;
  }

 private:
  WorkEnd end_ = WorkEnd::kStopped;
  std::string reason_;
  std::jthread thread_;
};

Digest wide_end() {
  static const Digest end = [] {
    const Wide program;
    Server server({});
    Coordinator coordinator(program, {});
    server.attach(coordinator, {}, "same");
    Remote worker(server.address(), program);
    const Digest digest = digest_of(coordinator.run());
    server.detach();
    worker.stop();
    return digest;
  }();
  return end;
}

/// Where a program ends on one worker in this process.
RunResult in_this_process(const reduce::Program& program) {
  Coordinator coordinator(program, {});
  Worker worker(program, 1);
  auto& door = coordinator.join(worker, 1);
  worker.connect(door);
  return coordinator.run();
}

/// Runs Wide with one worker behind a relay, and returns what the server counted.
ServerCounters run_behind_relay(Wide& program, const std::function<void(Relay&)>& prepare,
                                const Link& link = {}) {
  Server server({.link = link});
  Relay relay(server.address());
  prepare(relay);
  Coordinator coordinator(program, {});
  server.attach(coordinator, {}, "same");
  Remote worker({.coordinator = relay.address(), .link = link}, [&program](const Stage&) {
    return MadeProgram{borrowed(program), "same"};
  });
  EXPECT_EQ(digest_of(coordinator.run()), wide_end());
  server.detach();
  EXPECT_EQ(relay.cuts, 1);
  const ServerCounters counters = server.counters();
  worker.stop();
  EXPECT_EQ(worker.end(), WorkEnd::kStopped);
  return counters;
}

TEST(Faults, AConnectionCutWhileAUnitIsComputedIsMadeAgain) {
  Wide program;
  const ServerCounters counters = run_behind_relay(program, [&](Relay& relay) {
    program.before = [&](const reduce::Task& task) {
      if (task.round.superstep == 1 && task.unit.id == 1 && relay.cuts == 0) relay.cut();
    };
  });
  EXPECT_EQ(counters.connected, 2);
  EXPECT_EQ(counters.lost, 1);
}

TEST(Faults, AConnectionCutAtANoticeIsMadeAgain) {
  Wide program;
  const ServerCounters counters = run_behind_relay(program, [&](Relay& relay) {
    program.after = [&](const reduce::Task& task) {
      if (task.round.superstep == 1 && task.unit.id == 2 && relay.cuts == 0) relay.cut();
    };
  });
  EXPECT_EQ(counters.connected, 2);
}

// An update has 1.6 MB, and 4 of them come each round: 4 MB are within the third.
TEST(Faults, AConnectionCutInTheMiddleOfAnUpdateIsMadeAgain) {
  Wide program;
  const ServerCounters counters =
      run_behind_relay(program, [](Relay& relay) { relay.up_left = 4'000'000; });
  EXPECT_EQ(counters.connected, 2);
  EXPECT_EQ(counters.updates, 20);
  EXPECT_LE(counters.broken, 1);  // 0: the session was gone before its transfer was looked at
}

// The first state has 3.2 MB. The server may have handed all of it to its kernel by then.
TEST(Faults, AConnectionCutInTheMiddleOfAStateIsMadeAgain) {
  Wide program;
  const ServerCounters counters =
      run_behind_relay(program, [](Relay& relay) { relay.down_left = 2'000'000; });
  EXPECT_EQ(counters.connected, 2);
  EXPECT_EQ(counters.states + counters.broken, 6);
}

TEST(Transfers, SendWhatHasChangedAndNothingElse) {
  const Wide program;
  Server server({});
  Coordinator coordinator(program, {});
  server.attach(coordinator, {}, "same");
  Remote worker(server.address(), program);
  EXPECT_EQ(digest_of(coordinator.run()), wide_end());
  server.detach();
  // 400,000 floats in chunks of 262,144 are two chunks, each with a header of 32 bytes. The frozen
  // half goes out once, the moving half in each of 5 rounds; 4 units send it back in each. The
  // first time both halves, 800,000 floats side by side, are four chunks.
  constexpr int64_t kHalf = 400'000 * 4;
  const ServerCounters counters = server.counters();
  EXPECT_EQ(counters.tensor_out, 2 * kHalf + 4 * 32 + 4 * (kHalf + 2 * 32));
  EXPECT_EQ(counters.tensor_in, 20 * (kHalf + 2 * 32));
  EXPECT_EQ(counters.states, 5);
  EXPECT_EQ(counters.updates, 20);
  EXPECT_EQ(counters.broken, 0);
  EXPECT_GT(server.traffic().in, counters.tensor_in);
  EXPECT_LT(server.traffic().in, counters.tensor_in + 20'000);
}

TEST(Transfers, SendTheFrozenHalfNotEvenAfterALostConnection) {
  Wide program;
  const ServerCounters counters = run_behind_relay(program, [&](Relay& relay) {
    program.before = [&](const reduce::Task& task) {
      if (task.round.superstep == 1 && relay.cuts == 0) relay.cut();
    };
  });
  constexpr int64_t kHalf = 400'000 * 4;
  EXPECT_EQ(counters.states, 5);
  EXPECT_EQ(counters.tensor_out, 2 * kHalf + 4 * 32 + 4 * (kHalf + 2 * 32));
}

TEST(Transfers, AreInTheMetricsOfARound) {
  const Wide program;
  struct Bytes : Observer {
    void on_round(const RoundDone& done) override {
      in += done.bytes_in;
      out += done.bytes_out;
    }
    int64_t in = 0, out = 0;
  } bytes;
  Server server({});
  RunOptions options{.observer = &bytes};
  options.traffic = [&] { return server.traffic(); };
  Coordinator coordinator(program, std::move(options));
  server.attach(coordinator, {}, "same");
  Remote worker(server.address(), program);
  (void)coordinator.run();
  server.detach();
  EXPECT_GE(bytes.in, 20 * 1'600'000);
  EXPECT_LE(bytes.in, server.traffic().in);
  EXPECT_GE(bytes.out, 6 * 1'600'000);
}

const Link kShares{.shares_memory = true};

/// Runs Wide with workers that share memory, and returns what the server counted.
ServerCounters run_sharing(const Wide& program, int workers, int lanes) {
  Server server({.link = kShares});
  Coordinator coordinator(program, {});
  server.attach(coordinator, {}, "same");
  std::list<Remote> remotes;
  for (int i = 0; i < workers; ++i)
    remotes.emplace_back(
        ClientOptions{.coordinator = server.address(), .link = kShares, .lanes = lanes},
        [&program](const Stage&) {
          return MadeProgram{borrowed(program), "same"};
        });
  const Digest end = digest_of(coordinator.run());
  EXPECT_EQ(end, digest_of(in_this_process(program)));
  server.detach();
  return server.counters();
}

TEST(Memory, MovesNoStateAndNoChunks) {
  constexpr int64_t kHalf = 400'000 * 4;
  const ServerCounters counters = run_sharing(Wide(), 1, 1);
  EXPECT_EQ(counters.tensor_out, 0);
  EXPECT_EQ(counters.tensor_in, 20 * kHalf);
  EXPECT_EQ(counters.shared, 5 + 20);
}

// A sum of few updates keeps their memory until its mean is asked for; of many it keeps the first.
TEST(Memory, IsNotWrittenWhileTheCoordinatorReads) {
  for (const int units : {1, 4, 9})
    for (const int workers : {1, 3})
      for (const int lanes : {1, 2}) {
        Wide program;
        program.units = units;
        const ServerCounters counters = run_sharing(program, workers, lanes);
        EXPECT_EQ(counters.updates, 5 * units);
        EXPECT_EQ(counters.shared, counters.states + counters.updates);
      }
}

TEST(Memory, StaysOverALostConnection) {
  Wide program;
  const ServerCounters counters = run_behind_relay(
      program,
      [&](Relay& relay) {
        program.before = [&](const reduce::Task& task) {
          if (task.round.superstep == 1 && relay.cuts == 0) relay.cut();
        };
      },
      kShares);
  EXPECT_EQ(counters.connected, 2);
  EXPECT_EQ(counters.tensor_out, 0);
  EXPECT_EQ(counters.shared, counters.states + counters.updates);
}

TEST(Memory, ThatTheSystemDoesNotGiveIsDoneWithout) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 65536, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const ServerCounters counters = run_sharing(Wide(), 2, 1);
  EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  (void)std::signal(SIGXFSZ, ignored);
  EXPECT_EQ(counters.updates, 20);
  EXPECT_EQ(counters.shared, 0);
}

/// A coordinator by hand, for one worker and one unit, that says of memory what it is told to.
class ByHand : public wire::Coordinator::Service {
 public:
  ByHand() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~ByHand() override { server_->Shutdown(); }
  ByHand(const ByHand&) = delete;
  ByHand& operator=(const ByHand&) = delete;

  /// What it says, before it does.
  std::function<void(wire::Welcome&)> spoil_welcome = [](wire::Welcome&) {};
  std::function<void(wire::Begin&)> spoil_begin = [](wire::Begin&) {};
  bool compares = false;  // it asks for a digest while the lease waits for its state
  /// What it has heard.
  std::vector<wire::Hello> hellos;
  bool reads_memory = false;
  std::atomic<int> notices = 0, digests = 0, pulls = 0, updates = 0;

  /// Lets a worker in, and a second time no more.
  void serve() {
    Remote worker({.coordinator = fmt::format("127.0.0.1:{}", port_), .link = kShares},
                  [&](const Stage&) {
                    return MadeProgram{borrowed(program_), "same"};
                  });
    EXPECT_EQ(worker.end(), WorkEnd::kRefused);
    ASSERT_EQ(hellos.size(), 2U);
  }

  grpc::Status Work(grpc::ServerContext*,
                    grpc::ServerReaderWriter<wire::ToWorker, wire::FromWorker>* stream) override {
    wire::FromWorker said;
    if (!stream->Read(&said)) return grpc::Status::CANCELLED;
    hellos.push_back(said.hello());
    if (hellos.size() == 2) return {grpc::StatusCode::FAILED_PRECONDITION, "that is all"};
    wire::ToWorker message;
    message.mutable_welcome()->set_worker(1);
    message.mutable_welcome()->set_shares_memory(true);
    message.mutable_welcome()->set_process(getpid());
    message.mutable_welcome()->set_memory_key(tensors_.key());
    const auto tried = SharedMemory::make(tensors_.key(), 0);
    message.mutable_welcome()->set_memory(tried->name());
    spoil_welcome(*message.mutable_welcome());
    stream->Write(message);
    message.mutable_stage()->set_number(1);
    stream->Write(message);
    if (!stream->Read(&said)) return grpc::Status::CANCELLED;
    reads_memory = said.ready().reads_memory();
    const auto round = program_.next(nullptr, {});
    const auto start = program_.initial();
    auto shared = std::make_shared<ParamSet>(tensors_.make(start.shared.shared_layout()));
    std::ranges::copy(start.shared.flat(), shared->flat().begin());
    const std::string name = reads_memory ? tensors_.name_of(*shared) : std::string();
    to_wire(RoundStart{.round = *round, .spec = program_.update_spec(*round), .shared = shared}, 1,
            name, *message.mutable_begin());
    spoil_begin(*message.mutable_begin());
    wire::ToWorker grant;
    grant.mutable_grant()->set_lease(1);
    grant.mutable_grant()->set_state(1);
    stream->Write(grant);
    if (compares) {
      wire::ToWorker compare;
      compare.mutable_compare()->set_lease(1);
      stream->Write(compare);
    }
    stream->Write(message);
    while (stream->Read(&said)) {
      if (!said.has_notice()) continue;
      ++notices;
      digests += said.notice().digest_size() == 2 ? 1 : 0;
      message.mutable_push()->set_lease(1);
      stream->Write(message);
    }
    return grpc::Status::OK;
  }
  grpc::Status Pull(grpc::ServerContext*,
                    grpc::ServerReaderWriter<wire::Bulk, wire::Bulk>*) override {
    ++pulls;
    return {grpc::StatusCode::INTERNAL, "no state"};
  }
  grpc::Status Deliver(grpc::ServerContext*,
                       grpc::ServerReaderWriter<wire::Bulk, wire::Bulk>*) override {
    ++updates;
    return {grpc::StatusCode::RESOURCE_EXHAUSTED, "no memory"};
  }

 private:
  const Wide program_;
  SharedTensors tensors_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST(Memory, ThatTheCoordinatorDoesNotReachIsDoneWithout) {
  ByHand coordinator;
  coordinator.serve();
  EXPECT_TRUE(coordinator.reads_memory);
  EXPECT_EQ(coordinator.notices, 1);
  EXPECT_EQ(coordinator.digests, 0);
  EXPECT_EQ(coordinator.pulls, 0);
  EXPECT_EQ(coordinator.updates, 1);
  EXPECT_NE(coordinator.hellos[0].memory(), "");
  EXPECT_EQ(coordinator.hellos[1].memory(), "");
  EXPECT_EQ(coordinator.hellos[1].memory_key(), "");
}

void expect_pull(ByHand& coordinator, bool reads_memory) {
  coordinator.serve();
  EXPECT_EQ(coordinator.reads_memory, reads_memory);
  EXPECT_EQ(coordinator.pulls, 1);
  EXPECT_EQ(coordinator.notices, 0);
}

TEST(Memory, ThatTheWorkerDoesNotReachIsDoneWithout) {
  for (const auto& spoil : std::vector<std::function<void(wire::Welcome&)>>{
           [](wire::Welcome& welcome) { welcome.set_memory_key(make_secret()); },
           [](wire::Welcome& welcome) { welcome.set_memory("0.1"); },
           [](wire::Welcome& welcome) { welcome.set_process(0); },
           [](wire::Welcome& welcome) { welcome.set_shares_memory(false); }}) {
    ByHand coordinator;
    coordinator.spoil_welcome = spoil;
    expect_pull(coordinator, /*reads_memory=*/false);
  }
}

TEST(Memory, WhereTheStateIsNotIsPulled) {
  for (const auto& spoil : std::vector<std::function<void(wire::Begin&)>>{
           [](wire::Begin& begin) { begin.set_memory(begin.memory() + "0"); },
           [](wire::Begin& begin) { begin.mutable_tensors()->RemoveLast(); }}) {
    ByHand coordinator;
    coordinator.spoil_begin = spoil;
    expect_pull(coordinator, /*reads_memory=*/true);
  }
}

TEST(Digests, AreAskedForOfALeaseThatWaitsForItsState) {
  ByHand coordinator;
  coordinator.compares = true;
  coordinator.serve();
  EXPECT_EQ(coordinator.notices, 1);
  EXPECT_EQ(coordinator.digests, 1);
}

TEST(Stages, FollowEachOtherOnOneConnection) {
  const Sums sums;
  const Wide wide;
  std::atomic<int> made = 0;
  Server server({});
  Remote worker({.coordinator = server.address(), .lanes = 2}, [&](const Stage& stage) {
    ++made;
    if (stage.kind == "sums") return MadeProgram{borrowed(sums), "sums " + stage.args};
    return MadeProgram{borrowed(wide), "wide " + stage.args};
  });
  for (const std::string kind : {"sums", "wide", "wide", "sums"}) {
    const reduce::Program& program =
        kind == "sums" ? static_cast<const reduce::Program&>(sums) : wide;
    Coordinator coordinator(program, {});
    server.attach(coordinator, {kind, "7"}, kind + " 7");
    const RunResult result = coordinator.run();
    server.detach();
    if (kind == "sums")
      sums.expect_end(result.state);
    else
      EXPECT_EQ(digest_of(result), wide_end());
  }
  EXPECT_EQ(made, 3);  // the second "wide" is the first one
  EXPECT_EQ(server.counters().connected, 1);
}

TEST(Stages, AreOverForWorkersThatAreStillBusy) {
  Sums program;
  std::atomic<bool> cut_short = false;
  std::atomic<int> begun = 0;
  program.spoil = [&](const reduce::Task& task, reduce::Outcome&) {
    if (++begun != 1) throw DataError("no");
    while (!task.progress.stopped()) std::this_thread::yield();
    cut_short = true;
  };
  Server server({});
  Remote worker({.coordinator = server.address(), .lanes = 2}, [&](const Stage&) {
    return MadeProgram{borrowed(program), "same"};
  });
  {
    Coordinator coordinator(program, {});
    server.attach(coordinator, {}, "same");
    EXPECT_THROW((void)coordinator.run(), DataError);
    server.detach();
  }
  while (!cut_short) std::this_thread::yield();
}

TEST(End, OfTheServerIsTheEndOfTheJob) {
  const Sums program;
  auto server = std::make_unique<Server>(ServerOptions{});
  Remote one(server->address(), program), two(server->address(), program);
  Coordinator coordinator(program, {});
  server->attach(coordinator, {}, "same");
  program.expect_end(coordinator.run().state);
  server->detach();
  while (server->workers() != 2) std::this_thread::yield();
  server.reset();
  EXPECT_EQ(one.end(), WorkEnd::kDone);
  EXPECT_EQ(two.end(), WorkEnd::kDone);
}

TEST(End, ComesToAWorkerThatHasLostItsCoordinator) {
  const Sums program;
  std::string address;
  {
    Server server({});
    address = server.address();
  }
  Remote worker({.coordinator = address, .patience = 0.3}, [&](const Stage&) {
    return MadeProgram{borrowed(program), "same"};
  });
  EXPECT_EQ(worker.end(), WorkEnd::kLost);
  EXPECT_NE(worker.reason(), "");
}

TEST(End, ComesToAWorkerThatIsAskedToStop) {
  const Sums program;
  Server server({});
  Remote worker(server.address(), program);
  while (server.workers() != 1) std::this_thread::yield();
  worker.stop();
  EXPECT_EQ(worker.end(), WorkEnd::kStopped);
  while (server.workers() != 0) std::this_thread::yield();
}

// Else a person who takes workers away would look like a unit that kills them.
TEST(End, OfAWorkerThatIsAskedToStopIsNoDeath) {
  Wide program;
  std::atomic<bool> stopped = false;
  std::unique_ptr<Remote> first;
  program.before = [&](const reduce::Task& task) {
    if (task.round.superstep != 1 || stopped.exchange(true)) return;
    first->stop();
    while (!task.progress.stopped()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  Server server({});
  Coordinator coordinator(program, {});
  server.attach(coordinator, {}, "same");
  first = std::make_unique<Remote>(server.address(), program);
  ::testing::internal::CaptureStderr();
  std::unique_ptr<Remote> second;
  std::jthread successor([&] {
    EXPECT_EQ(first->end(), WorkEnd::kStopped);
    second = std::make_unique<Remote>(server.address(), program);
  });
  EXPECT_EQ(digest_of(coordinator.run()), wide_end());
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("worker 0 on "), std::string::npos) << said;
  EXPECT_NE(said.find(" leaves; 1 of its units goes to others"), std::string::npos) << said;
  EXPECT_EQ(said.find("is gone"), std::string::npos) << said;
  server.detach();
}

TEST(Attempts, AHigherOneIsAdoptedAndALowerOneIsNot) {
  Sums program;
  std::string address;
  std::unique_ptr<Server> server;
  const auto serve = [&](int64_t attempt) {
    const std::string listen = address.empty() ? "127.0.0.1:0" : address;
    server = std::make_unique<Server>(
        ServerOptions{.listen = listen, .job_id = "a job", .attempt = attempt});
    address = server->address();
  };
  serve(2);
  Coordinator idle(program, {});
  server->attach(idle, {}, "same");
  Relay relay(address);
  std::atomic<bool> made = false;
  Remote worker({.coordinator = relay.address(), .patience = 60}, [&](const Stage&) {
    made = true;
    return MadeProgram{borrowed(program), "same"};
  });
  while (!made) std::this_thread::yield();  // the stage comes after the attempt
  relay.cut();  // before, or the end of the server would be that of the job
  server->detach();
  server.reset();
  serve(1);
  while (server->counters().refused == 0) std::this_thread::yield();
  EXPECT_EQ(server->counters().connected, 0);
  server.reset();
  serve(3);
  Coordinator coordinator(program, {.schedule = {.attempt = 3}});
  server->attach(coordinator, {}, "same");
  program.expect_end(coordinator.run().state);
  server->detach();
  server.reset();
  EXPECT_EQ(worker.end(), WorkEnd::kDone);
}

TEST(Refused, IsAWorkerOfAnotherProgramOrJob) {
  const Sums program;
  Server server({.job_id = "a"});
  Coordinator coordinator(program, {});
  server.attach(coordinator, {}, "same");
  Remote other({.coordinator = server.address()}, [&](const Stage&) {
    return MadeProgram{borrowed(program), "other"};
  });
  EXPECT_EQ(other.end(), WorkEnd::kRefused);
  EXPECT_EQ(other.reason(),
            "its program is not the coordinator's: job, data or build differ there");
  Remote unable({.coordinator = server.address()}, [](const Stage&) -> MadeProgram {
    throw FileError("rows.csv is not there{}", std::string(5'000, '!'));
  });
  EXPECT_EQ(unable.end(), WorkEnd::kRefused);
  EXPECT_EQ(unable.reason().substr(0, 56),
            "it cannot make the program: rows.csv is not there!!!!!!!");
  EXPECT_EQ(server.counters().refused, 2);
  Remote good(server.address(), program);  // nobody else is harmed
  program.expect_end(coordinator.run().state);
  server.detach();
}

TEST(Server, SaysWhereItCannotListen) {
  Server server({});
  EXPECT_THROW(Server({.listen = server.address()}), ConfigError);
  EXPECT_THROW(Server({.listen = "nowhere"}), ConfigError);
  EXPECT_THROW(Server({.link = {.tls = Tls{"no", "such", "thing"}}}), ConfigError);
}

}  // namespace
}  // namespace superstep::cluster::transport
