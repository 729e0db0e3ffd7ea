// The coordinator's end of the network: listens, lets in workers that know the secret, and puts
// them before a Coordinator as if they were in this process.
//
//   Server server({.link = {.secret = secret}, .job_id = "digits-17"});
//   ... tell the workers server.address() ...
//   Coordinator coordinator(program, options);
//   server.attach(coordinator, {"train", job_bytes}, identity);
//   RunResult result = coordinator.run();
//   server.detach();                      // workers stay, and wait for the next stage
//
// Limits: a message is at most kMaxMessage, a call is refused by its secret before its first
// message is read. The address is of this machine; whoever lets workers dial from others says
// under which name (issue a certificate for it).
#pragma once

#include <memory>
#include <string>

#include "superstep/cluster/coordinator.h"
#include "superstep/cluster/transport/options.h"

namespace superstep::cluster::transport {

struct ServerOptions {
  std::string listen = "127.0.0.1:0";  ///< host:port; port 0 is any free one, [::1]:0 is IPv6.
  Link link = {};
  std::string job_id = {};  ///< A worker that has worked for another job is refused.
  int64_t attempt = 1;      ///< Workers that have seen a higher one do not work for this.
};

struct ServerCounters {
  int64_t connected = 0;   ///< Workers that were let in, each time they came.
  int64_t lost = 0;        ///< Of these, gone before the server was.
  int64_t no_secret = 0;   ///< Calls refused because of their secret.
  int64_t refused = 0;     ///< Workers refused: version, job, attempt, identity, broken messages.
  int64_t states = 0;      ///< States that a worker has had, whole or what had changed.
  int64_t updates = 0;     ///< Updates that came whole.
  int64_t shared = 0;      ///< Of these and of the states, through memory that both ends see.
  int64_t broken = 0;      ///< Transfers that ended before they were whole, or failed their check.
  int64_t tensor_in = 0;   ///< Bytes of updates.
  int64_t tensor_out = 0;  ///< Bytes of states; none of a state that is read where it lies.
};

class Server {
 public:
  /// Listens. Throws ConfigError where the address or the certificates cannot be used.
  explicit Server(ServerOptions options);
  /// Tells the workers that the job is done, and waits until they have heard it, at most 2 s.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// What workers dial: host:port. For 0.0.0.0 and [::] the host is this machine's name.
  [[nodiscard]] std::string address() const;
  /// Workers that are connected now, in a stage or waiting.
  [[nodiscard]] int workers() const;

  /// Workers, those that are here and those that come, make the stage's program and join. One whose
  /// program has another identity is refused. The coordinator must live until detach().
  void attach(Coordinator& coordinator, Stage stage, Bytes identity);
  /// The stage is over: workers leave the coordinator, and wait. Returns once none uses it.
  void detach();

  /// All that went through, control and tensors, without the frames of the network.
  [[nodiscard]] Traffic traffic() const;
  [[nodiscard]] ServerCounters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace superstep::cluster::transport
