// A worker's connection has four kinds of threads: the caller's reads what the coordinator says;
// a loader pulls states; the threads of cluster::Worker say what they did, and deliver; a heart
// beats. One file, because these threads share the connection's locks and state, and who may touch
// what can only be checked side by side.
#include "superstep/cluster/transport/client.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <transport.grpc.pb.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "superstep/base/host.h"
#include "superstep/base/log.h"
#include "superstep/cluster/transport/buffers.h"
#include "superstep/cluster/transport/shared_memory.h"
#include "superstep/cluster/transport/wire.h"
#include "superstep/cluster/worker.h"

namespace superstep::cluster::transport {
namespace {

using Clock = std::chrono::steady_clock;
using grpc::Status;
using grpc::StatusCode;

constexpr char kPull[] = "/superstep.wire.Coordinator/Pull";
constexpr char kDeliver[] = "/superstep.wire.Coordinator/Deliver";
// A transfer slower than this is given up.
constexpr double kLeastBytesPerSecond = 64 << 10;
// What a message may hold beside the bytes that are limited.
constexpr int kSlack = 1 << 20;
constexpr auto kFarewell = std::chrono::seconds(2);
constexpr double kFirstPause = 0.1, kLongestPause = 2;
// Fewer floats are in the socket sooner than the other end has been told where they lie.
constexpr int64_t kLeastShared = 1 << 14;

std::chrono::system_clock::time_point in_seconds(double seconds) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(
             std::chrono::duration<double>(seconds));
}

// A channel of its own: with a connection of its own, dialled at once after one that failed.
std::shared_ptr<grpc::Channel> dial(const ClientOptions& options) {
  const Link& link = options.link;
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(kMaxMessage + kSlack);
  args.SetMaxSendMessageSize(-1);
  // The address is the coordinator's own: no proxy of the environment, no settings from DNS.
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(link.keepalive * 1000));
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(link.keepalive_patience * 1000));
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);  // how long a connection may take
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (link.tls)
    credentials = grpc::SslCredentials({.pem_root_certs = link.tls->authority,
                                        .pem_private_key = link.tls->key,
                                        .pem_cert_chain = link.tls->certificate});
  if (link.tls && !link.tls->name.empty()) args.SetSslTargetNameOverride(link.tls->name);
  return grpc::CreateCustomChannel(options.coordinator, credentials, args);
}

/// What a stage made, kept over lost connections.
struct Made {
  Stage stage;
  MadeProgram program;
  std::shared_ptr<const ParamLayout> layout;
  // The state received last, if it was pulled: what of it has not changed is not pulled again.
  std::shared_ptr<ParamSet> state;
  std::vector<Digest> digests;
};

/// What the worker has seen of its job, over lost connections.
struct Seen {
  std::string job;
  int64_t attempt = 0;
  SharedTensors tensors;
  std::atomic<bool> memory_failed = false;  // it was to be shared, and then could not be
};

/// A call of Pull or Deliver, step by step on the caller's thread.
class BulkCall {
 public:
  BulkCall(grpc::Channel& channel, grpc::ClientContext& context, const char* method)
      : stub_(std::shared_ptr<grpc::Channel>(std::shared_ptr<void>(), &channel)),
        call_(stub_.PrepareCall(&context, method, &queue_)) {
    call_->StartCall(this);
    open_ = done();
  }
  ~BulkCall() {
    queue_.Shutdown();
    while (done()) {
    }
  }
  BulkCall(const BulkCall&) = delete;
  BulkCall& operator=(const BulkCall&) = delete;

  bool write(const grpc::ByteBuffer& message) {
    if (!open_) return false;
    call_->Write(message, this);
    return open_ = done();
  }
  bool writes_done() {
    if (!open_) return false;
    call_->WritesDone(this);
    return open_ = done();
  }
  bool read(grpc::ByteBuffer& message) {
    if (!open_) return false;
    call_->Read(&message, this);
    return open_ = done();
  }
  Status finish() {
    Status status;
    call_->Finish(&status, this);
    (void)done();
    return status;
  }

 private:
  bool done() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }
  grpc::CompletionQueue queue_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  bool open_ = false;
};

class Connection : public CoordinatorPort {
 public:
  Connection(const ClientOptions& options, Seen& seen, std::optional<Made>& made,
             const std::function<MadeProgram(const Stage&)>& make);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Works until the call ends, and returns how it did.
  Status run();
  /// Ends the call, from any thread.
  void cancel() { context_.TryCancel(); }
  /// Says that this worker leaves, from any thread: the call ends, at the latest in a moment.
  void leave();
  /// Whether the coordinator has let it in.
  [[nodiscard]] bool welcomed() const { return session_ != 0; }

