#include "superstep/config/document.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "superstep/base/error.h"

namespace superstep::config {
namespace {

std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

/// "; did you mean 'epochs'?", or `otherwise` where nothing is near.
std::string suggestion(std::string_view name, const std::vector<std::string>& names,
                       const char* otherwise, char before = '\'', char after = '\'') {
  const std::string_view nearest = nearest_name(name, names);
  return nearest.empty() ? otherwise
                         : fmt::format("; did you mean {}{}{}?", before, nearest, after);
}

/// A value as a person wrote it, for messages.
std::string shown(const toml::node& node) {
  if (const auto* text = node.as_string()) return in_quotes(text->get());
  if (node.is_table()) return "a table";
  if (node.is_array()) return "a list";
  std::ostringstream out;
  node.visit([&](const auto& v) {
    if constexpr (toml::is_value<decltype(v)>) out << v;
  });
  return out.str();
}

/// Fills a document from one TOML table. Where a value came from is `origin` and, for a file, its
/// line.
class Loader {
 public:
  Loader(std::string origin, bool with_lines)
      : origin_(std::move(origin)), with_lines_(with_lines) {}

  template <class FindSection>
  void load(const toml::table& root, const std::vector<std::string>& names, FindSection find) {
    for (const auto& [key, node] : in_order_of_lines(root)) {
      Section* section = find(key->str());
      if (section == nullptr && !node->is_table())
        throw ConfigError("{}: key {} stands outside of the sections; sections: {}", at(*key),
                          in_quotes(key->str()), joined(names));
      if (section == nullptr)
        throw ConfigError("{}: no section {}{} sections: {}", at(*key), in_quotes(key->str()),
                          suggestion(key->str(), names, ";", '[', ']'), joined(names));
      if (!node->is_table())
        throw ConfigError("{}: '{}' is a section, wanted [{}] with keys, got {}", at(*key),
                          section->name(), section->name(), shown(*node));
      load(*node->as_table(), *section);
    }
  }

 private:
  using Entry = std::pair<const toml::key*, const toml::node*>;

  void load(const toml::table& table, Section& section) {
    for (const auto& [key, node] : in_order_of_lines(table)) {
      if (Field* field = section.find(key->str())) {
        const Place place{at(*key), section.name(), *field};
        field->put(converted(place, *node));
        field->origin = at(*key);
      } else if (Section::Table* children = section.find_table(key->str())) {
        load_children(*key, *node, section, *children);
      } else {
        throw ConfigError("{}: no key {} in [{}]{} keys: {}", at(*key), in_quotes(key->str()),
                          section.name(), suggestion(key->str(), section.names(), ";"),
                          joined(section.names()));
      }
    }
  }

  void load_children(const toml::key& name, const toml::node& node, const Section& section,
                     Section::Table& table) {
    if (!node.is_table())
      throw ConfigError("{}: [{}.{}] wants sections below it, as in [{}.{}.1], got {}", at(name),
                        section.name(), table.name, section.name(), table.name, shown(node));
    for (const auto& [key, child_node] : in_order_of_lines(*node.as_table())) {
      if (!child_node->is_table())
        throw ConfigError("{}: [{}.{}] wants sections below it, got a key {}", at(*key),
                          section.name(), table.name, in_quotes(key->str()));
      load(*child_node->as_table(), child(*key, section, table));
    }
  }

  Section& child(const toml::key& key, const Section& section, Section::Table& table) {
    const std::string name(key.str());
    for (auto& [existing, child] : table.children)
      if (existing == name) return *child;
    auto made = std::make_unique<Section>(fmt::format("{}.{}.{}", section.name(), table.name, name),
                                          table.text);
    try {
      table.declare(name, *made);
    } catch (const ConfigError& error) {
      throw ConfigError("{}: [{}.{}.{}]: {}", at(key), section.name(), table.name, name,
                        error.what());
    }
    table.children.emplace_back(name, std::move(made));
    return *table.children.back().second;
  }

  struct Place {
    std::string at;
    std::string section;
    const Field& field;
  };
  [[noreturn]] static void refuse(const Place& p, const std::string& got) {
    throw ConfigError("{}: {}.{} is {}, wanted {}", p.at, p.section, p.field.name, got,
                      p.field.wanted());
  }

