// The configuration of a job: sections declared once, filled in layers, and written out again.
//
//   JobConfig job;  PretrainConfig pretrain;
//   config::Document doc;
//   doc.section("job", "What this job is.", [&](config::Section& s) { job.declare(s); });
//   doc.section("pretrain", "Greedy pretraining.", [&](config::Section& s) { pretrain.declare(s);
//   }); doc.load_site_and_user_files(); doc.load_toml("job.toml"); doc.set("pretrain.epochs=30");
//   // now pretrain.epochs == 30 write(doc.to_toml());                       // a commented
//   job.toml with the values in force
//
// Layers: built-in < site file < user file < job file < --set; what is loaded later wins, a list
// is replaced whole. Every value remembers where it came from. Limits: after an error the values
// may be partly loaded; members are read whenever something is written, so a value that the program
// works out after loading is written too, with the origin "worked out".
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "superstep/config/section.h"

namespace superstep::config {

class Document {
 public:
  /// Declares a section; sections and keys are written in this order.
  void section(std::string name, std::string text, const std::function<void(Section&)>& declare);

  /// The file that the environment variable SUPERSTEP_CONF names, if it is set, then
  /// ~/.config/superstep.toml, if it is there.
  void load_site_and_user_files();
  /// Throws ConfigError for a file that cannot be read, a syntax error (file:line:column), an
  /// unknown section or key (with the ones there are), a value of a wrong type or out of range.
  void load_toml(const std::string& path);
  /// The same for text; `origin` stands for the file in messages.
  void load_toml_text(std::string_view text, const std::string& origin);
  /// "section.key=value": the value is read as TOML if it is TOML, else as a plain string; for a
  /// key that holds text it is always the plain string, unless it is quoted. Throws ConfigError.
  /// `origin` stands for the place in messages.
  void set(std::string_view assignment, const std::string& origin = "--set");

  /// A valid job file. With comments: above each key its text, what it takes and its default. Only
  /// changed: the keys that a layer or the program set. A key that is not set, or empty by default,
  /// is written as a comment (with comments) or not at all.
  [[nodiscard]] std::string to_toml(bool with_comments = true, bool only_changed = false) const;

  struct Row {
    std::string key, value, origin, text;  // "pretrain.epochs", "30", "--set", "Passes over ..."
  };
  /// All keys in the order of declaration; value as TOML, "" when not set.
  [[nodiscard]] std::vector<Row> describe() const;
  /// {"pretrain": {"epochs": 30, ...}, ...}; null for what is not set.
  [[nodiscard]] std::string to_json() const;
  /// JSON Schema (2020-12) of a job file.
  [[nodiscard]] std::string schema_json() const;
  /// Plain text for a terminal: all sections and keys, or one section.
  [[nodiscard]] std::string help(std::string_view only_section = "") const;

  /// A line "section.key = value" for each key that changes the model and is set, sorted by key.
  [[nodiscard]] std::string result_text() const;
  /// SHA-256 of result_text(), 64 hexadecimal digits.
  [[nodiscard]] std::string result_hash() const;

 private:
  [[nodiscard]] std::vector<std::string> names() const;
  Section* find(std::string_view name);

  std::vector<std::unique_ptr<Section>> sections_;
};

}  // namespace superstep::config
