// Records of Metronome (2014): features, a bar, and outputs, of both what is not zero.
//
//   0:0.3 4:0.21 | 0:1.0
//   2:1 | 1:1.0
//
//   MetronomeIndices found = scan_metronome(stream, "rows.metronome", false);
//   Records records = parse_metronome(stream, "rows.metronome", {.columns = 784});
//
// Indices begin at 0 and may stand in any order. Outputs are one of two things: of several, one is
// 1 and says the row's class (its index is the label: "0", "1"); a single one, 0 alone, holds the
// label itself, a class or a number. Lines end in LF or CRLF; blank ones are left out. Limits:
// indices up to 2^24, a line of at most 64 MiB.
#pragma once

#include <cstdint>
#include <string>

#include "superstep/data/records.h"
#include "superstep/io/stream.h"

namespace superstep::data {

/// True when all of the first lines are records of this format.
bool is_metronome(io::ByteStream& in);

/// The highest indices that occur in a file.
struct MetronomeIndices {
  int64_t rows = 0;                   ///< Well-formed ones.
  int64_t feature = -1, output = -1;  ///< -1: no record names one.
  void add(const MetronomeIndices& other);
};
/// Throws DataError naming file and line for a bad record, unless `skip_bad`.
MetronomeIndices scan_metronome(io::ByteStream& in, const std::string& file, bool skip_bad);

/// What the outputs are: not read, one class of several, or a label of its own.
enum class Outputs { kNone, kClass, kValue };

struct MetronomePlan {
  int64_t columns = 0;
  Outputs outputs = Outputs::kClass;
  bool skip_bad = false;
};
/// All rows, held without zeros. Throws DataError naming file, line and index for a bad record (an
/// index that is no column is one, and a row without its class), unless plan.skip_bad.
Records parse_metronome(io::ByteStream& in, const std::string& file, const MetronomePlan& plan);

}  // namespace superstep::data
