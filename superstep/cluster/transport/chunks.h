// Tensors on the wire: a message is a header and a run of floats of the flat buffer, little-endian.
//
//   id      int64    the state's number, or the lease
//   begin   int64    the first float of the run
//   count   int64    floats that follow
//   check   uint64   XXH3 of their bytes; 0 where checks are off
//
// What comes from outside is believed only as far as it was asked for: a Receiver knows which
// ranges are to come, in which order, and writes nowhere else.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "superstep/base/bytes.h"

namespace superstep::cluster::transport {

/// Floats begin .. begin + count - 1 of a flat buffer.
struct Range {
  int64_t begin = 0, count = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

struct ChunkHeader {
  int64_t id = 0, begin = 0, count = 0;
  uint64_t check = 0;
};
static_assert(sizeof(ChunkHeader) == 32);

/// The hash in a chunk's header.
uint64_t chunk_check(std::span<const float> values);

/// The same floats as ranges of at most kChunkBytes.
std::vector<Range> cut(const std::vector<Range>& ranges);

/// The one message of a worker in Pull: ranges of the state's flat buffer, ascending.
struct PullRequest {
  int64_t state = 0;
  std::vector<Range> ranges;
};
Bytes to_bytes(const PullRequest& request);
/// Throws DataError where the bytes are no request, or ranges overlap or lie outside of `floats`.
PullRequest pull_request(std::string_view bytes, int64_t floats);

/// A message as it came: pieces of any lengths, whose borders may lie within a float.
using Pieces = std::span<const std::string_view>;

/// Puts the chunks of some ranges where they belong.
class Receiver {
 public:
  /// Expects `ranges` of `into` from chunks of this id. `into` must outlive it.
  Receiver(int64_t id, std::vector<Range> ranges, std::span<float> into, bool checks);
  /// The next chunk. Throws DataError where it is not what was expected, or fails its check; what
  /// it covers of `into` may then be spoiled.
  void take(Pieces message);
  /// Whether all has come.
  [[nodiscard]] bool whole() const { return next_ == ranges_.size(); }

 private:
  int64_t id_;
  std::vector<Range> ranges_;  // cut
  std::span<float> into_;
  bool checks_;
  size_t next_ = 0;
};

}  // namespace superstep::cluster::transport
