// Between the types of the cluster and the messages of transport.proto. Whatever comes from outside
// is checked here; DataError says what was wrong.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "superstep/cluster/ports.h"
#include "superstep/cluster/transport/chunks.h"

namespace superstep::wire {
class Begin;
class Notice;
class Problem;
}  // namespace superstep::wire

namespace superstep::cluster::transport {

/// Of the protocol; both ends must speak the same.
inline constexpr uint32_t kVersion = 4;

/// Keys of the metadata.
inline constexpr char kSecretKey[] = "superstep-secret-bin";
inline constexpr char kSessionKey[] = "superstep-session";
inline constexpr char kLeaseKey[] = "superstep-lease";
inline constexpr char kMemoryKey[] = "superstep-memory";
inline constexpr char kKeptKey[] = "superstep-kept";

/// The state of a round, as it is said before it is moved.
struct StateHead {
  int64_t number = 0;
  reduce::Round round;
  std::vector<ParamSpec> specs;
  std::vector<Digest> digests;  ///< Of each tensor; {} is none, and like no other.
  std::string memory;           ///< Of the coordinator, that it lies in; or "".
};

/// The digest of each tensor: a pass over the state at the speed of memory.
std::vector<Digest> digests_of(const ParamSet& params);
/// `memory`: the name of what the state lies in, for a worker that reads it there; or "".
void to_wire(const RoundStart& start, int64_t number, const std::string& memory, wire::Begin& out);
StateHead from_wire(const wire::Begin& begin);

/// The runs of tensors that differ: what is to be pulled, with the padding between neighbours.
std::vector<Range> differing(const ParamLayout& layout, const std::vector<Digest>& wanted,
                             const std::vector<Digest>& held);

void to_wire(const Notice& notice, wire::Notice& out);
Notice from_wire(const wire::Notice& notice);

/// An exception as kind and text, so that a user sees the same error as in one process, and back.
void to_wire(const std::exception_ptr& error, wire::Problem& out);
std::exception_ptr from_wire(const wire::Problem& problem);

/// Tells gRPC to say what it has to say through our log, as debug messages.
void use_our_log();

}  // namespace superstep::cluster::transport
