// Who owns what: a Session is a worker's call of Work, and the WorkerPort that the coordinator
// sees. A PullCall or DeliverCall is a transfer. gRPC calls each from its own threads, one callback
// of a call at a time, and OnDone last. One file, because session, transfers and server share these
// locks and each other's private parts, and the order below can only be checked side by side.
//
// Locks, in the order in which one may be taken under another:
//   Server::Impl::mutex_ > Session::port_mutex_ > the door of the coordinator > Session::mutex_
#include "superstep/cluster/transport/server.h"

#include <grpcpp/grpcpp.h>
#include <transport.grpc.pb.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <utility>

#include "superstep/base/host.h"
#include "superstep/base/log.h"
#include "superstep/cluster/transport/buffers.h"
#include "superstep/cluster/transport/shared_memory.h"
#include "superstep/cluster/transport/wire.h"

namespace superstep::cluster::transport {
namespace {

using grpc::ByteBuffer;
using grpc::Status;
using grpc::StatusCode;
using ControlReactor = grpc::ServerBidiReactor<wire::FromWorker, wire::ToWorker>;
using BulkReactor = grpc::ServerBidiReactor<ByteBuffer, ByteBuffer>;

// Beats of a transfer go on where those of the unit cannot have been.
constexpr uint64_t kTransferBeats = uint64_t{1} << 32;
constexpr auto kBetweenBeats = std::chrono::seconds(1);
constexpr auto kGoodbye = std::chrono::seconds(2);
// Updates of which the memory is kept for the next.
constexpr size_t kSpare = 2;
constexpr size_t kLongestReason = 2000;

/// A state as it is offered to workers.
struct Published {
  int64_t number = 0;
  std::shared_ptr<const RoundStart> start;
};
/// What they are told of it, each made once: of one who reads it where it lies, and of one to whom
/// it is moved.
struct Announcements {
  std::optional<wire::ToWorker> in_memory, by_digests;
};

/// What was granted to a worker in this round.
struct Lent {
  int64_t planned_weight = 0;
  int64_t weight = 0;  // as noticed
  int64_t state = 0;
  std::shared_ptr<const reduce::UpdateSpec> spec;
  bool pushed = false;  // its update is wanted, and has not begun to come
};

std::string metadata(const grpc::CallbackServerContext& context, const char* key) {
  const auto found = context.client_metadata().find(key);
  if (found == context.client_metadata().end()) return {};
  return {found->second.data(), found->second.size()};
}

int64_t metadata_number(const grpc::CallbackServerContext& context, const char* key) {
  const std::string text = metadata(context, key);
  int64_t number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Ends a call without having read anything of it.
template <class Reactor>
class Refusal : public Reactor {
 public:
  explicit Refusal(Status status) { this->Finish(std::move(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

class Server::Impl {
 public:
  explicit Impl(ServerOptions options);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void attach(Coordinator& coordinator, Stage stage, Bytes identity);
  void detach();
  [[nodiscard]] std::string address() const { return address_; }
  [[nodiscard]] int workers() const;
  [[nodiscard]] ServerCounters counters() const;
  [[nodiscard]] Traffic traffic() const;

 private:
  class Session;
  class PullCall;
  class DeliverCall;
  class Service;
  struct Current {
    int64_t number;
    wire::ToWorker message;
    Bytes identity;
    Coordinator* coordinator;
  };
  struct Counts {
    std::atomic<int64_t> connected, lost, no_secret, refused, states, updates, shared, broken,
        tensor_in, tensor_out, control_in, control_out, transfer_nanoseconds;
  };
  /// What a transfer that began at `begun` took.
  void count_time(std::chrono::steady_clock::time_point begun) {
    counts_.transfer_nanoseconds +=
        std::chrono::nanoseconds(std::chrono::steady_clock::now() - begun).count();
  }

  Status hello(const std::shared_ptr<Session>& session, const wire::Hello& hello);
  Status ready(const std::shared_ptr<Session>& session, const wire::Ready& ready);
  void gone(const std::shared_ptr<Session>& session);
  std::shared_ptr<Session> session(int64_t id) const;
  [[nodiscard]] bool knows_secret(const grpc::CallbackServerContext& context);
  ParamSet place(ParamSet state);
  std::pair<std::shared_ptr<const Published>, wire::ToWorker> publish(
      const std::shared_ptr<const RoundStart>& start, bool reads_memory);
  void unpublish();
  ParamSet take_spare(const std::shared_ptr<const ParamLayout>& layout);
  void keep_spare(ParamSet spare);
  void call_begins();
  void call_ends();

  const ServerOptions options_;
  std::string address_;
  Counts counts_{};
  mutable std::mutex mutex_;
  std::condition_variable calls_ended_;
  int calls_ = 0;  // of any kind, refusals apart
  bool closing_ = false;
  std::map<int64_t, std::shared_ptr<Session>> sessions_;  // those that said hello
  int64_t sessions_made_ = 0, stages_made_ = 0;
  std::optional<Current> stage_;

  std::mutex publish_mutex_;
  int64_t states_made_ = 0;
  std::shared_ptr<const Published> published_;
  Announcements announcements_;
  SharedTensors tensors_;                      // the state, where workers share memory ...
  const std::shared_ptr<SharedMemory> tried_;  // ... and none, to see whether they can
  std::mutex spare_mutex_;
  std::vector<ParamSet> spare_;

  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
};

// A worker: its call of Work.
class Server::Impl::Session : public WorkerPort,
                              public ControlReactor,
                              public std::enable_shared_from_this<Session> {
 public:
  explicit Session(Impl& server) : server_(server) { server_.call_begins(); }

  /// Begins to listen; the session lives until OnDone.
  void start() {
    self_ = shared_from_this();
    StartRead(&incoming_);
  }

  // What the server says, of itself or for the coordinator.
  void send(wire::ToWorker message) {
    const std::scoped_lock lock(mutex_);
    if (finish_) return;
    outgoing_.push_back(std::move(message));
    write_next();
  }
  /// Ends the call: at once, or after what has been said before.
  void finish(Status status, bool at_once) {
    const std::scoped_lock lock(mutex_);
    if (finish_) return;
    finish_ = std::move(status);
    if (at_once && outgoing_.size() > 1) outgoing_.erase(outgoing_.begin() + 1, outgoing_.end());
    write_next();
  }

  // The coordinator's port.
  void begin(std::shared_ptr<const RoundStart> start) override {
    if (!start) {
      set_state(nullptr);
      return server_.unpublish();
    }
    auto [published, message] = server_.publish(start, reads_memory());
    if (!set_state(published)) return;
    if (!message.begin().memory().empty()) {
      ++server_.counts_.states;
      ++server_.counts_.shared;
    }
    send(std::move(message));
  }
  void grant(LeaseId lease, int unit, Bytes private_state, bool compares) override {
    wire::ToWorker message;
    {
      const std::scoped_lock lock(mutex_);
      if (!state_) return;
      const RoundStart& start = *state_->start;
      lent_[lease] = {.planned_weight = start.round.units.at(static_cast<size_t>(unit)).weight,
                      .weight = 0,
                      .state = state_->number,
                      .spec = spec_,
                      .pushed = false};
      if (reads_memory_) reading_[lease] = state_;
      message.mutable_grant()->set_state(state_->number);
    }
    message.mutable_grant()->set_lease(lease);
    message.mutable_grant()->set_unit(unit);
    message.mutable_grant()->set_compares(compares);
    message.mutable_grant()->set_private_state(std::move(private_state));
    send(std::move(message));
  }
  void compare(LeaseId lease) override {
    wire::ToWorker message;
    message.mutable_compare()->set_lease(lease);
    send(std::move(message));
  }
  void push(LeaseId lease) override {
    {
      const std::scoped_lock lock(mutex_);
      if (const auto found = lent_.find(lease); found != lent_.end()) found->second.pushed = true;
    }
    wire::ToWorker message;
    message.mutable_push()->set_lease(lease);
    send(std::move(message));
  }
  void drop(LeaseId lease) override {
    {
      const std::scoped_lock lock(mutex_);
      lent_.erase(lease);
    }
    wire::ToWorker message;
    message.mutable_drop()->set_lease(lease);
    send(std::move(message));
  }
  void stop() override { end_stage(); }
  void expel(const std::string& reason) override {
    finish({StatusCode::ABORTED, "not waited for any more: " + reason}, /*at_once=*/true);
  }

  // The stage, as the server moves it.
  void offer(const wire::ToWorker& stage) {
    {
      const std::scoped_lock lock(mutex_);
      stage_ = stage.stage().number();
    }
    send(stage);
  }
  void join(Coordinator& coordinator) {
    const std::unique_lock lock(port_mutex_);
    coordinator_ = &coordinator;
    port_ = &coordinator.join(*this, lanes_, host_, process_);
  }
  /// Waits for what is being said to the coordinator, and says no more.
  void leave() {
    const std::unique_lock lock(port_mutex_);
    if (port_) coordinator_->leave(*port_, /*died=*/!leaves_);
    port_ = nullptr;
  }
  void end_stage() {
    wire::ToWorker message;
    {
      const std::scoped_lock lock(mutex_);
      if (stage_ == 0) return;
      message.mutable_stage_end()->set_number(stage_);
      stage_ = 0;
      lent_.clear();
    }
    set_state(nullptr);
    if (neighbour_) neighbour_->forget();
    send(std::move(message));
  }

  // For transfers.
  std::shared_ptr<const Published> state(int64_t number) {
    const std::scoped_lock lock(mutex_);
    return state_ && state_->number == number ? state_ : nullptr;
  }
  /// A lease whose update is wanted; once, for the transfer that asks for it.
  std::optional<Lent> wanted(LeaseId lease) {
    const std::scoped_lock lock(mutex_);
    const auto found = lent_.find(lease);
    if (found == lent_.end() || !found->second.pushed) return std::nullopt;
    Lent lent = std::move(found->second);
    lent_.erase(found);
    return lent;
  }
  template <class Say>
  void tell_coordinator(Say&& say) {
    const std::shared_lock lock(port_mutex_);
    if (port_) say(*port_);
  }
  [[nodiscard]] const std::string& host() const { return host_; }
  void introduce(int64_t id, const wire::Hello& hello) {
    id_ = id;
    host_ = hello.host();
    lanes_ = hello.lanes();
    process_ = hello.process();
    if (!server_.tried_ || hello.memory_key().empty()) return;
    neighbour_ = std::make_unique<Neighbour>(hello.process(), hello.memory_key());
    if (!neighbour_->memory(hello.memory(), 0)) neighbour_.reset();
  }
  [[nodiscard]] bool shares_memory() const { return neighbour_ != nullptr; }
  /// The update that a transfer names, where it lies.
  std::optional<ParamSet> update(const std::string& name,
                                 const std::shared_ptr<const ParamLayout>& layout) {
    return neighbour_ ? neighbour_->tensors(name, layout) : std::nullopt;
  }
  /// No unit runs there, and those to come read states where they lie, or not.
  void set_reads_memory(bool reads_memory) {
    const std::scoped_lock lock(mutex_);
    reads_memory_ = reads_memory;
    reading_.clear();
  }
  [[nodiscard]] int64_t id() const { return id_; }

  void OnReadDone(bool ok) override {
    if (!ok) return finish(Status::OK, /*at_once=*/true);
    server_.counts_.control_in += static_cast<int64_t>(incoming_.ByteSizeLong());
    Status status;
    try {
      status = handle(incoming_);
    } catch (const std::exception& error) {
      status = {StatusCode::INVALID_ARGUMENT, error.what()};
    }
    if (!status.ok()) {
      ++server_.counts_.refused;
      log::warning("a worker on {} is refused: {}", host_.empty() ? "an unknown host" : host_,
                   status.error_message());
      // A status travels as a header, and those are short.
      return finish({status.error_code(), status.error_message().substr(0, kLongestReason)},
                    /*at_once=*/true);
    }
    const std::scoped_lock lock(mutex_);
    if (!finish_) StartRead(&incoming_);
  }
  void OnWriteDone(bool ok) override {
    const std::scoped_lock lock(mutex_);
    writing_ = false;
    outgoing_.pop_front();
    if (!ok) {
      outgoing_.clear();
      if (!finish_) finish_ = Status::CANCELLED;
    }
    write_next();
  }
  void OnCancel() override { finish(Status::CANCELLED, /*at_once=*/true); }
  void OnDone() override {
    const auto self = std::move(self_);
    server_.gone(self);
    set_state(nullptr);
    set_reads_memory(false);
    server_.call_ends();
  }

 private:
  Status handle(wire::FromWorker& message);
  Status handle(const wire::Notice& notice);
  bool reads_memory() {
    const std::scoped_lock lock(mutex_);
    return reads_memory_;
  }
  /// Its unit reads no state any more.
  void has_read(LeaseId lease) {
    const std::scoped_lock lock(mutex_);
    reading_.erase(lease);
  }

  // Under mutex_: the next message, or the end.
  void write_next() {
    if (writing_ || finished_) return;
    if (!outgoing_.empty()) {
      writing_ = true;
      server_.counts_.control_out += static_cast<int64_t>(outgoing_.front().ByteSizeLong());
      StartWrite(&outgoing_.front());
    } else if (finish_) {
      finished_ = true;
      Finish(*finish_);
    }
  }
  /// Whether it is another than before. What was lent of the one before counts no more.
  bool set_state(std::shared_ptr<const Published> state) {
    const std::scoped_lock lock(mutex_);
    if (state == state_) return false;
    if (state) {
      lent_.clear();
      // Another phase: the worker makes new memory, and the old is not freed while we map it.
      if (neighbour_ && spec_ && spec_->layout != state->start->spec.layout) neighbour_->forget();
      spec_ = std::make_shared<const reduce::UpdateSpec>(state->start->spec);
    }
    state_.swap(state);
    return true;
  }

  Impl& server_;
  std::shared_ptr<Session> self_;
  wire::FromWorker incoming_;
  int64_t id_ = 0;  // 0: has not said hello
  std::string host_;
  int64_t process_ = 0;
  int lanes_ = 0;
  std::unique_ptr<Neighbour> neighbour_;  // where it shares memory
  std::atomic<bool> leaves_ = false;      // it has said so

  std::shared_mutex port_mutex_;  // shared while something is said to the coordinator
  Coordinator* coordinator_ = nullptr;
  CoordinatorPort* port_ = nullptr;

  std::mutex mutex_;
  std::deque<wire::ToWorker> outgoing_;  // the first is on its way where writing_
  bool writing_ = false, finished_ = false;
  std::optional<Status> finish_;
  int64_t stage_ = 0;
  std::shared_ptr<const Published> state_;
  std::shared_ptr<const reduce::UpdateSpec> spec_;  // of the state, without holding it
  bool reads_memory_ = false;                       // it reads states where they lie
  // By lease: those states, each held as long as it may be read.
  std::map<LeaseId, std::shared_ptr<const Published>> reading_;
  std::map<LeaseId, Lent> lent_;
};

Status Server::Impl::Session::handle(wire::FromWorker& message) {
  if ((id_ == 0) != message.has_hello())
    return {StatusCode::INVALID_ARGUMENT, "the first message, and no other, is a hello"};
  switch (message.what_case()) {
    case wire::FromWorker::kHello:
      return server_.hello(shared_from_this(), message.hello());
    case wire::FromWorker::kReady:
      return server_.ready(shared_from_this(), message.ready());
    case wire::FromWorker::kUnable:
      return {StatusCode::FAILED_PRECONDITION,
              "it cannot make the program: " + message.unable().problem().text()};
    case wire::FromWorker::kNotice:
      return handle(message.notice());
    case wire::FromWorker::kBeat:
      tell_coordinator([&](CoordinatorPort& port) {
        port.beat(message.beat().lease(), message.beat().beats());
      });
      return Status::OK;
    case wire::FromWorker::kStopped:
      has_read(message.stopped().lease());
      tell_coordinator([&](CoordinatorPort& port) { port.stopped(message.stopped().lease()); });
      return Status::OK;
    case wire::FromWorker::kFailed:
      has_read(message.failed().lease());
      tell_coordinator([&](CoordinatorPort& port) {
        port.failed(message.failed().lease(), from_wire(message.failed().problem()));
      });
      return Status::OK;
    case wire::FromWorker::kLeave:
      leaves_ = true;
      finish(Status::OK, /*at_once=*/true);
      return Status::OK;
    case wire::FromWorker::WHAT_NOT_SET:
      break;
  }
  return {StatusCode::INVALID_ARGUMENT, "a message that this version does not know"};
}

Status Server::Impl::Session::handle(const wire::Notice& notice) {
  has_read(notice.lease());
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = lent_.find(notice.lease()); found != lent_.end()) {
      Lent& lent = found->second;
      if (notice.weight() < 0 || notice.weight() > lent.planned_weight)
        return {StatusCode::INVALID_ARGUMENT,
                fmt::format("lease {} comes with the weight {}, wanted 0 to {}", notice.lease(),
                            notice.weight(), lent.planned_weight)};
      lent.weight = notice.weight();
    }
  }
  tell_coordinator([&](CoordinatorPort& port) { port.notice(from_wire(notice)); });
  return Status::OK;
}

// A worker pulls a state: what it asks for of it, chunk by chunk.
class Server::Impl::PullCall : public BulkReactor {
 public:
  PullCall(Impl& server, std::shared_ptr<Session> session)
      : server_(server), session_(std::move(session)) {
    server_.call_begins();
    StartRead(&message_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) return end({StatusCode::INVALID_ARGUMENT, "no request"});
    try {
      const Bytes bytes = to_bytes(message_);
      state_ = session_->state(ByteReader(bytes, "request for a state").get<int64_t>());
      if (!state_) return end({StatusCode::FAILED_PRECONDITION, "that round is over"});
      const auto ranges = pull_request(bytes, static_cast<int64_t>(shared()->flat().size())).ranges;
      chunks_ = cut(ranges);
    } catch (const Error& error) {
      return end({StatusCode::INVALID_ARGUMENT, error.what()});
    }
    write_next();
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return end(Status::CANCELLED);
    server_.counts_.tensor_out += static_cast<int64_t>(message_.Length());
    write_next();
  }
  void OnDone() override {
    server_.call_ends();
    delete this;
  }

 private:
  [[nodiscard]] const std::shared_ptr<const ParamSet>& shared() const {
    return state_->start->shared;
  }
  void write_next() {
    if (next_ == chunks_.size()) return end(Status::OK);
    message_ =
        chunk_buffer(state_->number, chunks_[next_++], shared(), server_.options_.link.checks);
    StartWrite(&message_);
  }
  void end(Status status) {
    server_.count_time(begun_);
    ++(status.ok() ? server_.counts_.states : server_.counts_.broken);
    message_.Clear();
    state_.reset();
    Finish(std::move(status));
  }

  Impl& server_;
  std::shared_ptr<Session> session_;
  ByteBuffer message_;
  std::shared_ptr<const Published> state_;
  std::vector<Range> chunks_;
  size_t next_ = 0;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

// A worker delivers an update. It counts once it is whole.
class Server::Impl::DeliverCall : public BulkReactor {
 public:
  DeliverCall(Impl& server, grpc::CallbackServerContext& context, std::shared_ptr<Session> session,
              LeaseId lease, Lent lent)
      : server_(server),
        context_(context),
        session_(std::move(session)),
        lease_(lease),
        memory_(metadata(context, kMemoryKey)),
        lent_(std::move(lent)),
        update_(memory_.empty() ? server.take_spare(lent_.spec->layout) : ParamSet()),
        receiver_(lease, {{0, static_cast<int64_t>(update_.flat().size())}}, update_.flat(),
                  server.options_.link.checks) {
    server_.call_begins();
    StartRead(&message_);
  }
  void OnReadDone(bool ok) override {
    try {
      if (!ok && !memory_.empty()) return deliver_from_memory();
      if (!ok) return receiver_.whole() ? deliver() : end({StatusCode::CANCELLED, "cut short"});
      server_.counts_.tensor_in += static_cast<int64_t>(message_.Length());
      take(receiver_, message_);
    } catch (const std::exception& error) {
      return end({StatusCode::DATA_LOSS, error.what()});
    }
    beat();
    StartRead(&message_);
  }
  void OnDone() override {
    server_.call_ends();
    delete this;
  }

 private:
  // Nothing is copied: the sum may take the worker's memory as it would take ours.
  void deliver_from_memory() {
    auto update = session_->update(memory_, lent_.spec->layout);
    if (!update)
      return end({StatusCode::RESOURCE_EXHAUSTED, "memory of the worker cannot be reached"});
    update_ = std::move(*update);
    server_.counts_.tensor_in += static_cast<int64_t>(update_.flat().size_bytes());
    ++server_.counts_.shared;
    deliver();
  }
  void deliver() {
    reduce::check_update(*lent_.spec, update_);
    ++server_.counts_.updates;
    const float* const floats = update_.flat().data();
    session_->tell_coordinator(
        [&](CoordinatorPort& port) { port.deliver(lease_, update_, lent_.weight); });
    if (update_.flat().data() != floats) context_.AddTrailingMetadata(kKeptKey, "1");
    end(Status::OK);
  }
  // Else a lease on a slow link would look dead.
  void beat() {
    const auto now = std::chrono::steady_clock::now();
    if (now - said_ < kBetweenBeats) return;
    said_ = now;
    session_->tell_coordinator(
        [&](CoordinatorPort& port) { port.beat(lease_, kTransferBeats + ++beats_); });
  }
  void end(Status status) {
    server_.count_time(begun_);
    if (!status.ok()) ++server_.counts_.broken;
    message_.Clear();
    server_.keep_spare(std::move(update_));
    Finish(std::move(status));
  }

  Impl& server_;
  grpc::CallbackServerContext& context_;
  std::shared_ptr<Session> session_;
  LeaseId lease_;
  const std::string memory_;
  Lent lent_;
  ParamSet update_;
  Receiver receiver_;
  ByteBuffer message_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point said_ = begun_;
  uint64_t beats_ = 0;
};

class Server::Impl::Service
    : public wire::Coordinator::WithRawCallbackMethod_Deliver<
          wire::Coordinator::WithRawCallbackMethod_Pull<
              wire::Coordinator::WithCallbackMethod_Work<wire::Coordinator::Service>>> {
 public:
  explicit Service(Impl& server) : server_(server) {}

  ControlReactor* Work(grpc::CallbackServerContext* context) override {
    if (!server_.knows_secret(*context)) return new Refusal<ControlReactor>(no_secret());
    const auto session = std::make_shared<Session>(server_);
    session->start();
    return session.get();
  }
  BulkReactor* Pull(grpc::CallbackServerContext* context) override {
    if (!server_.knows_secret(*context)) return new Refusal<BulkReactor>(no_secret());
    auto session = server_.session(metadata_number(*context, kSessionKey));
    if (!session) return new Refusal<BulkReactor>(no_session());
    return new PullCall(server_, std::move(session));
  }
  BulkReactor* Deliver(grpc::CallbackServerContext* context) override {
    if (!server_.knows_secret(*context)) return new Refusal<BulkReactor>(no_secret());
    auto session = server_.session(metadata_number(*context, kSessionKey));
    if (!session) return new Refusal<BulkReactor>(no_session());
    const LeaseId lease = metadata_number(*context, kLeaseKey);
    auto lent = session->wanted(lease);
    if (!lent)
      return new Refusal<BulkReactor>(
          Status(StatusCode::NOT_FOUND, "the update is not wanted any more"));
    return new DeliverCall(server_, *context, std::move(session), lease, std::move(*lent));
  }

 private:
  static Status no_secret() {
    return {StatusCode::UNAUTHENTICATED, "the secret of the job is missing or another"};
  }
  static Status no_session() {
    return {StatusCode::FAILED_PRECONDITION, "no such session; say hello first"};
  }
  Impl& server_;
};

Server::Impl::Impl(ServerOptions options)
    : options_(std::move(options)),
      tried_(options_.link.shares_memory ? SharedMemory::make(tensors_.key(), 0) : nullptr) {
  use_our_log();
  service_ = std::make_unique<Service>(*this);
  const Link& link = options_.link;
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
  if (link.tls) {
    grpc::SslServerCredentialsOptions tls(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    tls.pem_root_certs = link.tls->authority;
    tls.pem_key_cert_pairs = {{link.tls->key, link.tls->certificate}};
    credentials = grpc::SslServerCredentials(tls);
  }
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options_.listen, credentials, &port);
  builder.RegisterService(service_.get());
  builder.SetMaxReceiveMessageSize(kMaxMessage);
  builder.SetMaxSendMessageSize(-1);
  const int alive_ms = static_cast<int>(link.keepalive * 1000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, alive_ms);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             static_cast<int>(link.keepalive_patience * 1000));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Else workers that ask as often as we do would be cut off.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             std::max(1, alive_ms / 4));
  // A caller that has not shown its secret can hold a connection for so long, and so many calls.
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 256);
  // Two coordinators at one port would share its workers.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  server_ = builder.BuildAndStart();
  if (!server_ || port == 0)
    throw ConfigError("cannot listen at '{}'{}: wanted HOST:PORT, a free port of this machine{}",
                      options_.listen, link.tls ? " with TLS" : "",
                      link.tls ? ", and certificate, key and authority in PEM" : "");
  std::string host = options_.listen.substr(0, options_.listen.rfind(':'));
  if (host == "0.0.0.0" || host == "[::]") host = machine_name();
  address_ = fmt::format("{}:{}", host, port);
}

Server::Impl::~Impl() {
  detach();
  {
    const std::scoped_lock lock(mutex_);
    closing_ = true;
    for (const auto& [id, session] : sessions_) session->finish(Status::OK, /*at_once=*/false);
  }
  {
    std::unique_lock lock(mutex_);
    calls_ended_.wait_for(lock, kGoodbye, [&] { return calls_ == 0; });
  }
  server_->Shutdown(std::chrono::system_clock::now());
  std::unique_lock lock(mutex_);
  calls_ended_.wait(lock, [&] { return calls_ == 0; });
}

void Server::Impl::attach(Coordinator& coordinator, Stage stage, Bytes identity) {
  if (stage.args.size() > kMaxMessage)
    throw ConfigError("the job has {} bytes, and at most {} can be sent to workers",
                      stage.args.size(), kMaxMessage);
  if (tried_) coordinator.place_states([this](ParamSet state) { return place(std::move(state)); });
  const std::scoped_lock lock(mutex_);
  SUPERSTEP_ASSERT(!stage_);
  stage_ = Current{++stages_made_, {}, std::move(identity), &coordinator};
  wire::Stage& message = *stage_->message.mutable_stage();
  message.set_number(stage_->number);
  message.set_kind(std::move(stage.kind));
  message.set_args(std::move(stage.args));
  for (const auto& [id, session] : sessions_) session->offer(stage_->message);
}

void Server::Impl::detach() {
  std::vector<std::shared_ptr<Session>> sessions;
  {
    const std::scoped_lock lock(mutex_);
    if (!stage_) return;
    stage_.reset();
    for (const auto& [id, session] : sessions_) sessions.push_back(session);
  }
  for (const auto& session : sessions) {
    session->leave();
    session->end_stage();
  }
}

Status Server::Impl::hello(const std::shared_ptr<Session>& session, const wire::Hello& hello) {
  if (hello.version() != kVersion)
    return {StatusCode::FAILED_PRECONDITION,
            fmt::format("it speaks version {} of the protocol, the coordinator {}: start workers "
                        "and coordinator from one build",
                        hello.version(), kVersion)};
  if (!hello.job().empty() && hello.job() != options_.job_id)
    return {StatusCode::FAILED_PRECONDITION,
            fmt::format("it works for job '{}', the coordinator for '{}'", hello.job(),
                        options_.job_id)};
  if (hello.attempt() > options_.attempt)
    return {StatusCode::ABORTED, fmt::format("it has seen attempt {} of this job, and this is {}",
                                             hello.attempt(), options_.attempt)};
  if (hello.lanes() < 1 || hello.lanes() > 100000)
    return {StatusCode::INVALID_ARGUMENT, fmt::format("it has {} lanes", hello.lanes())};
  const std::scoped_lock lock(mutex_);
  const int64_t id = ++sessions_made_;
  session->introduce(id, hello);
  sessions_[id] = session;
  ++counts_.connected;
  wire::ToWorker message;
  message.mutable_welcome()->set_job(options_.job_id);
  message.mutable_welcome()->set_attempt(options_.attempt);
  message.mutable_welcome()->set_worker(id);
  if (session->shares_memory()) {
    message.mutable_welcome()->set_shares_memory(true);
    message.mutable_welcome()->set_process(getpid());
    message.mutable_welcome()->set_memory_key(tensors_.key());
    message.mutable_welcome()->set_memory(tried_->name());
  }
  session->send(std::move(message));
  if (stage_) session->offer(stage_->message);
  if (closing_) session->finish(Status::OK, /*at_once=*/false);
  return Status::OK;
}

Status Server::Impl::ready(const std::shared_ptr<Session>& session, const wire::Ready& ready) {
  const std::scoped_lock lock(mutex_);
  if (!stage_ || ready.stage() != stage_->number) return Status::OK;  // that stage is over
  if (ready.identity() != stage_->identity)
    return {StatusCode::FAILED_PRECONDITION,
            "its program is not the coordinator's: job, data or build differ there"};
  session->set_reads_memory(ready.reads_memory());
  session->join(*stage_->coordinator);
  return Status::OK;
}

void Server::Impl::gone(const std::shared_ptr<Session>& session) {
  session->leave();
  const std::scoped_lock lock(mutex_);
  if (sessions_.erase(session->id()) == 0 || closing_) return;
  ++counts_.lost;
}

std::shared_ptr<Server::Impl::Session> Server::Impl::session(int64_t id) const {
  const std::scoped_lock lock(mutex_);
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second;
}

bool Server::Impl::knows_secret(const grpc::CallbackServerContext& context) {
  if (same_secret(metadata(context, kSecretKey), options_.link.secret)) return true;
  ++counts_.no_secret;
  return false;
}

// The same, where workers of this machine read it.
ParamSet Server::Impl::place(ParamSet state) {
  if (!tensors_.name_of(state).empty()) return state;
  ParamSet placed = tensors_.make(state.shared_layout());
  if (tensors_.name_of(placed).empty()) return state;  // the system has none to give
  std::ranges::copy(std::as_const(state).flat(), placed.flat().begin());
  return placed;
}

// Called for each worker at the start of a round; the first call does the work.
std::pair<std::shared_ptr<const Published>, wire::ToWorker> Server::Impl::publish(
    const std::shared_ptr<const RoundStart>& start, bool reads_memory) {
  const std::scoped_lock lock(publish_mutex_);
  if (!published_ || published_->start != start) {
    published_ = std::make_shared<const Published>(Published{++states_made_, start});
    announcements_ = {};
  }
  const std::string memory = reads_memory ? tensors_.name_of(*start->shared) : std::string();
  auto& message = memory.empty() ? announcements_.by_digests : announcements_.in_memory;
  if (!message) to_wire(*start, published_->number, memory, *message.emplace().mutable_begin());
  return {published_, *message};
}

void Server::Impl::unpublish() {
  const std::scoped_lock lock(publish_mutex_);
  published_.reset();
  announcements_ = {};
}

ParamSet Server::Impl::take_spare(const std::shared_ptr<const ParamLayout>& layout) {
  {
    const std::scoped_lock lock(spare_mutex_);
    for (ParamSet& spare : spare_) {
      if (spare.shared_layout() != layout) continue;
      std::swap(spare, spare_.back());
      ParamSet found = std::move(spare_.back());
      spare_.pop_back();
      return found;
    }
  }
  return ParamSet(layout);
}

void Server::Impl::keep_spare(ParamSet spare) {
  // That of a worker is written by the worker.
  if (spare.flat().empty() || !spare.owns_memory()) return;
  const std::scoped_lock lock(spare_mutex_);
  if (spare_.size() == kSpare) spare_.erase(spare_.begin());
  spare_.push_back(std::move(spare));
}

void Server::Impl::call_begins() {
  const std::scoped_lock lock(mutex_);
  ++calls_;
}

void Server::Impl::call_ends() {
  const std::scoped_lock lock(mutex_);
  --calls_;
  calls_ended_.notify_all();
}

int Server::Impl::workers() const {
  const std::scoped_lock lock(mutex_);
  return static_cast<int>(sessions_.size());
}

ServerCounters Server::Impl::counters() const {
  return {.connected = counts_.connected,
          .lost = counts_.lost,
          .no_secret = counts_.no_secret,
          .refused = counts_.refused,
          .states = counts_.states,
          .updates = counts_.updates,
          .shared = counts_.shared,
          .broken = counts_.broken,
          .tensor_in = counts_.tensor_in,
          .tensor_out = counts_.tensor_out};
}

Traffic Server::Impl::traffic() const {
  return {.in = counts_.tensor_in + counts_.control_in,
          .out = counts_.tensor_out + counts_.control_out,
          .seconds = 1e-9 * static_cast<double>(counts_.transfer_nanoseconds)};
}

Server::Server(ServerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Server::~Server() = default;
std::string Server::address() const { return impl_->address(); }
int Server::workers() const { return impl_->workers(); }
void Server::attach(Coordinator& coordinator, Stage stage, Bytes identity) {
  impl_->attach(coordinator, std::move(stage), std::move(identity));
}
void Server::detach() { impl_->detach(); }
Traffic Server::traffic() const { return impl_->traffic(); }
ServerCounters Server::counters() const { return impl_->counters(); }

}  // namespace superstep::cluster::transport
