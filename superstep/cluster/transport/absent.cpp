// In a build without gRPC: says so when someone asks for a network.
#include "superstep/cluster/transport/client.h"
#include "superstep/cluster/transport/server.h"

namespace superstep::cluster::transport {
namespace {

[[noreturn]] void absent() {
  throw ConfigError(
      "this build has no network (SUPERSTEP_GRPC is off): only the engine 'local' is there");
}

}  // namespace

class Server::Impl {};
Server::Server(ServerOptions) { absent(); }
Server::~Server() = default;
std::string Server::address() const { absent(); }
int Server::workers() const { absent(); }
void Server::attach(Coordinator&, Stage, Bytes) { absent(); }
void Server::detach() { absent(); }
Traffic Server::traffic() const { absent(); }
ServerCounters Server::counters() const { absent(); }

WorkEnd work(const ClientOptions&, const std::function<MadeProgram(const Stage&)>&, std::string*) {
  absent();
}

}  // namespace superstep::cluster::transport