  void notice(Notice notice) override;
  void beat(LeaseId lease, uint64_t beats) override;
  void stopped(LeaseId lease) override;
  void deliver(LeaseId lease, ParamSet& update, int64_t weight) override;
  bool delivers_slowly() const override { return true; }
  void failed(LeaseId lease, std::exception_ptr error) override;

 private:
  /// Registers a transfer, so that it can be cancelled, for as long as it lives.
  class Transfer;

  bool send(const wire::FromWorker& message);
  void handle(wire::ToWorker& message);
  void find_memory(const wire::Welcome& welcome);
  void begin_stage(const wire::Stage& stage);
  void end_stage();
  void on_begin(const wire::Begin& begin);
  void on_grant(wire::Grant& grant);
  void on_compare(LeaseId lease);
  void on_drop(LeaseId lease);
  void pass_on(wire::Grant& grant);
  void load_states(const std::stop_token& stop);
  void load(const StateHead& head);
  std::shared_ptr<const ParamSet> in_memory(const StateHead& head);
  Status pull_changes(const StateHead& head);
  Status pull(const StateHead& head, const std::vector<Range>& ranges);
  Status receive(const StateHead& head, const std::vector<Range>& ranges, Transfer& transfer,
                 BulkCall& call);
  /// An update that the coordinator may read where it lies.
  ParamSet fresh(const std::shared_ptr<const ParamLayout>& layout) {
    return shares_memory_ ? seen_.tensors.make(layout) : ParamSet(layout);
  }
  ParamSet exchange_kept(ParamSet update);
  /// Where the coordinator finds these; "": they go through the socket.
  std::string memory_of(const ParamSet& params) {
    return shares_memory_ ? seen_.tensors.name_of(params) : std::string();
  }
  /// The coordinator could not reach what it had been told of: the next connection does without.
  void no_memory_if(const Status& status) {
    if (status.error_code() == StatusCode::RESOURCE_EXHAUSTED) seen_.memory_failed = true;
  }
  void heart();
  void say_problem(const std::string& what);

  const ClientOptions& options_;
  Seen& seen_;
  std::optional<Made>& made_;
  const std::function<MadeProgram(const Stage&)>& make_;
  const std::shared_ptr<grpc::Channel> control_, bulk_;
  grpc::ClientContext context_;
  std::unique_ptr<wire::Coordinator::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<wire::FromWorker, wire::ToWorker>> stream_;
  std::mutex write_mutex_;
  std::atomic<int64_t> session_ = 0;
  std::atomic<bool> shares_memory_ = false;  // the coordinator has reached it
  std::unique_ptr<Neighbour> neighbour_;     // the coordinator, where we have reached its memory
  std::string read_;                         // of that, what the newest state lay in
  bool over_ = false;                        // under write_mutex_: the call has ended
  std::string problem_;                      // why we ended it ourselves

  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool closing_ = false, in_stage_ = false;
  std::set<grpc::ClientContext*> transfers_;
  grpc::ClientContext* pulling_ = nullptr;
  std::optional<StateHead> wanted_;  // the state of the last Begin
  int64_t loaded_ = 0;               // the state that the worker has
  std::deque<wire::Grant> waiting_;  // for their state
  std::unique_ptr<Worker> worker_;
  // Updates that the coordinator still reads, and memory that it no longer does.
  std::vector<ParamSet> kept_, free_;
  std::jthread loader_, heart_, farewell_;
};

