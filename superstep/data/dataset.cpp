#include "superstep/data/dataset.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>

#include "superstep/base/log.h"
#include "superstep/data/formats/csv.h"
#include "superstep/data/formats/idx.h"
#include "superstep/data/formats/memory_stream.h"
#include "superstep/data/formats/metronome.h"
#include "superstep/data/formats/svmlight.h"
#include "superstep/io/file.h"
#include "superstep/io/file_system.h"

namespace superstep::data {
namespace {

// deflate makes nothing smaller than by a factor of 1032.
constexpr int64_t kMostInflation = 1032;

// Local files lie where they are opened.
std::vector<std::string> hosts_of(const std::string& path) {
  if (!io::is_remote(path)) return {};
  try {
    return io::hosts_of_most(io::file_system_of(path).block_locations(path));
  } catch (const FileError& error) {
    log::debug("{}; its rows are read anywhere", error.what());
    return {};
  }
}

/// What all formats share: splits that are parsed once, whoever asks first.
class FileDataSet : public DataSet {
 public:
  const Schema& schema() const override { return schema_; }
  int splits() const override { return static_cast<int>(splits_.size()); }
  const std::string& file(int split) const override { return at(split).rows.path; }

  std::vector<std::string> hosts(int split) const override { return hosts_of(file(split)); }

  int64_t file_bytes() const override {
    int64_t bytes = 0;
    for (const auto& split : splits_)
      bytes += split->rows.size + (split->labels ? split->labels->size : 0);
    return bytes;
  }

  const Records& records(int number) const override {
    const Split& split = at(number);
    if (!split.ready.load(std::memory_order_acquire)) {
      const std::scoped_lock lock(split.mutex);
      if (!split.ready.load(std::memory_order_relaxed)) {
        check(split);
        split.records = parse(number);
        check(split);  // nor may it change while it is read
        split.ready.store(true, std::memory_order_release);
      }
    }
    return split.records;
  }

 protected:
  struct Split {
    io::FileIdentity rows;
    std::optional<io::FileIdentity> labels;
    mutable std::mutex mutex;
    mutable std::atomic<bool> ready = false;
    mutable Records records;
  };

  virtual Records parse(int split) const = 0;

  const Split& at(int split) const { return *splits_.at(static_cast<size_t>(split)); }

  Schema schema_;
  std::vector<std::unique_ptr<Split>> splits_;

 private:
  static void check(const Split& split) {
    io::check_unchanged(split.rows);
    if (split.labels) io::check_unchanged(*split.labels);
  }
};

class CsvDataSet : public FileDataSet {
 public:
  CsvDataSet(const std::vector<std::string>& files, const DataConfig& config,
             const Schema* expected)
      : skip_bad_(config.on_bad_record == "skip") {
    SniffOptions options{config.delimiter, config.header, {}};
    if (expected != nullptr && expected->named) options.names = expected->names;
    bool planned = false, any_row = false;
    for (const std::string& path : files) {
      auto split = std::make_unique<Split>();
      split->rows = io::identify(path);
      splits_.push_back(std::move(split));
      CsvSniff sniff = sniff_csv(*io::open_stream(path), path, options);
      if (sniff.empty) {
        headers_.push_back(false);
        continue;
      }
      if (!planned) {
        plan_ = plan_csv(sniff, path, config, expected);
        planned = true;
      } else {
        compare(sniff, path, config);
      }
      any_row = any_row || sniff.rows;
      headers_.push_back(sniff.header);
    }
    if (!planned) throw DataError("{}: empty, wanted records", files[0]);
    if (!any_row) throw DataError("{}: a header and no records", files[0]);
    schema_ = plan_.schema;
  }

 private:
  // A further file must look like the first; its header may be absent.
  void compare(CsvSniff& sniff, const std::string& path, const DataConfig& config) {
    const CsvSniff& first = plan_.sniff;
    if (config.header == "infer") {
      const bool same = first.header && sniff.first == first.first;
      if (sniff.header && !same)
        throw DataError("{}:1: another header than that of {}, or text where numbers are wanted",
                        path, file(0));
      sniff.header = same;
    } else if (sniff.header && sniff.first != first.first) {
      throw DataError("{}:1: another header than that of {}", path, file(0));
    }
  }

  Records parse(int split) const override {
    const std::string& path = file(split);
    return parse_csv(*io::open_stream(path), path, plan_, headers_[static_cast<size_t>(split)],
                     skip_bad_);
  }

