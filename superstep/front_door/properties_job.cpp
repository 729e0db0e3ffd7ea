#include "superstep/front_door/properties_job.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "superstep/base/error.h"
#include "superstep/base/log.h"
#include "superstep/config/properties.h"
#include "superstep/front_door/properties_keys.h"
#include "superstep/io/file.h"

namespace superstep {
namespace fs = std::filesystem;
using namespace front_door;

namespace {

using config::in_quotes;
using config::Property;

bool matches(const OldKey& old, const std::string& key) {
  const std::string name = old.name();
  if (!name.ends_with('*')) return name == key;
  return key.starts_with(std::string_view(name).substr(0, name.size() - 1));
}

std::vector<const OldKey*> lines_of(const std::string& key) {
  std::vector<const OldKey*> lines;
  for (const OldKey& old : old_keys())
    if (matches(old, key)) lines.push_back(&old);
  return lines;
}

/// The properties of a file, and messages about them.
class OldFile {
 public:
  OldFile(std::string_view text, std::string path)
      : path_(std::move(path)), properties_(config::parse_properties(text, path_)) {
    for (const Property& p : properties_)
      if (lines_of(p.key).empty()) refuse_key(p);
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::vector<Property>& all() const { return properties_; }
  [[nodiscard]] const Property* find(std::string_view key) const {
    for (const Property& p : properties_)
      if (p.key == key) return &p;
    return nullptr;
  }
  [[nodiscard]] std::string value(std::string_view key) const {
    const Property* p = find(key);
    return p == nullptr ? "" : std::string(trimmed(p->value));
  }
  [[nodiscard]] std::string at(const Property& p) const {
    return fmt::format("{}:{}: {}", path_, p.line, p.key);
  }
  [[noreturn]] void refuse(const Property& p, const std::string& wanted) const {
    throw ConfigError("{} is {}, wanted {}", at(p), in_quotes(p.value), wanted);
  }
  [[nodiscard]] std::string read(const OldKey& old, const Property& p) const {
    if (old.read == nullptr) return "";
    try {
      return old.read(p.value);
    } catch (const Unreadable& unreadable) {
      refuse(p, unreadable.what());
    }
  }

 private:
  [[noreturn]] void refuse_key(const Property& p) const {
    std::vector<std::string> names;
    for (const OldKey& old : old_keys()) names.push_back(old.name());
    const std::string_view nearest = config::nearest_name(p.key, names);
    throw ConfigError("{}:{}: no key {}; {}", path_, p.line, in_quotes(p.key),
                      nearest.empty() ? std::string("docs/properties.md has those there are")
                                      : fmt::format("did you mean '{}'?", nearest));
  }

  std::string path_;
  std::vector<Property> properties_;
};

// By the class that was to run, else by the keys that only one model has.
OldModel model_of(const OldFile& file) {
  for (const char* key : {"yarn.worker.main", "yarn.master.main"}) {
    const std::string name = file.value(key);
    const auto has = [&](const char* part) { return name.find(part) != name.npos; };
    if (has(".dbn.")) return kOldDbn;
    if (has("neuralnetwork")) return kOldMlp;
    if (has("linearregression")) return kOldLinear;
    if (has("knittingboar") || has("logisticregression")) return kOldLogistic;
    if (has("deeplearning4j")) return kOldDl4j;
  }
  for (const auto& [group, model] : {std::pair{"tv.floe.metronome.dbn.", kOldDbn},
                                     {"tv.floe.metronome.neuralnetwork.", kOldMlp},
                                     {"tv.floe.metronome.linearregression.", kOldLinear},
                                     {"com.cloudera.knittingboar.", kOldLogistic},
                                     {"org.deeplearning4j.", kOldDl4j}})
    for (const Property& p : file.all())
      if (p.key.starts_with(group)) return model;
  throw ConfigError(
      "{}: does not say what is trained; wanted yarn.worker.main, or keys that begin with "
      "tv.floe.metronome.dbn.conf, tv.floe.metronome.neuralnetwork.conf, "
      "com.cloudera.knittingboar.setup or org.deeplearning4j",
      file.path());
}

const char* kind_of(OldModel model) {
  switch (model) {
    case kOldMlp:
      return "mlp";
    case kOldLogistic:
      return "logistic";
    case kOldLinear:
      return "linear";
    default:
      return "dbn";
  }
}

std::string user_of_cluster() {
  if (const char* name = std::getenv("HADOOP_USER_NAME"); name != nullptr && *name != '\0')
    return name;
  const passwd* entry = getpwuid(geteuid());
  return entry == nullptr ? "hadoop" : entry->pw_name;
}

// The address of a path of 2014 on the cluster: relative ones begin in the user's home.
std::string on_cluster(const std::string& path) {
  return path.starts_with('/') ? "hdfs://" + path
                               : fmt::format("hdfs:///user/{}/{}", user_of_cluster(), path);
}

bool has_scheme(std::string_view path) {
  return path.find("://") != path.npos || path.starts_with("file:/");
}

/// Applies a file to a job.
class Translation {
 public:
  Translation(const OldFile& file, Job& job) : file_(file), job_(job), model_(model_of(file)) {}

