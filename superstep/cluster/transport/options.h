// What both ends of a connection agree on before the first byte: the secret, the certificates, and
// the limits. None of it shows what the wire is made of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "superstep/base/bytes.h"
#include "superstep/base/certificates.h"
#include "superstep/cluster/stage.h"

namespace superstep::cluster::transport {

using cluster::Stage;

/// The longest control message, and so the longest stage, blob and private state together.
inline constexpr int kMaxMessage = 16 << 20;
/// How many bytes of a tensor travel in one message.
inline constexpr int64_t kChunkBytes = 1 << 20;

/// What is the same for a server and its clients.
struct Link {
  Bytes secret = {};  ///< One a job; a caller without it is refused, and nothing is read.
  std::optional<Tls> tls =
      {};                 ///< Both ends show a certificate of the job's authority; none: plain.
  double keepalive = 10;  ///< Seconds of silence before an end is asked whether it lives ...
  double keepalive_patience = 5;  ///< ... and how long its answer may take.
  bool checks = true;  ///< Chunks carry a hash, and what comes with another is refused. Off: to
                       ///< measure what it costs.
  bool shares_memory = false;  ///< Tensors between processes of one machine go through memory that
                               ///< both see, where both ends want it and it can be had.
};

}  // namespace superstep::cluster::transport