  CsvPlan plan_;
  std::vector<bool> headers_;  // of each file
  bool skip_bad_;
};

class IdxDataSet : public FileDataSet {
 public:
  /// labels[i] belongs to files[i]; "" for none.
  IdxDataSet(const std::vector<std::string>& files, const std::vector<std::string>& labels,
             const Schema* expected) {
    schema_.bytes = true;
    for (size_t i = 0; i < files.size(); ++i) {
      auto split = std::make_unique<Split>();
      split->rows = io::identify(files[i]);
      const IdxHeader header = read_idx_header(*io::open_stream(files[i]), files[i]);
      if (i == 0) {
        schema_.columns = header.columns;
        schema_.image = header.axes;
        if (!labels[0].empty()) schema_.label = "label";
      }
      if (header.axes != schema_.image)
        throw DataError("{}: rows of {} values, but {} has rows of {}", files[i], header.columns,
                        files[0], schema_.columns);
      if (labels[i].empty() != labels[0].empty())
        throw DataError("{} has no labels beside it, but {} has", files[labels[i].empty() ? i : 0],
                        files[labels[i].empty() ? 0 : i]);
      if (!labels[i].empty()) {
        split->labels = io::identify(labels[i]);
        const IdxHeader of_labels = read_idx_header(*io::open_stream(labels[i]), labels[i]);
        if (!of_labels.axes.empty())
          throw DataError("{}: {} axes, wanted 1 for labels", labels[i], of_labels.axes.size() + 1);
        if (of_labels.rows != header.rows)
          throw DataError("{} holds {} rows, but {} holds {} labels", files[i], header.rows,
                          labels[i], of_labels.rows);
      }
      splits_.push_back(std::move(split));
    }
    if (expected != nullptr && expected->columns != schema_.columns)
      throw DataError("{}: rows of {} values; the model wants {}", files[0], schema_.columns,
                      expected->columns);
  }

 private:
  static std::vector<uint8_t> read(const io::FileIdentity& file) {
    const auto in = io::open_stream(file.path);
    const IdxHeader header = read_idx_header(*in, file.path);
    return read_idx_values(*in, file.path, header, file.size * kMostInflation);
  }

  Records parse(int number) const override {
    const Split& split = at(number);
    Records records;
    records.columns = schema_.columns;
    std::vector<uint8_t> values = read(split.rows);
    records.rows = static_cast<int64_t>(values.size()) / records.columns;
    records.values = std::move(values);
    if (!split.labels) return records;
    std::array<int32_t, 256> codes;
    codes.fill(-1);
    const std::vector<uint8_t> labels = read(*split.labels);
    records.label_codes.reserve(labels.size());
    for (const uint8_t label : labels) {
      if (codes[label] < 0) {
        codes[label] = static_cast<int32_t>(records.label_names.size());
        records.label_names.push_back(fmt::format("{}", label));
      }
      records.label_codes.push_back(codes[label]);
    }
    return records;
  }
};

// Rows that name by an index what is not zero.
class SparseDataSet : public FileDataSet {
 public:
  explicit SparseDataSet(const std::vector<std::string>& files) {
    for (const std::string& path : files) {
      auto split = std::make_unique<Split>();
      split->rows = io::identify(path);
      splits_.push_back(std::move(split));
    }
  }
  bool is_sparse() const override { return true; }

 protected:
  // The columns are the indices from `first` on.
  void set_columns(int64_t first, int64_t columns) {
    schema_.columns = columns;
    schema_.fields = first + columns;
    for (int64_t index = first; index < schema_.fields; ++index) {
      schema_.names.push_back(std::to_string(index));
      schema_.places.push_back(index);
    }
  }

  // The model's columns in one piece, from which index on; -1 where no model is given.
  int64_t first_of_model(const Schema* expected) const {
    if (expected == nullptr || expected->places.empty()) return -1;
    const int64_t first = expected->places.front();
    if (expected->places.back() - first + 1 != expected->columns)
      throw DataError("{}: the model's columns are not in one piece, which no index can name",
                      file(0));
    return first;
  }

  // As many columns as indices go from `first` to `highest`, or as are wanted.
  int64_t columns_for(int64_t first, int64_t highest, const DataConfig& config,
                      const Schema* expected) const {
    const int64_t wanted = expected != nullptr ? expected->columns : config.width;
    if (wanted == 0) return highest - first + 1;
    if (wanted < highest - first + 1)
      throw DataError("{}: an index of {}, wanted {} columns from {} on", file(0), highest, wanted,
                      first);
    return wanted;
  }
};

class SvmlightDataSet : public SparseDataSet {
 public:
  SvmlightDataSet(const std::vector<std::string>& files, const DataConfig& config,
                  const Schema* expected)
      : SparseDataSet(files), plan_{.skip_bad = config.on_bad_record == "skip"} {
    plan_.first = first_of_model(expected);
    if (plan_.first < 0)
      plan_by_rows(config, expected);
    else
      plan_.columns = expected->columns;
    set_columns(plan_.first, plan_.columns);
    schema_.label = "label";
  }

