// What a worker's messages, chunks and requests may do to a coordinator, and a coordinator's to a
// worker: DataError, and nothing else. The first byte says which decoder reads the rest.
#include <transport.pb.h>

#include "superstep/cluster/transport/wire.h"

using namespace superstep;
using namespace superstep::cluster::transport;

namespace {

constexpr int64_t kFloats = 1000;

// Pieces of changing lengths, as the network cuts them.
void receive(std::string_view bytes, bool checks) {
  std::vector<std::string_view> pieces;
  for (size_t at = 0, size = 1; at < bytes.size(); at += size, size = size % 37 + 5)
    pieces.push_back(bytes.substr(at, size));
  std::vector<float> into(kFloats, 7.0F);
  Receiver receiver(3, {{0, 4}, {100, 900}}, into, checks);
  try {
    receiver.take(pieces);
  } catch (const DataError&) {
  }
  for (size_t i = 4; i < kFloats; ++i) SUPERSTEP_ASSERT(into[i] == 7.0F);  // the first range alone
}

void request(std::string_view bytes) {
  try {
    int64_t end = 0;
    for (const Range& range : pull_request(bytes, kFloats).ranges) {
      SUPERSTEP_ASSERT(range.begin >= end && range.count >= 1);
      end = range.begin + range.count;
    }
    SUPERSTEP_ASSERT(end <= kFloats);
  } catch (const DataError&) {
  }
}

void begin(std::string_view bytes) {
  wire::ToWorker message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !message.has_begin())
    return;
  try {
    const StateHead head = from_wire(message.begin());
    const ParamLayout layout(head.specs);  // without memory for it
    SUPERSTEP_ASSERT(layout.count() >= 0);
    (void)differing(layout, head.digests, std::vector<Digest>(head.digests.size()));
  } catch (const DataError&) {
  }
}

void from_worker(std::string_view bytes) {
  wire::FromWorker message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  try {
    (void)from_wire(message.notice());
  } catch (const DataError&) {
  }
  (void)from_wire(message.failed().problem());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      receive(rest, false);
      break;
    case 1:
      receive(rest, true);
      break;
    case 2:
      request(rest);
      break;
    case 3:
      begin(rest);
      break;
    default:
      from_worker(rest);
  }
  return 0;
}
