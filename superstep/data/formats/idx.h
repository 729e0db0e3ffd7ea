// IDX, the format of MNIST: a header of big-endian integers, then the values.
//
//   byte 0, 1   0
//   byte 2      the type: 8 for unsigned bytes
//   byte 3      the number of axes
//   4 bytes     each axis, rows first
//
// Limits: unsigned bytes, one to four axes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "superstep/io/stream.h"

namespace superstep::data {

struct IdxHeader {
  int64_t rows = 0;
  int64_t columns = 1;        ///< Values of a row.
  std::vector<int64_t> axes;  ///< Of a row: (28, 28); empty for labels.
  [[nodiscard]] int64_t bytes() const { return 4 + 4 * (1 + static_cast<int64_t>(axes.size())); }
};

/// True when these first bytes of a file say IDX of any type.
bool is_idx(std::string_view start);

/// Throws DataError naming file, byte and what was wanted.
IdxHeader read_idx_header(io::ByteStream& in, const std::string& file);

/// The values behind the header, all of them. `most`: a number of bytes that the stream cannot hold
/// more than, so that a damaged header asks for no memory. Throws DataError naming the bytes got
/// and wanted when there are fewer or more.
std::vector<uint8_t> read_idx_values(io::ByteStream& in, const std::string& file,
                                     const IdxHeader& header, int64_t most);

/// The name of the labels that belong to a file of images ("x-images-idx3-ubyte.gz" gives
/// "x-labels-idx1-ubyte.gz"), or "" when the name does not follow that pattern.
std::string idx_labels_name(const std::string& images);

}  // namespace superstep::data