 private:
  // The width of the rows is known when all of them were seen.
  void plan_by_rows(const DataConfig& config, const Schema* expected) {
    SvmlightIndices found;
    for (const auto& split : splits_)
      found.add(
          scan_svmlight(*io::open_stream(split->rows.path), split->rows.path, plan_.skip_bad));
    if (found.highest < 0) throw DataError("{}: no row names a value", file(0));
    plan_.first = found.lowest == 0 ? 0 : 1;
    plan_.columns = columns_for(plan_.first, found.highest, config, expected);
  }

  Records parse(int split) const override {
    return parse_svmlight(*io::open_stream(file(split)), file(split), plan_);
  }

  SvmlightPlan plan_;
};

class MetronomeDataSet : public SparseDataSet {
 public:
  MetronomeDataSet(const std::vector<std::string>& files, const DataConfig& config,
                   const Schema* expected)
      : SparseDataSet(files), plan_{.skip_bad = config.on_bad_record == "skip"} {
    MetronomeIndices found;
    for (const auto& split : splits_)
      found.add(
          scan_metronome(*io::open_stream(split->rows.path), split->rows.path, plan_.skip_bad));
    int64_t first = first_of_model(expected);
    if (first < 0) {
      if (found.feature < 0) throw DataError("{}: no row names a value", file(0));
      first = 0;
      plan_.columns = columns_for(first, found.feature, config, expected);
    } else {
      plan_.columns = first + expected->columns;
    }
    if (first > 0)
      throw DataError("{}: indices begin at 0, those of the model at {}", file(0), first);
    set_columns(first, plan_.columns);
    plan_.outputs = outputs_of(found, expected);
    if (plan_.outputs != Outputs::kNone)
      schema_.label = plan_.outputs == Outputs::kClass ? "label" : kValue;
  }

 private:
  static constexpr const char* kValue = "output";  // of the schema: the label of a single output

  // A file in which only output 0 occurs may hold one class of several: the model knows.
  static Outputs outputs_of(const MetronomeIndices& found, const Schema* expected) {
    if (found.output < 0) return Outputs::kNone;
    if (expected != nullptr && expected->has_label())
      return expected->label == kValue ? Outputs::kValue : Outputs::kClass;
    return found.output == 0 ? Outputs::kValue : Outputs::kClass;
  }

  Records parse(int split) const override {
    return parse_metronome(*io::open_stream(file(split)), file(split), plan_);
  }

