// CSV and TSV: what a file looks like, which of its columns are features, and its records.
//
//   CsvSniff sniff = sniff_csv(stream, "iris.csv", {});
//   CsvPlan plan = plan_csv(sniff, "iris.csv", config, nullptr);
//   Records records = parse_csv(stream, "iris.csv", plan, false);
//
// A record of the common number of fields that holds a finite number in every feature and a label
// that is there is good; every other one is bad, and an error unless it is to be left out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "superstep/data/config.h"
#include "superstep/data/records.h"
#include "superstep/data/schema.h"
#include "superstep/io/stream.h"

namespace superstep::data {

/// What the first records of a file say.
struct CsvSniff {
  bool empty = true;  ///< No record at all.
  bool rows = false;  ///< At least one record after the header.
  char delimiter = ',';
  bool header = false;
  std::vector<std::string> first;  ///< The fields of the first record.
  int64_t fields = 0;              ///< Of the header, else of most records.

  /// "column 'width' (2 from 0)", or "column 2 (from 0)" without a header.
  [[nodiscard]] std::string column(int64_t place) const;
  /// Names of the columns: of the header, or their numbers.
  [[nodiscard]] std::vector<std::string> names() const;
};

/// How to look: keys of [data], and names of columns that a header would hold (of a model).
struct SniffOptions {
  std::string delimiter = "infer", header = "infer";
  std::vector<std::string> names;
};

/// Reads from the stream what it needs, the first 64 KiB or more. The delimiter is the one of
/// , ; tab | that gives the most even records; the first record is a header when none of its fields
/// is a number but a column below it is. Throws ConfigError for a delimiter that cannot be.
CsvSniff sniff_csv(io::ByteStream& in, const std::string& file, const SniffOptions& options);

/// Which field of a record is what.
struct CsvPlan {
  CsvSniff sniff;
  Schema schema;
  static constexpr int32_t kDropped = -1, kLabel = -2;
  std::vector<int32_t> roles;  ///< Of each field: the feature's number, kDropped or kLabel.
};

/// `expected`: the schema of a model to be fitted to. Throws ConfigError for a column of [data]
/// that is not there and DataError where the columns do not fit the model, naming them.
CsvPlan plan_csv(CsvSniff sniff, const std::string& file, const DataConfig& config,
                 const Schema* expected);

/// All records. `has_header`: the first one is a header. Throws DataError naming file and line for
/// a bad record, unless `skip_bad`.
Records parse_csv(io::ByteStream& in, const std::string& file, const CsvPlan& plan, bool has_header,
                  bool skip_bad);

}  // namespace superstep::data
