#include <algorithm>
#include <array>
#include <map>

#include "superstep/base/error.h"
#include "superstep/data/formats/csv.h"
#include "superstep/data/formats/csv_reader.h"
#include "superstep/data/formats/memory_stream.h"
#include "superstep/data/formats/number.h"

namespace superstep::data {
namespace {

constexpr size_t kSample = size_t{64} << 10, kLargestSample = size_t{8} << 20;
constexpr size_t kSampleRecords = 100;
constexpr std::ptrdiff_t kSampleLines = 3;

using Rows = std::vector<std::vector<std::string>>;

// The first 64 KiB, or more until there are three line ends.
std::pair<std::string, bool> read_sample(io::ByteStream& in) {
  std::string sample;
  while (true) {
    const size_t before = sample.size();
    sample.resize(before + kSample);
    const size_t got = in.read(std::span(sample).subspan(before));
    sample.resize(before + got);
    if (got < kSample) return {std::move(sample), true};
    if (std::count(sample.begin(), sample.end(), '\n') >= kSampleLines ||
        sample.size() >= kLargestSample)
      return {std::move(sample), false};
  }
}

Rows sample_rows(const std::string& sample, bool whole, const std::string& file, char delimiter) {
  MemoryStream in(sample);
  CsvReader reader(in, file, delimiter);
  Rows rows;
  while (rows.size() <= kSampleRecords && reader.next()) {
    rows.emplace_back();
    for (size_t i = 0; i < reader.size(); ++i) rows.back().emplace_back(reader.field(i));
  }
  // The last record of a sample may have been cut in two.
  if (!whole && rows.size() > 1) rows.pop_back();
  return rows;
}

// How many fields most records have; the larger number where two are as frequent.
std::pair<size_t, size_t> common_size(const Rows& rows, size_t from) {
  std::map<size_t, size_t> counts;
  for (size_t i = from; i < rows.size(); ++i) ++counts[rows[i].size()];
  std::pair<size_t, size_t> best{0, 0};  // size, how many
  for (const auto& [size, count] : counts)
    if (count >= best.second) best = {size, count};
  return best;
}

char infer_delimiter(const std::string& sample, bool whole, const std::string& file) {
  // Even records first, then fields that are numbers ("1,5;2" has more of them cut at ;), then
  // fields.
  std::array<size_t, 3> best{};
  char delimiter = ',';
  for (const char candidate : {',', ';', '\t', '|'}) {
    const Rows rows = sample_rows(sample, whole, file, candidate);
    const auto [size, count] = common_size(rows, 0);
    if (size < 2) continue;
    size_t numbers = 0;
    for (const auto& row : rows)
      for (const std::string& field : row) numbers += parse_number(field).has_value();
    const std::array<size_t, 3> score{count, numbers, size};
    if (score > best) {
      best = score;
      delimiter = candidate;
    }
  }
  return delimiter;
}

char delimiter_of(const std::string& key) {
  if (key == "tab" || key == "\\t") return '\t';
  if (key.size() == 1 && key != "\"" && key != "\n" && key != "\r" && key != " ") return key[0];
  throw ConfigError("[data] delimiter = {}: wanted one character, tab or infer",
                    config::in_quotes(key));
}

bool infer_header(const Rows& rows, const std::vector<std::string>& names) {
  const std::vector<std::string>& first = rows[0];
  for (const std::string& field : first)
    if (std::find(names.begin(), names.end(), field) != names.end()) return true;
  for (const std::string& field : first)
    if (parse_number(field)) return false;
  if (rows.size() == 1) return true;
  for (size_t column = 0; column < first.size(); ++column) {
    size_t numbers = 0;
    for (size_t i = 1; i < rows.size(); ++i)
      numbers += column < rows[i].size() && parse_number(rows[i][column]);
    if (2 * numbers > rows.size() - 1) return true;
  }
  return false;
}

}  // namespace

std::string CsvSniff::column(int64_t place) const {
  if (!header) return fmt::format("column {} (from 0)", place);
  return fmt::format("column {} ({} from 0)",
                     config::in_quotes(first.at(static_cast<size_t>(place))), place);
}

std::vector<std::string> CsvSniff::names() const {
  if (header) return first;
  std::vector<std::string> numbers;
  for (int64_t i = 0; i < fields; ++i) numbers.push_back(fmt::format("{}", i));
  return numbers;
}

CsvSniff sniff_csv(io::ByteStream& in, const std::string& file, const SniffOptions& options) {
  const auto [sample, whole] = read_sample(in);
  if (const size_t nul = sample.find('\0'); nul != std::string::npos && nul < kSample) {
    // A byte order mark says more than the NULs that follow it: let the reader name it.
    MemoryStream bytes(sample);
    CsvReader check(bytes, file, ',');
    throw DataError("{}: byte {} is 0: neither text nor IDX, wanted CSV or IDX, plain or gzip",
                    file, nul);
  }
  CsvSniff sniff;
  sniff.delimiter = options.delimiter == "infer" ? infer_delimiter(sample, whole, file)
                                                 : delimiter_of(options.delimiter);
  const Rows rows = sample_rows(sample, whole, file, sniff.delimiter);
  if (rows.empty()) return sniff;
  sniff.empty = false;
  sniff.first = rows[0];
  sniff.header =
      options.header == "infer" ? infer_header(rows, options.names) : options.header == "yes";
  sniff.rows = rows.size() > (sniff.header ? 1 : 0);
  sniff.fields = static_cast<int64_t>(sniff.header ? rows[0].size() : common_size(rows, 0).first);
  if (sniff.header) {
    std::map<std::string, size_t> seen;
    for (size_t i = 0; i < sniff.first.size(); ++i) {
      // A nameless column, as of an exported index, goes by its number.
      if (sniff.first[i].empty()) sniff.first[i] = fmt::format("{}", i);
      const auto [other, fresh] = seen.emplace(sniff.first[i], i);
      if (!fresh)
        throw DataError("{}:1: columns {} and {} (from 0) have the same name {}", file,
                        other->second, i, config::in_quotes(sniff.first[i]));
    }
  }
  return sniff;
}

}  // namespace superstep::data