  MetronomePlan plan_;
};

// The first bytes of a file: from afar they are better fetched once.
std::string beginning_of(const std::string& path) {
  constexpr size_t kBeginning = size_t{64} << 10;
  std::string start(kBeginning, '\0');
  start.resize(io::open_stream(path)->read(start));
  return start;
}

bool looks_like_idx(const std::string& path, const std::string& start) {
  if (is_idx(start)) return true;
  // A damaged beginning is better named as such than taken for text.
  const std::string name = std::filesystem::path(path).filename();
  const bool idx_name =
      name.find("-idx") != std::string::npos || name.find(".idx") != std::string::npos;
  return idx_name && !start.empty();
}

// The labels beside a file of images, compressed or not; "" when there are none.
std::string labels_beside(const std::string& images) {
  const std::string name = idx_labels_name(images);
  if (name.empty()) return "";
  const std::string other = name.ends_with(".gz") ? name.substr(0, name.size() - 3) : name + ".gz";
  for (const std::string& candidate : {name, other})
    if (io::is_file(candidate)) return candidate;
  return "";
}

enum class Format { kCsv, kIdx, kSvmlight, kMetronome };

const char* name_of(Format format) {
  switch (format) {
    case Format::kCsv:
      return "CSV";
    case Format::kIdx:
      return "IDX";
    case Format::kSvmlight:
      return "SVMLight";
    case Format::kMetronome:
      break;
  }
  return "Metronome";
}

Format format_of(const std::string& path) {
  const std::string start = beginning_of(path);
  if (looks_like_idx(path, start)) return Format::kIdx;
  // By its name as well, so that damage is named as such and not taken for odd CSV.
  std::filesystem::path name(path);
  if (name.extension() == ".gz") name = name.stem();
  for (const char* extension : {".svm", ".svmlight", ".libsvm"})
    if (name.extension() == extension) return Format::kSvmlight;
  MemoryStream once(start), again(start);
  if (name.extension() == ".metronome" || is_metronome(once)) return Format::kMetronome;
  return is_svmlight(again) ? Format::kSvmlight : Format::kCsv;
}

bool is_table(Format format) { return format == Format::kCsv; }

// Where the labels of a format are, that has no columns of a name.
const char* where_labels_are(Format format) {
  switch (format) {
    case Format::kIdx:
      return "its labels are the file beside it, or train = { rows = ..., labels = ... }";
    case Format::kMetronome:
      return "every row ends with its label, after a |";
    default:
      return "every row begins with its label";
  }
}

// Keys of [data] that say nothing of this format.
void refuse_keys(const DataConfig& config, Format format, const std::string& file) {
  if (is_table(format)) return;
  if (!config.label.empty() && config.label != "label")
    throw ConfigError("[data] label = {}: {} is {}, which has no columns of a name; {}",
                      config::in_quotes(config.label), file, name_of(format),
                      where_labels_are(format));
  if (!config.drop.empty())
    throw ConfigError("[data] drop: {} is {}, which has no columns to leave out", file,
                      name_of(format));
}

// labels: of each file of IDX, as named; {}: those beside the files.
std::shared_ptr<const DataSet> open_as(Format format, const std::vector<std::string>& files,
                                       std::vector<std::string> labels, const DataConfig& config,
                                       const Schema* expected) {
  switch (format) {
    case Format::kCsv:
      return std::make_shared<CsvDataSet>(files, config, expected);
    case Format::kSvmlight:
      return std::make_shared<SvmlightDataSet>(files, config, expected);
    case Format::kMetronome:
      return std::make_shared<MetronomeDataSet>(files, config, expected);
    case Format::kIdx:
      break;
  }
  if (labels.empty())
    for (const std::string& file : files) labels.push_back(labels_beside(file));
  return std::make_shared<IdxDataSet>(files, labels, expected);
}

}  // namespace

std::string DataSet::place(int split, int64_t row) const {
  const int64_t line = records(split).line_of(row);
  return line > 0 ? fmt::format("{}:{}", file(split), line)
                  : fmt::format("{}, row {}", file(split), row);
}

std::string resolve(const std::string& path, const DataConfig& config) {
  if (config.dir.empty() || path.empty() || path.starts_with('/') ||
      path.find("://") != std::string::npos)
    return path;
  return config.dir.ends_with('/') ? config.dir + path : config.dir + "/" + path;
}

std::shared_ptr<const DataSet> DataSet::open(const config::Location& location,
                                             const DataConfig& config, const Schema* expected) {
  if (location.rows.empty())
    throw ConfigError("[data] no rows are named; wanted a path, such as train = \"rows.csv\"");
  std::vector<std::string> files = io::list_files(resolve(location.rows, config));
  std::vector<std::string> labels;
  if (!location.labels.empty()) {
    labels = io::list_files(resolve(location.labels, config));
    if (labels.size() != files.size())
      throw ConfigError("[data] rows = {} are {} files, labels = {} are {}",
                        config::in_quotes(location.rows), files.size(),
                        config::in_quotes(location.labels), labels.size());
  } else {
    // A folder or glob of images and labels: labels that belong to images are no rows.
    std::set<std::string> beside;
    for (const std::string& file : files) beside.insert(labels_beside(file));
    std::erase_if(files, [&](const std::string& file) { return beside.contains(file); });
  }

  const Format format = format_of(files[0]);
  for (size_t i = 1; i < files.size(); ++i)
    if (const Format other = format_of(files[i]); other != format)
      throw DataError("{} is {}, but {} is {}; wanted one format", files[i], name_of(other),
                      files[0], name_of(format));
  refuse_keys(config, format, files[0]);
  if (format != Format::kIdx && !labels.empty())
    throw ConfigError("[data] labels = {}: {} is {}, {}", config::in_quotes(location.labels),
                      files[0], name_of(format),
                      is_table(format) ? "whose labels are a column: label = \"...\""
                                       : fmt::format("where {}", where_labels_are(format)));
  auto rows = open_as(format, files, std::move(labels), config, expected);
  if (!rows->is_sparse() && config.width > 0 && config.width != rows->schema().columns)
    throw ConfigError("[data] width = {}: {} is {}, and says itself that its rows have {} columns",
                      config.width, files[0], name_of(format), rows->schema().columns);
  return rows;
}

}  // namespace superstep::data
