// What those can do who do not know the secret, or do not keep to the protocol: nothing. In each
// test a worker that does both works beside them, and its job ends as ever.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <transport.grpc.pb.h>

#include <random>
#include <thread>

#include "superstep/cluster/coordinator.h"
#include "superstep/cluster/testing.h"
#include "superstep/cluster/transport/client.h"
#include "superstep/cluster/transport/server.h"
#include "superstep/cluster/transport/shared_memory.h"
#include "superstep/cluster/transport/testing.h"
#include "superstep/cluster/transport/wire.h"

namespace superstep::cluster::transport {
namespace {

using cluster::testing::Sums;
using testing::Socket;

/// A job with a secret; ends well, whatever strangers did before.
class Job {
 public:
  explicit Job(bool tls = false, bool shares_memory = false) : authority(make_authority("a job")) {
    link.secret = make_secret();
    link.shares_memory = shares_memory;
    Link server_link = link;
    if (tls) {
      server_link.tls = issue(authority, {"127.0.0.1"});
      link.tls = issue(authority, {});
    }
    server = std::make_unique<Server>(ServerOptions{.link = server_link, .job_id = "a job"});
    server->attach(coordinator, {}, "same");
  }
  ~Job() {
    std::jthread worker([&] {
      std::string reason;
      EXPECT_EQ(work({.coordinator = server->address(), .link = link}, make(), &reason),
                WorkEnd::kDone)
          << reason;
    });
    program.expect_end(coordinator.run().state);
    server->detach();
    while (server->workers() == 0) std::this_thread::yield();
    server.reset();
  }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  std::function<MadeProgram(const Stage&)> make() {
    return [&](const Stage&) { return MadeProgram{{std::shared_ptr<void>(), &program}, "same"}; };
  }
  WorkEnd worker(const Link& other, std::string* reason) {
    return work({.coordinator = server->address(), .link = other, .patience = 0.3}, make(), reason);
  }
  [[nodiscard]] int port() const {
    const std::string address = server->address();
    return std::stoi(address.substr(address.rfind(':') + 1));
  }
  std::shared_ptr<grpc::Channel> channel() const {
    return grpc::CreateChannel(server->address(), grpc::InsecureChannelCredentials());
  }

