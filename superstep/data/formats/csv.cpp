#include "superstep/data/formats/csv.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <unordered_map>

#include "superstep/base/error.h"
#include "superstep/data/formats/csv_reader.h"
#include "superstep/data/formats/number.h"

namespace superstep::data {
namespace {

constexpr size_t kNamesShown = 20;

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kNamesShown); ++i)
    text += (i == 0 ? "" : ", ") + config::in_quotes(names[i]);
  if (names.size() > kNamesShown) text += fmt::format(" and {} more", names.size() - kNamesShown);
  return text;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The place of a column given by name, or by number from 0; -1 when there is none.
int64_t find_column(const CsvSniff& sniff, const std::string& key) {
  if (sniff.header) {
    const auto found = std::find(sniff.first.begin(), sniff.first.end(), key);
    if (found != sniff.first.end()) return found - sniff.first.begin();
  }
  int64_t number = -1;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), number);
  const bool is_number = error == std::errc{} && end == key.data() + key.size();
  return is_number && number >= 0 && number < sniff.fields ? number : -1;
}

int64_t need_column(const CsvSniff& sniff, const std::string& file, const char* key,
                    const std::string& name) {
  const int64_t place = find_column(sniff, name);
  if (place >= 0) return place;
  const std::vector<std::string> names = sniff.names();
  // A number too large is no misspelt name.
  const bool number = name.find_first_not_of("0123456789") == std::string::npos;
  const std::string_view near = number ? "" : config::nearest_name(name, names);
  throw ConfigError("[data] {} = {}: no such column in {}{}; columns{}: {}", key,
                    config::in_quotes(name), file,
                    near.empty() ? "" : fmt::format(", did you mean {}?", config::in_quotes(near)),
                    sniff.header ? "" : " (from 0, there is no header)", list(names));
}

void set_label(CsvPlan& plan, int64_t place) {
  plan.schema.label_column = place;
  plan.schema.label = plan.sniff.names().at(static_cast<size_t>(place));
  plan.roles[static_cast<size_t>(place)] = CsvPlan::kLabel;
}

void set_feature(CsvPlan& plan, size_t place, size_t number) {
  plan.roles[place] = static_cast<int32_t>(number);
}

// Features are all columns but the label and those dropped.
void plan_alone(CsvPlan& plan, const std::string& file, const DataConfig& config) {
  Schema& schema = plan.schema;
  const std::vector<std::string> names = plan.sniff.names();
  std::vector<bool> dropped(names.size());
  for (const std::string& name : config.drop)
    dropped[static_cast<size_t>(need_column(plan.sniff, file, "drop", name))] = true;
  if (!config.label.empty()) {
    const int64_t place = need_column(plan.sniff, file, "label", config.label);
    if (dropped[static_cast<size_t>(place)])
      throw ConfigError("[data] drop: {} is the label", config::in_quotes(config.label));
    set_label(plan, place);
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (dropped[i]) schema.dropped.push_back(names[i]);
    if (dropped[i] || static_cast<int64_t>(i) == schema.label_column) continue;
    set_feature(plan, i, schema.names.size());
    schema.names.push_back(names[i]);
    schema.places.push_back(static_cast<int64_t>(i));
  }
  schema.named = plan.sniff.header;
}

// Both have names: columns are found by them, in whatever order they come.
void plan_by_name(CsvPlan& plan, const std::string& file, const DataConfig& config,
                  const Schema& expected) {
  const std::vector<std::string>& names = plan.sniff.first;
  if (!config.label.empty())
    set_label(plan, need_column(plan.sniff, file, "label", config.label));
  else if (expected.has_label() && contains(names, expected.label))
    set_label(plan, find_column(plan.sniff, expected.label));
  std::unordered_map<std::string, size_t> places;
  for (size_t i = 0; i < names.size(); ++i) places.emplace(names[i], i);
  std::vector<std::string> missing, extra;
  for (size_t feature = 0; feature < expected.names.size(); ++feature) {
    const auto found = places.find(expected.names[feature]);
    if (found == places.end()) {
      missing.push_back(expected.names[feature]);
      continue;
    }
    set_feature(plan, found->second, feature);
    plan.schema.places.push_back(static_cast<int64_t>(found->second));
  }
  for (size_t i = 0; i < names.size(); ++i)
    if (plan.roles[i] == CsvPlan::kDropped && !contains(expected.dropped, names[i]) &&
        !contains(config.drop, names[i]))
      extra.push_back(names[i]);
  if (missing.empty() && extra.empty()) return;
  throw DataError("{}: columns do not fit the model:{}{}{}{}", file,
                  missing.empty() ? "" : " missing " + list(missing),
                  missing.empty() || extra.empty() ? "" : ";",
                  extra.empty() ? "" : " not known to it " + list(extra),
                  extra.empty() ? "" : " (data.drop leaves a column out)");
}

