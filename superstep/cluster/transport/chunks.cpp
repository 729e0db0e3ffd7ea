#include "superstep/cluster/transport/chunks.h"

#include <algorithm>
#include <bit>

#include "superstep/base/hash.h"
#include "superstep/cluster/transport/options.h"

namespace superstep::cluster::transport {
namespace {

static_assert(std::endian::native == std::endian::little, "floats travel as they lie in memory");

size_t size_of(Pieces message) {
  size_t size = 0;
  for (const auto piece : message) size += piece.size();
  return size;
}

// Copies `size` bytes that begin `from` bytes into the message.
void gather(Pieces message, size_t from, char* to, size_t size) {
  for (const auto piece : message) {
    if (from >= piece.size()) {
      from -= piece.size();
      continue;
    }
    const size_t part = std::min(size, piece.size() - from);
    if (part != 0) std::memcpy(to, piece.data() + from, part);
    to += part;
    size -= part;
    from = 0;
    if (size == 0) return;
  }
}

}  // namespace

uint64_t chunk_check(std::span<const float> values) {
  return digest(values.data(), values.size_bytes()).low;
}

std::vector<Range> cut(const std::vector<Range>& ranges) {
  constexpr int64_t kFloats = kChunkBytes / static_cast<int64_t>(sizeof(float));
  std::vector<Range> chunks;
  for (const Range& range : ranges)
    for (int64_t done = 0; done < range.count; done += kFloats)
      chunks.push_back({range.begin + done, std::min(kFloats, range.count - done)});
  return chunks;
}

Bytes to_bytes(const PullRequest& request) {
  ByteWriter writer;
  writer.put(request.state);
  writer.put_array(std::span(request.ranges));
  return std::move(writer).take();
}

PullRequest pull_request(std::string_view bytes, int64_t floats) {
  ByteReader reader(bytes, "request for a state");
  PullRequest request;
  request.state = reader.get<int64_t>();
  request.ranges = reader.get_all<std::vector<Range>>();
  reader.finish();
  int64_t end = 0;
  for (const Range& range : request.ranges) {
    if (range.begin < end || range.count < 1 || range.begin > floats ||
        range.count > floats - range.begin)
      throw DataError(
          "request for a state: {} floats from {}, wanted ascending ranges within {} to {}",
          range.count, range.begin, end, floats);
    end = range.begin + range.count;
  }
  return request;
}

Receiver::Receiver(int64_t id, std::vector<Range> ranges, std::span<float> into, bool checks)
    : id_(id), ranges_(cut(ranges)), into_(into), checks_(checks) {}

void Receiver::take(Pieces message) {
  ChunkHeader header;
  const size_t size = size_of(message);
  if (size < sizeof header)
    throw DataError("chunk: {} bytes, wanted a header of {}", size, sizeof header);
  gather(message, 0, reinterpret_cast<char*>(&header), sizeof header);
  if (header.id != id_) throw DataError("chunk of {}, wanted one of {}", header.id, id_);
  if (whole())
    throw DataError("chunk of {}: {} floats from {}, but all has come", id_, header.count,
                    header.begin);
  const Range wanted = ranges_[next_];
  if (Range{header.begin, header.count} != wanted)
    throw DataError("chunk of {}: {} floats from {}, wanted {} from {}", id_, header.count,
                    header.begin, wanted.count, wanted.begin);
  const auto values =
      into_.subspan(static_cast<size_t>(wanted.begin), static_cast<size_t>(wanted.count));
  if (size != sizeof header + values.size_bytes())
    throw DataError("chunk of {}: {} bytes, wanted {} for {} floats", id_, size,
                    sizeof header + values.size_bytes(), wanted.count);
  gather(message, sizeof header, reinterpret_cast<char*>(values.data()), values.size_bytes());
  if (checks_ && chunk_check(values) != header.check)
    throw DataError("chunk of {}: the {} floats from {} were spoiled on the way", id_, wanted.count,
                    wanted.begin);
  ++next_;
}

}  // namespace superstep::cluster::transport