  static Value converted(const Place& p, const toml::node& node) {
    switch (p.field.kind) {
      case Kind::kInteger:
        return integer(p, node);
      case Kind::kNumber:
        return number(p, node);
      case Kind::kText:
        return name_or_number(p, node);
      case Kind::kFlag:
        if (const auto* flag = node.as_boolean()) return flag->get();
        refuse(p, shown(node));
      case Kind::kChoice:
        return choice(p, node);
      case Kind::kIntegers:
        return list<int64_t>(p, node, integer);
      case Kind::kNumbers:
        return list<double>(p, node, number);
      case Kind::kTexts:
        if (!node.is_array()) return std::vector{name_or_number(p, node)};  // a list of one
        return list<std::string>(p, node, name_or_number);
      case Kind::kLocation:
        return location(p, node);
    }
    return {};
  }

  static void check_range(const Place& p, double value, const toml::node& node) {
    const Options& o = p.field.options;
    const bool low = o.min_exclusive ? value > o.min : value >= o.min;
    const bool high = o.max_exclusive ? value < o.max : value <= o.max;
    if (!low || !high || !std::isfinite(value)) refuse(p, shown(node));
  }
  static int64_t integer(const Place& p, const toml::node& node) {
    const auto* value = node.as_integer();
    if (value == nullptr) refuse(p, shown(node));
    check_range(p, static_cast<double>(value->get()), node);
    return value->get();
  }
  static double number(const Place& p, const toml::node& node) {
    if (!node.is_number()) refuse(p, shown(node));
    const double value = node.is_integer() ? static_cast<double>(node.as_integer()->get())
                                           : node.as_floating_point()->get();
    check_range(p, value, node);
    return value;
  }
  static std::string text(const Place& p, const toml::node& node) {
    const auto* value = node.as_string();
    if (value == nullptr) refuse(p, shown(node));
    return value->get();
  }
  /// A text; columns, say, may be given by number, without quotes.
  static std::string name_or_number(const Place& p, const toml::node& node) {
    if (const auto* digits = node.as_integer()) return fmt::format("{}", digits->get());
    return text(p, node);
  }
  static std::string choice(const Place& p, const toml::node& node) {
    std::string value = text(p, node);
    const auto& choices = p.field.choices;
    if (std::ranges::find(choices, value) == choices.end())
      throw ConfigError("{}: {}.{} is {}{} wanted {}", p.at, p.section, p.field.name,
                        in_quotes(value), suggestion(value, choices, ","), p.field.wanted());
    return value;
  }
  template <class T, class Convert>
  static std::vector<T> list(const Place& p, const toml::node& node, Convert convert) {
    const auto* array = node.as_array();
    if (array == nullptr) refuse(p, shown(node));
    std::vector<T> out;
    for (const toml::node& element : *array) out.push_back(convert(p, element));
    return out;
  }
  static Location location(const Place& p, const toml::node& node) {
    if (node.is_string()) return {text(p, node), ""};
    const auto* table = node.as_table();
    if (table == nullptr) refuse(p, shown(node));
    Location out;
    for (const auto& [key, value] : *table) {
      if (key.str() == "rows")
        out.rows = text(p, value);
      else if (key.str() == "labels")
        out.labels = text(p, value);
      else
        refuse(p, fmt::format("a table with a key {}", in_quotes(key.str())));
    }
    if (out.rows.empty()) refuse(p, "a table without rows");
    return out;
  }

  /// toml++ sorts keys by name; the first mistake of a file is the one to report.
  static std::vector<Entry> in_order_of_lines(const toml::table& table) {
    std::vector<Entry> entries;
    for (const auto& [key, node] : table) entries.emplace_back(&key, &node);
    std::ranges::stable_sort(entries, {}, [](const Entry& entry) {
      const auto& begin = entry.first->source().begin;
      return std::pair(begin.line, begin.column);
    });
    return entries;
  }
  [[nodiscard]] std::string at(const toml::key& key) const {
    return with_lines_ ? fmt::format("{}:{}", origin_, key.source().begin.line) : origin_;
  }

  std::string origin_;
  bool with_lines_;
};

std::vector<std::string> split_at_dots(std::string_view path) {
  std::vector<std::string> parts;
  for (size_t begin = 0;;) {
    const size_t dot = path.find('.', begin);
    parts.emplace_back(path.substr(begin, dot - begin));
    if (dot == std::string_view::npos) return parts;
    begin = dot + 1;
  }
}

toml::table parsed(std::string_view text, const std::string& origin) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw ConfigError("{}:{}:{}: {}", origin, error.source().begin.line,
                      error.source().begin.column, error.description());
  }
}

