// The rows of a list of files. Opening lists and looks at the beginning of each; a split is parsed
// when it is first needed and then kept.
//
//   auto rows = data::DataSet::open(config.train, config);
//   for (int split = 0; split < rows->splits(); ++split) use(rows->records(split));
//
// Files come in the order of their paths' bytes, rows in file order. IDX images and labels pair by
// name (x-images-idx3-ubyte.gz with x-labels-idx1-ubyte.gz) or by { rows = ..., labels = ... }.
// Safe from many threads. Limits: a split is a file, and all that was read stays in memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "superstep/data/config.h"
#include "superstep/data/records.h"
#include "superstep/data/schema.h"

namespace superstep::data {

class DataSet {
 public:
  /// `expected`: the schema of a model that these rows are for. Columns are then found by name
  /// (when both have names) or by number, and the label may be absent. Throws FileError (no such
  /// file), DataError (what a file holds: always with its name) and ConfigError (a key).
  static std::shared_ptr<const DataSet> open(const config::Location& location,
                                             const DataConfig& config,
                                             const Schema* expected = nullptr);
  virtual ~DataSet() = default;

  [[nodiscard]] virtual const Schema& schema() const = 0;
  /// Whether rows came, and are held, without their zeros.
  [[nodiscard]] virtual bool is_sparse() const { return false; }
  [[nodiscard]] virtual int splits() const = 0;
  /// Reads the split if it is not there yet. Throws FileError when the file is no longer the one
  /// that was opened, and DataError naming file, line or byte, column, value and what was wanted.
  [[nodiscard]] virtual const Records& records(int split) const = 0;
  /// The file of a split.
  [[nodiscard]] virtual const std::string& file(int split) const = 0;
  /// The hosts that hold most of a split's bytes, as its file system names them; none where all
  /// hosts are alike or that cannot be learned. Asked anew each time.
  [[nodiscard]] virtual std::vector<std::string> hosts(int /*split*/) const { return {}; }

  /// Where a row of a split is, for messages: "iris.csv:12", "x-images-idx3-ubyte.gz, row 11".
  [[nodiscard]] std::string place(int split, int64_t row) const;
  /// Sum of the sizes of the files as they lie on disk, in bytes.
  [[nodiscard]] virtual int64_t file_bytes() const = 0;
};

/// The address with `config.dir` before it where it is relative.
std::string resolve(const std::string& path, const DataConfig& config);

}  // namespace superstep::data
