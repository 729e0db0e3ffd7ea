// Messages that are no protobuf: made of memory that is not copied, and read where they lie.
#pragma once

#include <memory>

#include "superstep/cluster/transport/chunks.h"
#include "superstep/tensor/param_set.h"

namespace grpc {
class ByteBuffer;
}  // namespace grpc

namespace superstep::cluster::transport {

/// A chunk whose floats are those of `params` itself; keeps it alive for as long as gRPC needs
/// them.
grpc::ByteBuffer chunk_buffer(int64_t id, Range range, std::shared_ptr<const ParamSet> params,
                              bool checks);
/// Hands a message to the receiver, without a copy in between.
void take(Receiver& receiver, const grpc::ByteBuffer& message);

grpc::ByteBuffer to_buffer(const Bytes& bytes);
Bytes to_bytes(const grpc::ByteBuffer& message);

}  // namespace superstep::cluster::transport