// One of the two has no names: columns are taken in their order.
void plan_by_number(CsvPlan& plan, const std::string& file, const DataConfig& config,
                    const Schema& expected) {
  const bool same_record = config.label.empty() && config.drop.empty() && expected.fields > 0 &&
                           plan.sniff.fields == expected.fields;
  std::vector<int64_t> places;
  if (same_record) {
    if (expected.label_column >= 0) set_label(plan, expected.label_column);
    places = expected.places;
  } else {
    std::vector<bool> dropped(static_cast<size_t>(plan.sniff.fields));
    for (const std::string& name : config.drop)
      dropped[static_cast<size_t>(need_column(plan.sniff, file, "drop", name))] = true;
    if (!config.label.empty())
      set_label(plan, need_column(plan.sniff, file, "label", config.label));
    for (int64_t i = 0; i < plan.sniff.fields; ++i)
      if (i != plan.schema.label_column && !dropped[static_cast<size_t>(i)]) places.push_back(i);
  }
  if (static_cast<int64_t>(places.size()) != expected.columns) {
    std::string wanted = fmt::format("the model wants {}", expected.columns);
    if (!expected.names.empty()) wanted += fmt::format(" ({})", list(expected.names));
    if (expected.label_column >= 0)
      wanted += fmt::format(", or {} with its label as column {} (from 0)", expected.fields,
                            expected.label_column);
    throw DataError("{}: {} columns of features; {}", file, places.size(), wanted);
  }
  for (size_t feature = 0; feature < places.size(); ++feature)
    set_feature(plan, static_cast<size_t>(places[feature]), feature);
  plan.schema.places = std::move(places);
}

// Reads one record; what is wrong with it, or "".
class RecordParser {
 public:
  RecordParser(const CsvPlan& plan, Records& records, std::vector<double>& values)
      : plan_(plan), records_(records), values_(values) {}

  std::string take(const CsvReader& reader) {
    if (!reader.problem().empty()) return reader.problem();
    if (reader.size() != plan_.roles.size())
      return fmt::format("{} fields, wanted {}", reader.size(), plan_.roles.size());
    const size_t before = values_.size();
    values_.resize(before + static_cast<size_t>(records_.columns));
    std::string_view label;
    for (size_t i = 0; i < plan_.roles.size(); ++i) {
      const int32_t role = plan_.roles[i];
      if (role == CsvPlan::kDropped) continue;
      const std::string_view text = reader.field(i);
      if (role == CsvPlan::kLabel) {
        label = text;
        if (!is_missing(text)) continue;
      } else if (const auto number = parse_number(text)) {
        values_[before + static_cast<size_t>(role)] = *number;
        continue;
      }
      values_.resize(before);
      return fmt::format("{} holds {}, wanted {}", plan_.sniff.column(static_cast<int64_t>(i)),
                         config::in_quotes(text), role == CsvPlan::kLabel ? "a label" : "a number");
    }
    if (plan_.schema.has_label()) records_.label_codes.push_back(code(label));
    return "";
  }

 private:
  int32_t code(std::string_view text) {
    scratch_.assign(text);
    const auto known = codes_.find(scratch_);
    if (known != codes_.end()) return known->second;
    std::string name = canonical_label(text);
    const auto [entry, fresh] =
        codes_.emplace(name, static_cast<int32_t>(records_.label_names.size()));
    const int32_t number = entry->second;
    if (fresh) records_.label_names.push_back(std::move(name));
    codes_.emplace(scratch_, number);
    return number;
  }

  const CsvPlan& plan_;
  Records& records_;
  std::vector<double>& values_;
  std::unordered_map<std::string, int32_t> codes_;  // looked up only, never iterated
  std::string scratch_;
};

}  // namespace

CsvPlan plan_csv(CsvSniff sniff, const std::string& file, const DataConfig& config,
                 const Schema* expected) {
  CsvPlan plan;
  plan.sniff = std::move(sniff);
  plan.schema.fields = plan.sniff.fields;
  plan.roles.assign(static_cast<size_t>(plan.sniff.fields), CsvPlan::kDropped);
  if (expected == nullptr) {
    plan_alone(plan, file, config);
  } else {
    if (expected->named && plan.sniff.header)
      plan_by_name(plan, file, config, *expected);
    else
      plan_by_number(plan, file, config, *expected);
    plan.schema.names = expected->names;
    plan.schema.named = expected->named;
    if (plan.schema.names.empty()) {  // of IDX
      const std::vector<std::string> names = plan.sniff.names();
      for (const int64_t place : plan.schema.places)
        plan.schema.names.push_back(names[static_cast<size_t>(place)]);
      plan.schema.named = plan.sniff.header;
    }
  }
  plan.schema.columns = static_cast<int64_t>(plan.schema.names.size());
  if (plan.schema.columns == 0)
    throw DataError("{}: no column is left to learn from; columns: {}", file,
                    list(plan.sniff.names()));
  return plan;
}

Records parse_csv(io::ByteStream& in, const std::string& file, const CsvPlan& plan, bool has_header,
                  bool skip_bad) {
  CsvReader reader(in, file, plan.sniff.delimiter);
  if (has_header) reader.next();
  Records records;
  records.columns = plan.schema.columns;
  std::vector<double> values;
  RecordParser parser(plan, records, values);
  while (reader.next()) {
    std::string reason = parser.take(reader);
    if (reason.empty()) {
      const int64_t line = reader.line();
      if (records.line_marks.empty() || records.line_of(records.rows) != line)
        records.line_marks.emplace_back(records.rows, line);
      ++records.rows;
      continue;
    }
    if (!skip_bad) {
      const bool text = reason.ends_with("wanted a number");
      throw DataError("{}:{}: {}{}", file, reader.line(), reason,
                      text ? "; if it is what is to be learned, name it (--label, or data.label); "
                             "data.drop leaves columns out (--set data.drop=COLUMN), "
                             "data.on_bad_record = \"skip\" such records"
                           : "");
    }
    ++records.bad_count;
    if (records.bad_count <= kMaxBadRecordsKept)
      records.bad.push_back({file, reader.line(), std::move(reason)});
  }
  values.shrink_to_fit();
  records.values = std::move(values);
  return records;
}

}  // namespace superstep::data
