// A section of a job file: keys, each declared once by binding it to the member that holds it.
//
//   struct PretrainConfig {
//     int64_t epochs = 10;
//     double learning_rate = 0.1;
//     std::string optimizer = "sgd";
//     std::optional<int64_t> replicas;      // unset means: worked out by the program
//
//     void declare(config::Section& s) {
//       s.integer("epochs", epochs, "Passes over the rows for each layer.", {.min = 0, .max =
//       1e6}); s.number("learning_rate", learning_rate, "Step length.", {.min = 0, .min_exclusive =
//       true}); s.choice("optimizer", optimizer, "Local rule.", {"sgd", "adagrad"});
//       s.integer("replicas", replicas, "Default: from rows and batch.", {.min = 1});
//     }
//   };
//
// The member's value when it is declared is the default. Loaders, help, schema and dumps all come
// from the declaration (see document.h). Limits: the struct must stay where it is and outlive the
// Document; a name is declared once (an assertion).
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "superstep/config/value.h"

namespace superstep::config {

/// kResult: the key changes the model and is part of the result hash. kRun: it does not (paths,
/// workers, output).
enum class Effect { kResult, kRun };
inline constexpr Effect kResult = Effect::kResult;
inline constexpr Effect kRun = Effect::kRun;

/// The range of a number (of each element of a list of numbers), and what the key bears on.
struct Options {
  double min = -std::numeric_limits<double>::infinity();
  bool min_exclusive = false;
  double max = std::numeric_limits<double>::infinity();
  bool max_exclusive = false;
  Effect effect = kResult;
};

enum class Kind {
  kInteger,
  kNumber,
  kText,
  kFlag,
  kChoice,
  kIntegers,
  kNumbers,
  kTexts,
  kLocation
};

/// One declared key.
struct Field {
  std::string name, text;
  Kind kind = Kind::kText;
  Options options;
  std::vector<std::string> choices;       // of a choice
  std::function<Value()> get;             // the member now
  std::function<void(const Value&)> put;  // the right alternative for `kind`
  Value default_value;
  std::string origin = "built-in";  // or "job.toml:12", "--set"

  /// "integer, 0 to 1000000".
  [[nodiscard]] std::string wanted() const;
  /// Set by a layer, or worked out by the program since it was declared.
  [[nodiscard]] bool changed() const { return origin != "built-in" || get() != default_value; }
};

class Section {
 public:
  /// `name` is the full one: "pretrain", "pretrain.layer.1".
  explicit Section(std::string name, std::string text = "")
      : name_(std::move(name)), text_(std::move(text)) {}

  void integer(std::string name, int64_t& member, std::string text, Options options = {});
  void integer(std::string name, std::optional<int64_t>& member, std::string text,
               Options options = {});
  /// Finite numbers only. A TOML integer is taken too.
  void number(std::string name, double& member, std::string text, Options options = {});
  void number(std::string name, std::optional<double>& member, std::string text,
              Options options = {});
  /// A TOML integer is taken too, as its digits (`label = 4` names a column by its number).
  void text(std::string name, std::string& member, std::string text, Options options = {});
  void text(std::string name, std::optional<std::string>& member, std::string text,
            Options options = {});
  void flag(std::string name, bool& member, std::string text, Options options = {});
  void flag(std::string name, std::optional<bool>& member, std::string text, Options options = {});
  void choice(std::string name, std::string& member, std::string text,
              std::vector<std::string> choices, Options options = {});
  void choice(std::string name, std::optional<std::string>& member, std::string text,
              std::vector<std::string> choices, Options options = {});
  void integers(std::string name, std::vector<int64_t>& member, std::string text,
                Options options = {});
  void numbers(std::string name, std::vector<double>& member, std::string text,
               Options options = {});
  void texts(std::string name, std::vector<std::string>& member, std::string text,
             Options options = {});
  /// A string, or a table { rows = "...", labels = "..." }.
  void location(std::string name, Location& member, std::string text, Options options = {});

  /// Sections that a job file makes as it likes: for `[pretrain.layer.1]`, declare
  ///
  ///   s.table("layer", "Overrides one layer.", [this](const std::string& key, Section& child) {
  ///     layers[key].declare(child);       // std::map<std::string, LayerOverrides>: members stay
  ///     put
  ///   });
  ///
  /// `declare` is called once a key, when it is first met; a ConfigError it throws (a key that is
  /// no layer number) is given the place in the file. Members are best std::optional: a plain
  /// default would not see what a later line sets in the section above.
  using DeclareChild = std::function<void(const std::string& key, Section& child)>;
  void table(std::string name, std::string text, DeclareChild declare);

  struct Table {
    std::string name, text;
    DeclareChild declare;
    std::vector<std::pair<std::string, std::unique_ptr<Section>>> children;  // as first met
  };

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& text() const { return text_; }
  /// In the order of declaration.
  [[nodiscard]] std::vector<Field>& fields() { return fields_; }
  [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }
  [[nodiscard]] std::vector<Table>& tables() { return tables_; }
  [[nodiscard]] const std::vector<Table>& tables() const { return tables_; }
  /// The names of all keys and tables.
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] Field* find(std::string_view name);
  [[nodiscard]] Table* find_table(std::string_view name);

 private:
  void add(Field field);

  std::string name_, text_;
  std::vector<Field> fields_;
  std::vector<Table> tables_;
};

}  // namespace superstep::config