class Connection::Transfer {
 public:
  Transfer(Connection& connection, int64_t floats) : connection_(connection) {
    const ClientOptions& options = connection.options_;
    const int64_t bytes = floats * static_cast<int64_t>(sizeof(float));
    context_.AddMetadata(kSecretKey, options.link.secret);
    context_.AddMetadata(kSessionKey, std::to_string(connection.session_.load()));
    context_.set_deadline(
        in_seconds(options.patience + static_cast<double>(bytes) / kLeastBytesPerSecond));
    const std::scoped_lock lock(connection_.mutex_);
    connection_.transfers_.insert(&context_);
    if (connection_.closing_ || !connection_.in_stage_) context_.TryCancel();
  }
  ~Transfer() {
    const std::scoped_lock lock(connection_.mutex_);
    connection_.transfers_.erase(&context_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  grpc::ClientContext& context() { return context_; }

 private:
  Connection& connection_;
  grpc::ClientContext context_;
};

Connection::Connection(const ClientOptions& options, Seen& seen, std::optional<Made>& made,
                       const std::function<MadeProgram(const Stage&)>& make)
    : options_(options),
      seen_(seen),
      made_(made),
      make_(make),
      control_(dial(options)),
      bulk_(dial(options)),
      stub_(wire::Coordinator::NewStub(control_)) {
  context_.AddMetadata(kSecretKey, options.link.secret);
}

Connection::~Connection() {
  {
    const std::scoped_lock lock(mutex_);
    closing_ = true;
    for (grpc::ClientContext* transfer : transfers_) transfer->TryCancel();
  }
  changed_.notify_all();
  loader_ = {};
  heart_ = {};
  farewell_ = {};
  worker_.reset();
}

Status Connection::run() {
  {
    const std::scoped_lock lock(write_mutex_);
    stream_ = stub_->Work(&context_);
  }
  const auto tried = options_.link.shares_memory && !seen_.memory_failed
                         ? SharedMemory::make(seen_.tensors.key(), 0)
                         : nullptr;
  wire::FromWorker hello;
  if (tried) {
    hello.mutable_hello()->set_memory_key(seen_.tensors.key());
    hello.mutable_hello()->set_memory(tried->name());
  }
  hello.mutable_hello()->set_version(kVersion);
  hello.mutable_hello()->set_job(seen_.job);
  hello.mutable_hello()->set_attempt(seen_.attempt);
  hello.mutable_hello()->set_lanes(options_.lanes);
  hello.mutable_hello()->set_process(getpid());
  hello.mutable_hello()->set_host(options_.host.empty() ? host_name() : options_.host);
  send(hello);
  wire::ToWorker message;
  while (stream_->Read(&message)) {
    try {
      handle(message);
    } catch (const std::exception& error) {
      say_problem(error.what());
    }
  }
  {
    const std::scoped_lock lock(write_mutex_);
    over_ = true;
  }
  const Status status = stream_->Finish();
  const std::scoped_lock lock(mutex_);
  return problem_.empty() || status.ok() ? status : Status(StatusCode::UNAVAILABLE, problem_);
}

void Connection::leave() {
  if (!welcomed()) return cancel();
  // A link that takes nothing more must not hold up the end.
  farewell_ = std::jthread([this] {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kFarewell, [&] { return closing_; });
    cancel();
  });
  wire::FromWorker message;
  message.mutable_leave();
  const std::scoped_lock lock(write_mutex_);
  if (stream_ && !over_)
    stream_->Write(message);
  else
    cancel();
}

void Connection::say_problem(const std::string& what) {
  {
    const std::scoped_lock lock(mutex_);
    if (problem_.empty()) problem_ = what;
  }
  context_.TryCancel();
}

bool Connection::send(const wire::FromWorker& message) {
  const std::scoped_lock lock(write_mutex_);
  return !over_ && stream_->Write(message);
}

void Connection::handle(wire::ToWorker& message) {
  switch (message.what_case()) {
    case wire::ToWorker::kWelcome:
      if (message.welcome().attempt() < seen_.attempt)
        throw Error("the coordinator is of an attempt before");
      seen_.job = message.welcome().job();
      seen_.attempt = message.welcome().attempt();
      shares_memory_ = message.welcome().shares_memory();
      find_memory(message.welcome());
      session_ = message.welcome().worker();
      heart_ = std::jthread([this] { heart(); });
      return;
    case wire::ToWorker::kStage:
      end_stage();
      return begin_stage(message.stage());
    case wire::ToWorker::kBegin:
      return on_begin(message.begin());
    case wire::ToWorker::kGrant:
      return on_grant(*message.mutable_grant());
    case wire::ToWorker::kCompare:
      return on_compare(message.compare().lease());
    case wire::ToWorker::kPush:
      if (worker_) worker_->push(message.push().lease());
      return;
    case wire::ToWorker::kDrop:
      return on_drop(message.drop().lease());
    case wire::ToWorker::kStageEnd:
      return end_stage();
    case wire::ToWorker::WHAT_NOT_SET:
      throw Error("the coordinator says what this version does not know");
  }
}

void Connection::find_memory(const wire::Welcome& welcome) {
  if (!shares_memory_ || welcome.process() == 0) return;
  neighbour_ = std::make_unique<Neighbour>(welcome.process(), welcome.memory_key());
  if (!neighbour_->memory(welcome.memory(), 0)) neighbour_.reset();
}

void Connection::begin_stage(const wire::Stage& message) {
  Stage stage{message.kind(), message.args()};
  wire::FromWorker answer;
  if (!made_ || made_->stage != stage) {
    made_.reset();
    try {
      MadeProgram program = make_(stage);
      made_ = Made{std::move(stage), std::move(program), nullptr, nullptr, {}};
    } catch (const std::exception&) {
      answer.mutable_unable()->set_stage(message.number());
      to_wire(std::current_exception(), *answer.mutable_unable()->mutable_problem());
      send(answer);
      return;  // the coordinator ends the call
    }
  }
  {
    const std::scoped_lock lock(mutex_);
    worker_ = std::make_unique<Worker>(*made_->program.program, options_.lanes);
    worker_->connect(*this);
    in_stage_ = true;
  }
  loader_ = std::jthread([this](const std::stop_token& stop) { load_states(stop); });
  answer.mutable_ready()->set_stage(message.number());
  answer.mutable_ready()->set_identity(made_->program.identity);
  answer.mutable_ready()->set_reads_memory(neighbour_ != nullptr);
  send(answer);
}

void Connection::end_stage() {
  std::unique_ptr<Worker> worker;  // ends after the lock: its lanes may ask for it
  {
    const std::scoped_lock lock(mutex_);
    wanted_.reset();
    waiting_.clear();
    loaded_ = 0;
    in_stage_ = false;
    kept_.clear();
    free_.clear();
    for (grpc::ClientContext* transfer : transfers_) transfer->TryCancel();
  }
  loader_ = {};  // asks it to stop, and waits
  if (neighbour_) neighbour_->forget();
  const std::scoped_lock lock(mutex_);
  worker.swap(worker_);
}

void Connection::on_begin(const wire::Begin& begin) {
  StateHead head = from_wire(begin);
  const std::scoped_lock lock(mutex_);
  wanted_ = std::move(head);
  std::ranges::move(kept_, std::back_inserter(free_));  // they are of the rounds before
  kept_.clear();
  if (pulling_) pulling_->TryCancel();  // that round is over
  changed_.notify_all();
}

void Connection::on_grant(wire::Grant& grant) {
  const std::scoped_lock lock(mutex_);
  if (!worker_) return;
  if (grant.state() == loaded_)
    pass_on(grant);
  else
    waiting_.push_back(std::move(grant));
}

void Connection::pass_on(wire::Grant& grant) {
  worker_->grant(grant.lease(), grant.unit(), std::move(*grant.mutable_private_state()),
                 grant.compares());
}

void Connection::on_compare(LeaseId lease) {
  const std::scoped_lock lock(mutex_);
  if (!worker_) return;
  worker_->compare(lease);
  for (wire::Grant& grant : waiting_)
    if (grant.lease() == lease) grant.set_compares(true);
}

void Connection::on_drop(LeaseId lease) {
  {
    const std::scoped_lock lock(mutex_);
    if (!worker_) return;
    if (std::erase_if(waiting_, [&](const auto& g) { return g.lease() == lease; }) == 0)
      return worker_->drop(lease);
  }
  stopped(lease);
}

void Connection::load_states(const std::stop_token& stop) {
  for (;;) {
    StateHead head;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop,
                    [&] { return closing_ || (wanted_ && wanted_->number != loaded_); });
      if (closing_ || stop.stop_requested()) return;
      head = *wanted_;
    }
    try {
      load(head);
    } catch (const std::exception& error) {
      return say_problem(error.what());
    }
  }
}