  void apply() {
    set("model.kind", fmt::format("\"{}\"", kind_of(model_)), file_.path());
    if (model_ == kOldMlp) set("model.activation", "\"sigmoid\"", file_.path());
    for (const OldKey& old : old_keys())
      for (const Property& p : file_.all())
        if (matches(old, p.key)) apply(old, p);
    choose_columns();
    // A key of several lines counts where one of them does.
    for (const std::string& used : used_) ignored_.erase(used);
    if (!ignored_.empty())
      log::info("{}: ignored, for they mean nothing here: {}", file_.path(),
                fmt::join(ignored_, ", "));
  }

 private:
  void set(std::string_view key, const std::string& toml, const std::string& origin) {
    job_.document.set(fmt::format("{}={}", key, toml), origin);
  }

  void apply(const OldKey& old, const Property& p) {
    const std::string toml = file_.read(old, p);
    const std::string becomes = old.becomes;
    if (becomes.empty() || !(old.models & model_) || is_superseded(old)) {
      ignored_.insert(p.key);
      return;
    }
    used_.insert(p.key);
    if (toml.empty() || becomes == kForScore || becomes == kColumns) return;
    const bool is_path = becomes == "data.train" || becomes == "output.dir";
    const bool far = is_path && job_.engine.kind == "yarn" && !has_scheme(trimmed(p.value));
    for (const std::string& key : old_list(becomes))
      set(key, far ? config::toml_string(on_cluster(std::string(trimmed(p.value)))) : toml,
          file_.at(p));
  }

  // Where another key of the file speaks of the same thing.
  [[nodiscard]] bool is_superseded(const OldKey& old) const {
    const std::string_view rest = old.rest;
    const std::string group = old.group;
    if (rest == "Adagrad.LearningRate") return !is_set(group + "Adagrad.On");
    if (rest == "FeatureVectorSize") {
      const std::string factory = file_.value(group + "RecordFactoryClassname");
      return factory.find("CSV") != factory.npos || factory.find("Newsgroups") != factory.npos;
    }
    return false;
  }
  [[nodiscard]] bool is_set(const std::string& key) const {
    const std::string value = file_.value(key);
    return value.size() == 4 && (value[0] == 't' || value[0] == 'T');  // "true", as was checked
  }