/// Whether `value` is one TOML value (a string, where it must be one) and nothing besides.
bool reads_as_toml(std::string_view value, bool must_be_string) {
  try {
    const toml::table one = toml::parse("value = " + std::string(value));
    return one.size() == 1 && one.contains("value") &&
           (!must_be_string || one["value"].is_string());
  } catch (const toml::parse_error&) {
    return false;
  }
}

/// A list as TOML; without brackets its elements are what stands between commas.
std::string as_list(std::string_view value, Kind kind) {
  if (value.starts_with('[')) return std::string(value);
  if (kind != Kind::kTexts) return fmt::format("[{}]", value);
  std::string list;
  for (std::string_view rest = value;;) {
    const size_t comma = rest.find(',');
    list += toml_string(rest.substr(0, comma)) + ",";
    if (comma == std::string_view::npos) return fmt::format("[{}]", list);
    rest.remove_prefix(comma + 1);
  }
}

/// The line `"section"."key" = value`.
std::string as_toml(const std::vector<std::string>& path, std::string_view value) {
  std::string text;
  for (const std::string& part : path)
    text += fmt::format("{}{}", text.empty() ? "" : ".", toml_string(part));
  return fmt::format("{} = {}", text, value);
}

}  // namespace

void Document::section(std::string name, std::string text,
                       const std::function<void(Section&)>& declare) {
  SUPERSTEP_ASSERT(find(name) == nullptr);
  sections_.push_back(std::make_unique<Section>(std::move(name), std::move(text)));
  declare(*sections_.back());
}

void Document::load_site_and_user_files() {
  if (const char* site = std::getenv("SUPERSTEP_CONF"); site != nullptr && *site != '\0')
    load_toml(site);
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    const std::string user = std::string(home) + "/.config/superstep.toml";
    std::error_code ignored;
    if (std::filesystem::exists(user, ignored)) load_toml(user);
  }
}

void Document::load_toml(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw ConfigError("{}: {}", path, std::strerror(errno));
  std::ostringstream text;
  text << file.rdbuf();
  // An empty file sets failbit on the output alone; a folder opens but cannot be read.
  if (file.bad() || std::filesystem::is_directory(path))
    throw ConfigError("{}: cannot be read as a file", path);
  load_toml_text(text.view(), path);
}

void Document::load_toml_text(std::string_view text, const std::string& origin) {
  const toml::table root = parsed(text, origin);
  Loader(origin, /*with_lines=*/true).load(root, names(), [this](std::string_view name) {
    return find(name);
  });
}

void Document::set(std::string_view assignment, const std::string& origin) {
  const size_t equals = assignment.find('=');
  const std::vector<std::string> path = split_at_dots(assignment.substr(0, equals));
  if (equals == std::string_view::npos || path.size() < 2 ||
      std::ranges::any_of(path, &std::string::empty))
    throw ConfigError("{} {}: wanted section.key=value", origin, in_quotes(assignment));
  if (!is_utf8(assignment)) throw ConfigError("{} {}: is not UTF-8", origin, in_quotes(assignment));
  const std::string_view value = assignment.substr(equals + 1);

  Section* section = find(path[0]);
  const Field* field = section != nullptr && path.size() == 2 ? section->find(path[1]) : nullptr;
  const bool holds_text =
      field != nullptr && (field->kind == Kind::kText || field->kind == Kind::kChoice);
  const bool holds_list =
      field != nullptr && (field->kind == Kind::kIntegers || field->kind == Kind::kNumbers ||
                           field->kind == Kind::kTexts);
  const std::string given = holds_list ? as_list(value, field->kind) : std::string(value);
  const toml::table root =
      parsed(as_toml(path, reads_as_toml(given, holds_text) ? given : toml_string(value)), origin);
  Loader(origin, /*with_lines=*/false).load(root, names(), [this](std::string_view name) {
    return find(name);
  });
}

std::vector<std::string> Document::names() const {
  std::vector<std::string> names;
  for (const auto& section : sections_) names.push_back(section->name());
  return names;
}

Section* Document::find(std::string_view name) {
  for (const auto& section : sections_)
    if (section->name() == name) return section.get();
  return nullptr;
}

}  // namespace superstep::config