  Sums program;
  Link link;
  Authority authority;
  Coordinator coordinator{program, {}};
  std::unique_ptr<Server> server;
};

/// Opens a call of Work by hand, says one thing, and returns how it ended.
grpc::Status say(Job& job, const std::string& secret, const wire::FromWorker& message,
                 bool hello_first) {
  const auto stub = wire::Coordinator::NewStub(job.channel());
  grpc::ClientContext context;
  if (!secret.empty()) context.AddMetadata(kSecretKey, secret);
  const auto stream = stub->Work(&context);
  if (hello_first) {
    wire::FromWorker hello;
    hello.mutable_hello()->set_version(kVersion);
    hello.mutable_hello()->set_lanes(1);
    stream->Write(hello);
  }
  stream->Write(message);
  wire::ToWorker answer;
  while (stream->Read(&answer)) {
  }
  return stream->Finish();
}

wire::FromWorker hello(uint32_t version) {
  wire::FromWorker message;
  message.mutable_hello()->set_version(version);
  message.mutable_hello()->set_lanes(1);
  return message;
}

TEST(Strangers, WithoutTheSecretAreRefused) {
  Job job;
  std::string reason;
  for (const std::string& secret : {std::string(), std::string("?"), std::string(32, 'x')}) {
    EXPECT_EQ(job.worker({.secret = secret}, &reason), WorkEnd::kRefused);
    EXPECT_EQ(reason, "the secret of the job is missing or another");
  }
  EXPECT_EQ(job.server->counters().no_secret, 3);
  EXPECT_EQ(job.server->counters().connected, 0);
}

TEST(Strangers, WithoutTheSecretAreNotListenedTo) {
  Job job;
  const auto channel = job.channel();
  for (const char* method : {"Work", "Pull", "Deliver"}) {
    // No message is sent: the answer does not wait for one.
    grpc::ClientContext context;
    const auto stub = wire::Coordinator::NewStub(channel);
    grpc::Status status;
    if (method == std::string("Work")) {
      status = stub->Work(&context)->Finish();
    } else if (method == std::string("Pull")) {
      status = stub->Pull(&context)->Finish();
    } else {
      status = stub->Deliver(&context)->Finish();
    }
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << method;
  }
  EXPECT_EQ(job.server->counters().no_secret, 3);
}

TEST(Strangers, InPlainTextAreRefusedUnderTls) {
  Job job(/*tls=*/true);
  std::string reason;
  Link plain = job.link;
  plain.tls.reset();
  EXPECT_EQ(job.worker(plain, &reason), WorkEnd::kLost);  // the secret alone is not enough
  EXPECT_EQ(job.server->counters().connected, 0);
  EXPECT_EQ(job.server->counters().no_secret, 0);  // not even asked for it
}

TEST(Strangers, OfAnotherAuthorityAreRefusedUnderTls) {
  Job job(/*tls=*/true);
  std::string reason;
  Link other = job.link;
  other.tls = issue(make_authority("another"), {});
  EXPECT_EQ(job.worker(other, &reason), WorkEnd::kLost);  // does not believe the server
  other.tls->authority = job.authority.certificate;
  EXPECT_EQ(job.worker(other, &reason), WorkEnd::kLost);  // is not believed
  EXPECT_EQ(job.server->counters().connected, 0);
}

TEST(Workers, DoNotBelieveACoordinatorAtAnotherHost) {
  const Authority authority = make_authority("a job");
  Server server({.link = {.tls = issue(authority, {"10.0.0.7"})}});
  const Sums program;
  EXPECT_EQ(
      work(
          {.coordinator = server.address(), .link = {.tls = issue(authority, {})}, .patience = 0.3},
          [&](const Stage&) {
            return MadeProgram{{std::shared_ptr<void>(), &program}, "same"};
          }),
      WorkEnd::kLost);
  EXPECT_EQ(server.counters().connected, 0);
}

TEST(Strangers, OfAnotherVersionAreRefused) {
  Job job;
  const grpc::Status status = say(job, job.link.secret, hello(kVersion + 1), false);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(
      status.error_message(),
      fmt::format("it speaks version {} of the protocol, the coordinator {}: start workers and "
                  "coordinator from one build",
                  kVersion + 1, kVersion));
  EXPECT_EQ(job.server->counters().refused, 1);
}

TEST(Strangers, WhoBreakTheProtocolAreRefused) {
  Job job;
  wire::FromWorker notice;
  notice.mutable_notice()->set_lease(1);
  wire::FromWorker no_lanes = hello(kVersion);
  no_lanes.mutable_hello()->set_lanes(0);
  for (const wire::FromWorker& first : {notice, wire::FromWorker(), no_lanes})
    EXPECT_EQ(say(job, job.link.secret, first, false).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(say(job, job.link.secret, hello(kVersion), true).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(job.server->counters().refused, 4);
}

/// A worker by hand, welcome once it has said hello.
struct Visitor {
  Visitor(Job& job, const wire::FromWorker& hello)
      : secret(job.link.secret), stub(wire::Coordinator::NewStub(job.channel())) {
    context.AddMetadata(kSecretKey, secret);
    stream = stub->Work(&context);
    stream->Write(hello);
    wire::ToWorker answer;
    EXPECT_TRUE(stream->Read(&answer));
    welcome = answer.welcome();
  }
  ~Visitor() {
    context.TryCancel();
    stream->Finish();
  }
  Visitor(const Visitor&) = delete;
  Visitor& operator=(const Visitor&) = delete;

  Bytes secret;
  std::unique_ptr<wire::Coordinator::Stub> stub;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<wire::FromWorker, wire::ToWorker>> stream;
  wire::Welcome welcome;
};

// What they say of memory is tried, and believed only where their own key lies there.
TEST(Strangers, CannotShareMemoryThatIsNotTheirs) {
  Job job(/*tls=*/false, /*shares_memory=*/true);
  const Bytes key = make_secret();
  const auto memory = SharedMemory::make(key, 0);
  ASSERT_TRUE(memory);
  wire::FromWorker honest = hello(kVersion);
  honest.mutable_hello()->set_process(getpid());
  honest.mutable_hello()->set_memory_key(key);
  honest.mutable_hello()->set_memory(memory->name());
  EXPECT_TRUE(Visitor(job, honest).welcome.shares_memory());
  EXPECT_FALSE(Visitor(job, hello(kVersion)).welcome.shares_memory());
  const auto spoiled = [&](const std::function<void(wire::Hello&)>& spoil) {
    wire::FromWorker message = honest;
    spoil(*message.mutable_hello());
    return Visitor(job, message).welcome.shares_memory();
  };
  EXPECT_FALSE(spoiled([](wire::Hello& hello) { hello.set_process(1); }));
  EXPECT_FALSE(spoiled([](wire::Hello& hello) { hello.set_process(-1); }));
  EXPECT_FALSE(spoiled([](wire::Hello& hello) { hello.set_memory_key(make_secret()); }));
  EXPECT_FALSE(spoiled([](wire::Hello& hello) { hello.set_memory_key(Bytes(100, 'x')); }));
  EXPECT_FALSE(spoiled([](wire::Hello& hello) { hello.set_memory("0.1"); }));
  EXPECT_FALSE(spoiled([](wire::Hello& hello) { hello.set_memory(""); }));
  Job unwilling;
  EXPECT_FALSE(Visitor(unwilling, honest).welcome.shares_memory());
  EXPECT_EQ(job.server->counters().connected, 8);  // and all may work, over their connection
}

TEST(Strangers, WithALongMessageAreCutOff) {
  Job job;
  wire::FromWorker long_message;
  long_message.mutable_notice()->set_blob(std::string(kMaxMessage + 1, 'x'));
  EXPECT_EQ(say(job, job.link.secret, long_message, true).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST(Strangers, CannotTransferWithoutASession) {
  Job job;
  const auto stub = wire::Coordinator::NewStub(job.channel());
  for (const char* session : {"", "1", "-1", "99999999999999999999", "x"}) {
    grpc::ClientContext pull, deliver;
    for (grpc::ClientContext* context : {&pull, &deliver}) {
      context->AddMetadata(kSecretKey, job.link.secret);
      context->AddMetadata(kSessionKey, session);
    }
    EXPECT_EQ(stub->Pull(&pull)->Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_EQ(stub->Deliver(&deliver)->Finish().error_code(),
              grpc::StatusCode::FAILED_PRECONDITION);
  }
}

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame of HTTP/2: its length (claimed), type, flags and stream, then what there is of it.
std::string frame(uint32_t length, uint8_t type, uint8_t flags, uint32_t stream,
                  std::string_view payload) {
  std::string bytes;
  for (const int shift : {16, 8, 0}) bytes += static_cast<char>(length >> shift);
  bytes += static_cast<char>(type);
  bytes += static_cast<char>(flags);
  for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(stream >> shift);
  return bytes.append(payload);
}

/// The headers of a call of Work with this secret, as literals (RFC 7541, 6.2.2).
std::string headers(const std::string& secret_base64) {
  std::string block;
  const auto add = [&](const std::string& name, const std::string& value) {
    block += '\0';
    block += static_cast<char>(name.size());
    block += name;
    block += static_cast<char>(value.size());
    block += value;
  };
  add(":method", "POST");
  add(":scheme", "http");
  add(":path", "/superstep.wire.Coordinator/Work");
  add(":authority", "x");
  add("content-type", "application/grpc");
  add("te", "trailers");
  if (!secret_base64.empty()) add(kSecretKey, secret_base64);
  return frame(static_cast<uint32_t>(block.size()), 1, 4, 1, block);
}

/// Reads until nothing has come for a while, or the other end has closed.
std::string answers(const Socket& socket) {
  std::string all;
  while (socket.readable(300)) {
    const std::string more = socket.read();
    if (more.empty()) break;
    all += more;
  }
  return all;
}

/// Whether there is a frame that ends the call: headers with the flag, or a reset.
bool ends_the_call(std::string_view frames) {
  while (frames.size() >= 9) {
    const auto byte = [&](size_t i) {
      return static_cast<size_t>(static_cast<uint8_t>(frames[i]));
    };
    const size_t length = byte(0) << 16 | byte(1) << 8 | byte(2);
    if (byte(8) == 1 && ((byte(3) == 1 && (byte(4) & 1) != 0) || byte(3) == 3)) return true;
    frames.remove_prefix(std::min(frames.size(), 9 + length));
  }
  return false;
}

TEST(Strangers, SendingRandomBytesHarmNobody) {
  Job job;
  std::mt19937_64 random(7);
  for (int i = 0; i < 50; ++i) {
    const Socket socket = Socket::dial(job.port());
    std::string bytes = i % 2 == 0 ? "" : std::string(kPreface) + frame(0, 4, 0, 0, "");
    for (int n = 0; n < 3000; ++n) bytes += static_cast<char>(random());
    socket.write(bytes);
  }
  EXPECT_EQ(job.server->workers(), 0);
}

// The length of a message stands in the first five bytes of its data: 4 GB - 1, and 10 bytes come.
// Without the secret the call ends there and then. With it the message is waited for, in no more
// memory than has come.
TEST(Strangers, ClaimingFourGigabytesHarmNobody) {
  const std::string claim = std::string("\0\xFF\xFF\xFF\xFF", 5) + std::string(10, 'x');
  for (const bool with_secret : {false, true}) {
    Job job;
    std::string base64(44, '\0');
    base64.resize(static_cast<size_t>(
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()),
                        reinterpret_cast<const unsigned char*>(job.link.secret.data()), 32)));
    while (base64.back() == '=') base64.pop_back();
    const Socket socket = Socket::dial(job.port());
    socket.write(std::string(kPreface) + frame(0, 4, 0, 0, "") +
                 headers(with_secret ? base64 : "") +
                 frame(static_cast<uint32_t>(claim.size()), 0, 0, 1, claim));
    EXPECT_NE(ends_the_call(answers(socket)), with_secret);
    EXPECT_EQ(job.server->counters().no_secret, with_secret ? 0 : 1);
    EXPECT_EQ(job.server->workers(), 0);
  }
}

TEST(Strangers, WhoNeverFinishAMessageHarmNobody) {
  std::vector<Socket> sockets;  // still open while the job runs
  Job job;
  for (int i = 0; i < 30; ++i) {
    Socket socket = Socket::dial(job.port());
    const std::string begun = i % 3 == 0   ? std::string(kPreface.substr(0, 10))
                              : i % 3 == 1 ? std::string(kPreface) + frame(100, 1, 0, 1, "abc")
                                           : std::string(kPreface) + frame(0, 4, 0, 0, "") +
                                                 headers("") + frame(100, 0, 0, 1, "\0\0");
    socket.write(begun);
    sockets.push_back(std::move(socket));
  }
}

}  // namespace
}  // namespace superstep::cluster::transport