  // The label and the columns to leave out, of a table.
  void choose_columns() {
    if (!(model_ & kOldRegression)) return;
    const std::string group = "com.cloudera.knittingboar.setup.";
    const Property* target = file_.find(group + "TargetVariableName");
    if (target == nullptr || trimmed(target->value).empty()) return;
    const std::string label(trimmed(target->value));
    const Property* header = file_.find(group + "ColumnHeaderNames");
    if (header == nullptr || trimmed(header->value).empty()) {
      set("data.label", config::toml_string(label), file_.at(*target));
      return;
    }
    const std::vector<std::string> columns = old_list(header->value);
    const auto place = [&](const Property& p, const std::string& name) {
      const auto found = std::ranges::find(columns, name);
      if (found == columns.end())
        file_.refuse(p, fmt::format("columns of {}: {}", header->key, fmt::join(columns, ", ")));
      return found - columns.begin();
    };
    const auto label_place = place(*target, label);
    set("data.label", fmt::format("\"{}\"", label_place), file_.at(*target));
    const Property* predictors = file_.find(group + "PredictorLabelNames");
    if (predictors == nullptr) return;
    std::set<std::ptrdiff_t> wanted{label_place};
    for (const std::string& name : old_list(predictors->value))
      wanted.insert(place(*predictors, name));
    std::vector<std::string> dropped;
    for (size_t i = 0; i < columns.size(); ++i)
      if (!wanted.contains(static_cast<std::ptrdiff_t>(i))) dropped.push_back(std::to_string(i));
    set("data.drop", config::to_toml(dropped), file_.at(*predictors));
  }

  const OldFile& file_;
  Job& job_;
  OldModel model_;
  std::set<std::string> ignored_, used_;
};

// Here, or else on the cluster.
std::string found_place(const std::string& path) {
  const bool configured = std::getenv("HADOOP_CONF_DIR") != nullptr;
  if (has_scheme(path) || !configured || fs::exists(path)) return path;
  return on_cluster(path);
}

}  // namespace

bool is_properties(const std::string& path) { return fs::path(path).extension() == ".properties"; }

void load_properties(Job& job, std::string_view text, const std::string& path) {
  const OldFile file(text, path);
  Translation(file, job).apply();
}

ScoredPlaces places_to_score(const std::string& path) {
  const OldFile file(io::read_file(path), path);
  Job job;
  job.engine.kind = "local";  // the paths as they stand
  job.load(path);
  for (const OldKey& old : old_keys()) {
    const Property* p = file.find(old.name());
    if (p == nullptr || std::string_view(old.becomes) != kForScore) continue;
    const std::string rows = file.read(old, *p);
    if (!rows.empty()) job.document.set("data.train=" + rows, file.at(*p));
  }
  if (job.data.train.rows.empty())
    throw ConfigError("{}: no rows to score; wanted app.input.path or {}", path,
                      "tv.floe.metronome.evaluate.dataset.path");
  const std::string run =
      job.output.dir.empty() ? (fs::path("runs") / job.job.name).string() : job.output.dir;
  return {found_place(run), found_place(job.data.train.rows)};
}

std::string lines_of_2014(const training::Metrics& metrics) {
  std::string text;
  const size_t classes = metrics.class_names.size();
  for (size_t actual = 0; actual < classes; ++actual)
    for (size_t predicted = 0; predicted < classes; ++predicted)
      if (const int64_t count = metrics.confusion.at(actual * classes + predicted); count != 0)
        text +=
            fmt::format("\nActual Class {} was predicted with Predicted {} with count {} times\n",
                        metrics.class_names[actual], metrics.class_names[predicted], count);
  if (!metrics.macro_f1) return text;
  return text + fmt::format("\n{0:=<26}F1 Scores{0:=<40}\n {1}\n{0:=<75}\n", "", *metrics.macro_f1);
}

std::string properties_table() {
  std::string text = "| key | becomes | how |\n|---|---|---|\n";
  for (const OldKey& old : old_keys())
    text +=
        fmt::format("| `{}` | {} | {} |\n", old.name(),
                    *old.becomes == '\0' ? "ignored" : fmt::format("`{}`", old.becomes), old.how);
  return text;
}

}  // namespace superstep
