// How much of what this process reads from HDFS comes from a DataNode of its own host: what placing
// work near its data comes to.
#pragma once

#include <cstdint>
#include <string_view>

namespace superstep::io {

/// Bytes of files, since the process began, by the DataNode that sent them (which may have fetched
/// a block from another one). Local files are not counted.
struct BytesRead {
  int64_t here = 0;       ///< From a DataNode of host_name() (base/host.h).
  int64_t elsewhere = 0;  ///< From any other, or through a gateway.
  [[nodiscard]] int64_t all() const { return here + elsewhere; }
  BytesRead& operator+=(const BytesRead& more) {
    here += more.here;
    elsewhere += more.elsewhere;
    return *this;
  }
  friend bool operator==(const BytesRead&, const BytesRead&) = default;
};

BytesRead bytes_read();

/// For file systems: so many came from this host; "": nobody knows which.
void count_bytes_read(std::string_view host, int64_t bytes);

}  // namespace superstep::io
