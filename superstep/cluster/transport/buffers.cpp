#include "superstep/cluster/transport/buffers.h"

#include <grpcpp/support/byte_buffer.h>

#include <array>

namespace superstep::cluster::transport {
namespace {

std::vector<grpc::Slice> slices_of(const grpc::ByteBuffer& message) {
  std::vector<grpc::Slice> slices;
  (void)message.Dump(&slices);
  return slices;
}

std::string_view view(const grpc::Slice& slice) {
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

}  // namespace

grpc::ByteBuffer chunk_buffer(int64_t id, Range range, std::shared_ptr<const ParamSet> params,
                              bool checks) {
  const auto values =
      params->flat().subspan(static_cast<size_t>(range.begin), static_cast<size_t>(range.count));
  const ChunkHeader header{.id = id,
                           .begin = range.begin,
                           .count = range.count,
                           .check = checks ? chunk_check(values) : 0};
  using Keep = std::shared_ptr<const ParamSet>;
  auto* keep = new Keep(std::move(params));
  const std::array<grpc::Slice, 2> slices{
      grpc::Slice(&header, sizeof header),
      grpc::Slice(
          const_cast<float*>(values.data()), values.size_bytes(),
          [](void* kept) { delete static_cast<Keep*>(kept); }, keep)};
  return {slices.data(), slices.size()};
}

void take(Receiver& receiver, const grpc::ByteBuffer& message) {
  const std::vector<grpc::Slice> slices = slices_of(message);
  std::vector<std::string_view> pieces;
  for (const grpc::Slice& slice : slices) pieces.push_back(view(slice));
  receiver.take(pieces);
}

grpc::ByteBuffer to_buffer(const Bytes& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

Bytes to_bytes(const grpc::ByteBuffer& message) {
  Bytes bytes;
  for (const grpc::Slice& slice : slices_of(message)) bytes += view(slice);
  return bytes;
}

}  // namespace superstep::cluster::transport