// Brings the state of this head to the worker, with the leases that wait for it; or does nothing,
// where another round has begun in the meantime.
void Connection::load(const StateHead& head) {
  worker_->begin(nullptr);  // lets go of the state before
  if (!made_->layout || made_->layout->specs() != head.specs)
    made_->layout = std::make_shared<const ParamLayout>(head.specs);
  auto state = in_memory(head);
  const Status status = state ? Status::OK : pull_changes(head);
  if (!state) state = made_->state;

  auto spec = status.ok() ? made_->program.program->update_spec(head.round) : reduce::UpdateSpec{};
  const std::scoped_lock lock(mutex_);
  if (!wanted_ || wanted_->number != head.number) return;
  if (status.error_code() == StatusCode::FAILED_PRECONDITION) return wanted_.reset();
  if (!status.ok()) throw Error("a state could not be fetched: " + status.error_message());
  worker_->begin(std::make_shared<const RoundStart>(
      RoundStart{head.round, std::move(spec), std::move(state)}));
  loaded_ = head.number;
  for (wire::Grant& grant : waiting_)
    if (grant.state() == loaded_) pass_on(grant);
  waiting_.clear();
}

// The state where the coordinator has it; null where it is to be pulled.
std::shared_ptr<const ParamSet> Connection::in_memory(const StateHead& head) {
  if (head.memory.empty() || !neighbour_) return nullptr;
  // There is one state; what lay elsewhere is kept by those who still read it.
  if (std::exchange(read_, head.memory) != head.memory) neighbour_->forget();
  auto found = neighbour_->tensors(head.memory, made_->layout);
  if (!found) return nullptr;
  made_->state.reset();
  return std::make_shared<const ParamSet>(std::move(*found));
}

