#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "superstep/base/error.h"
#include "superstep/base/hash.h"
#include "superstep/config/document.h"

namespace superstep::config {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kLineLength = 90;

/// `text` broken at spaces, each line after `indent`.
std::string wrapped(std::string_view text, std::string_view indent) {
  std::string out, line(indent);
  while (!text.empty()) {
    const size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    if (line.size() > indent.size() && line.size() + 1 + word.size() > kLineLength) {
      out += line + "\n";
      line = indent;
    }
    if (line.size() > indent.size()) line += ' ';
    line += word;
    text = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
  }
  return out + line + "\n";
}

/// A bare key where TOML allows it, else a quoted one.
std::string toml_key(std::string_view key) {
  const bool bare = !key.empty() && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  return bare ? std::string(key) : toml_string(key);
}

std::string default_text(const Field& field) {
  return is_empty(field.default_value) ? "not set" : to_toml(field.default_value);
}

/// The lines of one section; "" where nothing is to be written.
std::string section_toml(const Section& section, const std::string& header, bool with_comments,
                         bool only_changed) {
  std::string body;
  for (const Field& field : section.fields()) {
    if (only_changed && !field.changed()) continue;
    const Value value = field.get();
    const bool unset =
        std::holds_alternative<std::monostate>(value) || (is_empty(value) && !field.changed());
    if (unset && !with_comments) continue;
    if (with_comments) {
      body += "\n" + wrapped(field.text, "# ");
      body += wrapped(fmt::format("{}; default: {}", field.wanted(), default_text(field)), "# ");
    }
    const std::string text = to_toml(value);
    body += fmt::format("{}{} ={}{}\n", unset ? "# " : "", toml_key(field.name),
                        text.empty() ? "" : " ", text);
  }
  std::string out;
  if (!body.empty()) {
    if (with_comments && !section.text().empty()) out += wrapped(section.text(), "# ");
    out += fmt::format("[{}]\n{}\n", header, body);
  }
  for (const Section::Table& table : section.tables())
    for (const auto& [key, child] : table.children)
      out +=
          section_toml(*child, fmt::format("{}.{}.{}", header, toml_key(table.name), toml_key(key)),
                       with_comments, /*only_changed=*/true);
  return out;
}

/// Calls visit(section, field) for every key, children after their section.
template <class Visit>
void for_each_field(const Section& section, Visit visit) {
  for (const Field& field : section.fields()) visit(section, field);
  for (const Section::Table& table : section.tables())
    for (const auto& [key, child] : table.children) for_each_field(*child, visit);
}

struct JsonWriter {
  Json operator()(std::monostate) const { return nullptr; }
  template <class T>
  Json operator()(const T& value) const {
    return value;
  }
  Json operator()(const Location& value) const {
    if (value.labels.empty()) return value.rows;
    return {{"rows", value.rows}, {"labels", value.labels}};
  }
};

Json section_json(const Section& section) {
  Json out = Json::object();
  for (const Field& field : section.fields())
    out[field.name] = std::visit(JsonWriter(), field.get());
  for (const Section::Table& table : section.tables())
    for (const auto& [key, child] : table.children) out[table.name][key] = section_json(*child);
  return out;
}

void add_range(Json& schema, const Options& o) {
  if (std::isfinite(o.min)) schema[o.min_exclusive ? "exclusiveMinimum" : "minimum"] = o.min;
  if (std::isfinite(o.max)) schema[o.max_exclusive ? "exclusiveMaximum" : "maximum"] = o.max;
}

Json list_schema(const char* type, const Options& options) {
  Json items = {{"type", type}};
  add_range(items, options);
  return {{"type", "array"}, {"items", items}};
}

Json type_schema(const Field& field) {
  switch (field.kind) {
    case Kind::kInteger:
    case Kind::kNumber: {
      Json schema = {{"type", field.kind == Kind::kInteger ? "integer" : "number"}};
      add_range(schema, field.options);
      return schema;
    }
    case Kind::kText:
      return {{"type", {"string", "integer"}}};
    case Kind::kFlag:
      return {{"type", "boolean"}};
    case Kind::kChoice:
      return {{"enum", field.choices}};
    case Kind::kIntegers:
      return list_schema("integer", field.options);
    case Kind::kNumbers:
      return list_schema("number", field.options);
    case Kind::kTexts:
      return list_schema("string", field.options);
    case Kind::kLocation: {
      const Json text = {{"type", "string"}};
      const Json table = {{"type", "object"},
                          {"properties", {{"rows", text}, {"labels", text}}},
                          {"required", Json::array({"rows"})},
                          {"additionalProperties", false}};
      return {{"anyOf", Json::array({text, table})}};
    }
  }
  return Json::object();
}

Json section_schema(const Section& section) {
  Json properties = Json::object();
  for (const Field& field : section.fields()) {
    Json schema = type_schema(field);
    schema["description"] = field.text;
    if (!is_empty(field.default_value))
      schema["default"] = std::visit(JsonWriter(), field.default_value);
    schema["x-effect"] = field.options.effect == kResult ? "result" : "run";
    properties[field.name] = schema;
  }
  for (const Section::Table& table : section.tables())
    properties[table.name] = {{"type", "object"},
                              {"description", table.text},
                              {"additionalProperties", {{"type", "object"}}}};
  return {{"type", "object"},
          {"description", section.text()},
          {"properties", properties},
          {"additionalProperties", false}};
}

std::string printed(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string Document::to_toml(bool with_comments, bool only_changed) const {
  std::string out;
  for (const auto& section : sections_)
    out += section_toml(*section, toml_key(section->name()), with_comments, only_changed);
  if (out.ends_with("\n\n")) out.pop_back();
  return out;
}

std::vector<Document::Row> Document::describe() const {
  std::vector<Row> rows;
  for (const auto& section : sections_)
    for_each_field(*section, [&](const Section& owner, const Field& field) {
      const bool worked_out = field.origin == "built-in" && field.changed();
      rows.push_back({owner.name() + "." + field.name, config::to_toml(field.get()),
                      worked_out ? "worked out" : field.origin, field.text});
    });
  return rows;
}

std::string Document::to_json() const {
  Json out = Json::object();
  for (const auto& section : sections_) out[section->name()] = section_json(*section);
  return printed(out);
}

std::string Document::schema_json() const {
  Json properties = Json::object();
  for (const auto& section : sections_) properties[section->name()] = section_schema(*section);
  return printed({{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                  {"title", "Superstep job"},
                  {"type", "object"},
                  {"properties", properties},
                  {"additionalProperties", false}});
}

std::string Document::help(std::string_view only_section) const {
  std::string out;
  for (const auto& section : sections_) {
    if (!only_section.empty() && section->name() != only_section) continue;
    if (!out.empty()) out += '\n';
    out += fmt::format("[{}]\n{}", section->name(), wrapped(section->text(), "  "));
    for (const Field& field : section->fields()) {
      out += fmt::format("\n  {} ({}; default: {})\n", field.name, field.wanted(),
                         default_text(field));
      out += wrapped(field.text, "      ");
    }
    for (const Section::Table& table : section->tables())
      out += fmt::format("\n  [{}.{}.KEY]\n{}", section->name(), table.name,
                         wrapped(table.text, "      "));
  }
  if (out.empty())
    throw ConfigError("no section {}; sections: {}", in_quotes(only_section),
                      fmt::join(names(), ", "));
  return out;
}

std::string Document::result_text() const {
  std::vector<std::string> lines;
  for (const auto& section : sections_)
    for_each_field(*section, [&](const Section& owner, const Field& field) {
      const Value value = field.get();
      if (field.options.effect != kResult || std::holds_alternative<std::monostate>(value)) return;
      lines.push_back(
          fmt::format("{}.{} = {}\n", owner.name(), field.name, config::to_toml(value)));
    });
  std::ranges::sort(lines);
  return fmt::format("{}", fmt::join(lines, ""));
}

std::string Document::result_hash() const {
  const std::string text = result_text();
  return sha256_hex(text.data(), text.size());
}

}  // namespace superstep::config
