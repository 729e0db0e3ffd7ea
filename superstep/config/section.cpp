#include "superstep/config/section.h"

#include <fmt/format.h>

#include <algorithm>

#include "superstep/base/error.h"

namespace superstep::config {
namespace {

/// Binds a field to the member that holds its value.
template <class T>
Field field(std::string name, T& member, std::string text, Kind kind, Options options) {
  Field f;
  f.name = std::move(name);
  f.text = std::move(text);
  f.kind = kind;
  f.options = options;
  f.get = [&member] { return Value(member); };
  f.put = [&member](const Value& value) { member = std::get<T>(value); };
  return f;
}
template <class T>
Field field(std::string name, std::optional<T>& member, std::string text, Kind kind,
            Options options) {
  Field f;
  f.name = std::move(name);
  f.text = std::move(text);
  f.kind = kind;
  f.options = options;
  f.get = [&member] { return member ? Value(*member) : Value(); };
  f.put = [&member](const Value& value) { member = std::get<T>(value); };
  return f;
}

/// "above 0, at most 1"; "0 to 10"; "" when anything goes.
std::string range_text(const Options& o) {
  const bool low = o.min > -std::numeric_limits<double>::infinity();
  const bool high = o.max < std::numeric_limits<double>::infinity();
  if (low && high && !o.min_exclusive && !o.max_exclusive)
    return fmt::format("{} to {}", o.min, o.max);
  std::string text;
  if (low) text = fmt::format("{} {}", o.min_exclusive ? "above" : "at least", o.min);
  if (high)
    text += fmt::format("{}{} {}", low ? ", " : "", o.max_exclusive ? "below" : "at most", o.max);
  return text;
}

std::string with_range(const char* type, const Options& options) {
  const std::string range = range_text(options);
  return range.empty() ? type : fmt::format("{}, {}", type, range);
}

}  // namespace

std::string Field::wanted() const {
  switch (kind) {
    case Kind::kInteger:
      return with_range("integer", options);
    case Kind::kNumber:
      return with_range("number", options);
    case Kind::kText:
      return "text";
    case Kind::kFlag:
      return "true or false";
    case Kind::kChoice: {
      std::string names;
      for (const std::string& choice : choices)
        names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", choice);
      return "one of " + names;
    }
    case Kind::kIntegers:
      return with_range("list of integers", options);
    case Kind::kNumbers:
      return with_range("list of numbers", options);
    case Kind::kTexts:
      return "list of texts";
    case Kind::kLocation:
      return "a path, or { rows = \"...\", labels = \"...\" }";
  }
  return "";
}

void Section::integer(std::string name, int64_t& member, std::string text, Options options) {
  add(field(std::move(name), member, std::move(text), Kind::kInteger, options));
}
void Section::integer(std::string name, std::optional<int64_t>& member, std::string text,
                      Options options) {
  add(field(std::move(name), member, std::move(text), Kind::kInteger, options));
}
void Section::number(std::string name, double& member, std::string text, Options options) {
  add(field(std::move(name), member, std::move(text), Kind::kNumber, options));
}
void Section::number(std::string name, std::optional<double>& member, std::string text,
                     Options options) {
  add(field(std::move(name), member, std::move(text), Kind::kNumber, options));
}
void Section::text(std::string name, std::string& member, std::string text, Options options) {
  add(field(std::move(name), member, std::move(text), Kind::kText, options));
}
void Section::text(std::string name, std::optional<std::string>& member, std::string text,
                   Options options) {
  add(field(std::move(name), member, std::move(text), Kind::kText, options));
}
void Section::flag(std::string name, bool& member, std::string text, Options options) {
  add(field(std::move(name), member, std::move(text), Kind::kFlag, options));
}
void Section::flag(std::string name, std::optional<bool>& member, std::string text,
                   Options options) {
  add(field(std::move(name), member, std::move(text), Kind::kFlag, options));
}
void Section::choice(std::string name, std::string& member, std::string text,
                     std::vector<std::string> choices, Options options) {
  Field f = field(std::move(name), member, std::move(text), Kind::kChoice, options);
  f.choices = std::move(choices);
  add(std::move(f));
}
void Section::choice(std::string name, std::optional<std::string>& member, std::string text,
                     std::vector<std::string> choices, Options options) {
  Field f = field(std::move(name), member, std::move(text), Kind::kChoice, options);
  f.choices = std::move(choices);
  add(std::move(f));
}
void Section::integers(std::string name, std::vector<int64_t>& member, std::string text,
                       Options options) {
  add(field(std::move(name), member, std::move(text), Kind::kIntegers, options));
}
void Section::numbers(std::string name, std::vector<double>& member, std::string text,
                      Options options) {
  add(field(std::move(name), member, std::move(text), Kind::kNumbers, options));
}
void Section::texts(std::string name, std::vector<std::string>& member, std::string text,
                    Options options) {
  add(field(std::move(name), member, std::move(text), Kind::kTexts, options));
}
void Section::location(std::string name, Location& member, std::string text, Options options) {
  add(field(std::move(name), member, std::move(text), Kind::kLocation, options));
}

void Section::table(std::string name, std::string text, DeclareChild declare) {
  SUPERSTEP_ASSERT(find(name) == nullptr && find_table(name) == nullptr);
  tables_.push_back({std::move(name), std::move(text), std::move(declare), {}});
}

std::vector<std::string> Section::names() const {
  std::vector<std::string> names;
  for (const Field& field : fields_) names.push_back(field.name);
  for (const Table& table : tables_) names.push_back(table.name);
  return names;
}

Field* Section::find(std::string_view name) {
  const auto found = std::ranges::find(fields_, name, &Field::name);
  return found == fields_.end() ? nullptr : &*found;
}

Section::Table* Section::find_table(std::string_view name) {
  const auto found = std::ranges::find(tables_, name, &Table::name);
  return found == tables_.end() ? nullptr : &*found;
}

void Section::add(Field field) {
  SUPERSTEP_ASSERT(find(field.name) == nullptr && find_table(field.name) == nullptr);
  field.default_value = field.get();
  fields_.push_back(std::move(field));
}

}  // namespace superstep::config