Status Connection::pull_changes(const StateHead& head) {
  std::shared_ptr<ParamSet>& state = made_->state;
  if (!state || state->shared_layout() != made_->layout) {
    state = std::make_shared<ParamSet>(made_->layout);
    made_->digests.assign(head.digests.size(), Digest{});
  } else if (state.use_count() > 1) {
    // A lane that nobody waits for still reads it.
    state = std::make_shared<ParamSet>(*state);
  } else {
    std::shared_ptr<ParamSet>(state).reset();  // what the lanes read, they read before
  }
  const std::vector<Range> ranges = differing(*made_->layout, head.digests, made_->digests);
  return ranges.empty() ? Status::OK : pull(head, ranges);
}

Status Connection::pull(const StateHead& head, const std::vector<Range>& ranges) {
  int64_t floats = 0;
  for (const Range& range : ranges) floats += range.count;
  Transfer transfer(*this, floats);
  {
    const std::scoped_lock lock(mutex_);
    if (!wanted_ || wanted_->number != head.number) return Status::CANCELLED;
    pulling_ = &transfer.context();
  }
  // Until all has come, what differs is neither the old state nor the new one.
  for (size_t t = 0; t < head.digests.size(); ++t)
    if (made_->digests[t] != head.digests[t]) made_->digests[t] = {};
  Status status;
  {
    BulkCall call(*bulk_, transfer.context(), kPull);
    call.write(to_buffer(to_bytes(PullRequest{head.number, ranges})));
    call.writes_done();
    status = receive(head, ranges, transfer, call);
  }
  const std::scoped_lock lock(mutex_);
  pulling_ = nullptr;
  if (status.ok()) made_->digests = head.digests;
  return status;
}

// What comes of a state through the socket.
Status Connection::receive(const StateHead& head, const std::vector<Range>& ranges,
                           Transfer& transfer, BulkCall& call) {
  Receiver receiver(head.number, ranges, made_->state->flat(), options_.link.checks);
  grpc::ByteBuffer message;
  try {
    while (call.read(message)) take(receiver, message);
    Status status = call.finish();
    if (status.ok() && !receiver.whole()) status = {StatusCode::DATA_LOSS, "cut short"};
    return status;
  } catch (const DataError& error) {
    transfer.context().TryCancel();
    (void)call.finish();
    return {StatusCode::DATA_LOSS, error.what()};
  }
}

void Connection::notice(Notice notice) {
  wire::FromWorker message;
  to_wire(notice, *message.mutable_notice());
  if (message.ByteSizeLong() > kMaxMessage)
    return failed(notice.lease,
                  std::make_exception_ptr(Error(fmt::format(
                      "a unit hands back {} bytes beside its update (blob {}, private state {}), "
                      "and at most {} can be sent",
                      message.ByteSizeLong(), notice.blob.size(), notice.private_state.size(),
                      kMaxMessage))));
  send(message);
}

void Connection::beat(LeaseId lease, uint64_t beats) {
  wire::FromWorker message;
  message.mutable_beat()->set_lease(lease);
  message.mutable_beat()->set_beats(beats);
  send(message);
}

void Connection::stopped(LeaseId lease) {
  wire::FromWorker message;
  message.mutable_stopped()->set_lease(lease);
  send(message);
}

void Connection::failed(LeaseId lease, std::exception_ptr error) {
  wire::FromWorker message;
  message.mutable_failed()->set_lease(lease);
  to_wire(error, *message.mutable_failed()->mutable_problem());
  send(message);
}

