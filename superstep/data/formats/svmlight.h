// SVMLight rows, which name what is not zero (LIBSVM writes the same; Joachims, "Making large-scale
// SVM learning practical", 1999):
//
//   # label index:value index:value ...
//   3 1:2 7:1 12:0.5      # a comment
//   -1 2:1
//
//   SvmlightIndices found = scan_svmlight(stream, "bags.svm", false);
//   Records records = parse_svmlight(stream, "bags.svm", {.first = 1, .columns = 12});
//
// Every row begins with its label, text or number. Indices are whole numbers that ascend within a
// row; they begin at 1, or at 0. What is not named is 0, and a 0 that is named is dropped. Lines
// end in LF or CRLF; blank ones and those of a comment alone are left out. Limits: indices up to
// 2^24, a line of at most 64 MiB; no qid, no list of labels.
#pragma once

#include <cstdint>
#include <string>

#include "superstep/data/records.h"
#include "superstep/io/stream.h"

namespace superstep::data {

/// True when all of the first lines are rows of this format, and one of them names a value.
bool is_svmlight(io::ByteStream& in);

/// The indices that occur in a file.
struct SvmlightIndices {
  int64_t rows = 0;                   ///< Good ones.
  int64_t lowest = -1, highest = -1;  ///< -1: no row names a value.
  void add(const SvmlightIndices& other);
};
/// Throws DataError naming file and line for a bad record, unless `skip_bad`.
SvmlightIndices scan_svmlight(io::ByteStream& in, const std::string& file, bool skip_bad);

/// Which indices are columns: `columns` of them, from `first` on.
struct SvmlightPlan {
  int64_t first = 1;
  int64_t columns = 0;
  bool skip_bad = false;
};
/// All rows, held without zeros. Throws DataError naming file, line and field for a bad record (an
/// index that is no column is one), unless plan.skip_bad.
Records parse_svmlight(io::ByteStream& in, const std::string& file, const SvmlightPlan& plan);

}  // namespace superstep::data
