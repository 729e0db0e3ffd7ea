#include "superstep/io/bytes_read.h"

#include <atomic>

#include "superstep/base/host.h"

namespace superstep::io {
namespace {

std::atomic<int64_t> here{0}, elsewhere{0};

}  // namespace

BytesRead bytes_read() { return {.here = here, .elsewhere = elsewhere}; }

void count_bytes_read(std::string_view host, int64_t bytes) {
  (!host.empty() && same_host(host, host_name()) ? here : elsewhere) += bytes;
}

}  // namespace superstep::io