void Connection::deliver(LeaseId lease, ParamSet& update, int64_t /*weight: in the notice*/) {
  const auto floats = static_cast<int64_t>(update.flat().size());
  std::string memory = memory_of(update);
  if (memory.empty() && shares_memory_ && floats >= kLeastShared) {
    // The lane's next update is made where this one is put.
    ParamSet shared = fresh(update.shared_layout());
    std::ranges::copy(update.flat(), shared.flat().begin());
    update = std::move(shared);
    memory = memory_of(update);
  }
  std::shared_ptr<ParamSet> sent;  // for as long as gRPC reads it
  if (memory.empty()) sent = std::make_shared<ParamSet>(std::move(update));
  Status status;
  bool kept = false;
  {
    Transfer transfer(*this, floats);
    if (!memory.empty()) transfer.context().AddMetadata(kMemoryKey, memory);
    transfer.context().AddMetadata(kLeaseKey, std::to_string(lease));
    BulkCall call(*bulk_, transfer.context(), kDeliver);
    if (sent)
      for (const Range& chunk : cut({{0, floats}}))
        if (!call.write(chunk_buffer(lease, chunk, sent, options_.link.checks))) break;
    call.writes_done();
    status = call.finish();
    kept = transfer.context().GetServerTrailingMetadata().contains(kKeptKey);
  }
  if (sent) update = sent.use_count() == 1 ? std::move(*sent) : ParamSet();
  const bool answered = status.ok() || status.error_code() == StatusCode::NOT_FOUND;
  if (!memory.empty() && !answered) update = ParamSet();  // the coordinator may still read it
  if (!memory.empty() && answered && kept) update = exchange_kept(std::move(update));
  if (answered) return;
  {
    const std::scoped_lock lock(mutex_);
    if (closing_ || !in_stage_) return;
  }
  no_memory_if(status);
  say_problem("an update could not be delivered: " + status.error_message());
}

// Other memory in the place of what the coordinator keeps until the next round.
ParamSet Connection::exchange_kept(ParamSet update) {
  const auto layout = update.shared_layout();
  {
    const std::scoped_lock lock(mutex_);
    kept_.push_back(std::move(update));
    std::erase_if(free_, [&](const ParamSet& free) { return free.shared_layout() != layout; });
    if (!free_.empty()) {
      ParamSet found = std::move(free_.back());
      free_.pop_back();
      return found;
    }
  }
  return fresh(layout);
}

void Connection::heart() {
  std::unique_lock lock(mutex_);
  const auto pause = std::chrono::duration<double>(options_.heartbeat);
  while (!changed_.wait_for(lock, pause, [&] { return closing_; })) {
    lock.unlock();
    beat(0, 0);
    lock.lock();
  }
}

}  // namespace

WorkEnd work(const ClientOptions& given, const std::function<MadeProgram(const Stage&)>& make,
             std::string* reason) {
  use_our_log();
  ClientOptions options = given;
  std::string elsewhere;
  Seen seen;
  std::optional<Made> made;
  std::mutex mutex;
  std::condition_variable_any woken;
  double pause = kFirstPause;
  auto lost = Clock::now();
  const auto say = [&](const std::string& text) {
    if (reason) *reason = text;
  };
  while (!options.stop.stop_requested()) {
    Status status;
    {
      Connection connection(options, seen, made, make);
      const std::stop_callback on_stop(options.stop, [&] { connection.leave(); });
      status = connection.run();
      if (connection.welcomed()) {
        lost = Clock::now();
        pause = kFirstPause;
      } else if (options.elsewhere) {
        // By turns, since the old address may be right again.
        elsewhere = options.coordinator == given.coordinator ? options.elsewhere() : "";
        options.coordinator = elsewhere.empty() ? given.coordinator : elsewhere;
      }
    }
    if (options.stop.stop_requested()) break;
    if (status.ok()) return WorkEnd::kDone;
    say(status.error_message());
    if (status.error_code() == StatusCode::UNAUTHENTICATED ||
        status.error_code() == StatusCode::FAILED_PRECONDITION ||
        status.error_code() == StatusCode::INVALID_ARGUMENT ||
        status.error_code() == StatusCode::UNIMPLEMENTED)
      return WorkEnd::kRefused;
    log::debug("no coordinator at {}: {}", options.coordinator, status.error_message());
    if (std::chrono::duration<double>(Clock::now() - lost).count() > options.patience)
      return WorkEnd::kLost;
    std::unique_lock lock(mutex);
    woken.wait_for(lock, options.stop, std::chrono::duration<double>(pause), [] { return false; });
    pause = std::min(2 * pause, kLongestPause);
  }
  say("stopped");
  return WorkEnd::kStopped;
}

}  // namespace superstep::cluster::transport
