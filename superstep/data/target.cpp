#include "superstep/data/target.h"

#include <algorithm>
#include <cmath>

#include "superstep/data/formats/number.h"
#include "superstep/data/string_lists.h"

namespace superstep::data {
namespace {

constexpr size_t kMostIntegerClasses = 100;

bool looks_like_classes(const RowIndex& index) {
  if (!index.labels.some_text.empty()) return true;
  const auto& counts = index.labels.counts;
  if (index.labels.many || counts.size() > kMostIntegerClasses) return false;
  if (static_cast<int64_t>(2 * counts.size()) > index.rows) return false;
  return std::all_of(counts.begin(), counts.end(), [](const auto& entry) {
    const double value = parse_number(entry.first).value_or(0.5);
    return value == std::trunc(value);
  });
}

}  // namespace

ClassList::ClassList(std::vector<std::string> names) : names_(std::move(names)) {
  const bool numbers = std::all_of(names_.begin(), names_.end(), [](const std::string& name) {
    return parse_number(name).has_value();
  });
  std::sort(names_.begin(), names_.end(), [numbers](const std::string& a, const std::string& b) {
    if (numbers) {
      const double x = *parse_number(a), y = *parse_number(b);
      if (x != y) return x < y;
    }
    return a < b;
  });
  for (size_t i = 0; i < names_.size(); ++i)
    SUPERSTEP_ASSERT(index_.emplace(names_[i], static_cast<int32_t>(i)).second);
}

int32_t ClassList::index(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? -1 : found->second;
}

Bytes Target::to_bytes() const {
  ByteWriter w;
  w.put(static_cast<uint8_t>(task));
  w.put_string(label);
  put_strings(w, classes.names());
  w.put(mean);
  w.put(deviation);
  return std::move(w).take();
}

Target Target::from_bytes(std::string_view bytes, std::string_view what) {
  ByteReader r(bytes, what);
  Target target;
  const auto task = r.get<uint8_t>();
  if (task > static_cast<uint8_t>(Task::kRegress))
    throw DataError("{}: task {}, wanted 0, 1 or 2", what, task);
  target.task = static_cast<Task>(task);
  target.label = r.get_string();
  std::vector<std::string> names = get_strings(r);
  target.mean = r.get<double>();
  target.deviation = r.get<double>();
  r.finish();
  if (!std::isfinite(target.mean) || !std::isfinite(target.deviation) || target.deviation <= 0)
    throw DataError("{}: mean {} and deviation {}, wanted finite numbers, the second above 0", what,
                    target.mean, target.deviation);
  std::vector<std::string> sorted = names;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    throw DataError("{}: class {} is there twice", what, config::in_quotes(*twice));
  target.classes = ClassList(std::move(names));
  return target;
}

Target infer_target(const RowIndex& index, const Schema& schema, std::string_view task) {
  const LabelCounts& labels = index.labels;
  Target target;
  target.label = schema.label;
  if (task == "none" || (task == "infer" && !schema.has_label())) return target;
  if (!schema.has_label())
    throw ConfigError(
        "[model] task = {}: the rows have no label; name its column (--label, or data.label)",
        config::in_quotes(task));
  if (task == "regress" || (task == "infer" && !looks_like_classes(index))) {
    if (!labels.some_text.empty())
      throw DataError("label {} holds {}, wanted numbers to regress on",
                      config::in_quotes(schema.label), config::in_quotes(labels.some_text));
    target.task = Task::kRegress;
    return target;
  }
  if (task != "infer" && task != "classify")
    throw ConfigError("[model] task = {}: wanted classify, regress, none or infer",
                      config::in_quotes(task));
  if (labels.many)
    throw DataError("label {} holds more than {} different values, wanted classes",
                    config::in_quotes(schema.label), LabelCounts::kMaxLabels);
  if (labels.counts.size() < 2)
    throw DataError("label {} holds the one value {} in all rows, wanted two classes or more",
                    config::in_quotes(schema.label),
                    config::in_quotes(labels.counts.empty() ? "" : labels.counts.begin()->first));
  std::vector<std::string> names;
  for (const auto& [label, count] : labels.counts) names.push_back(label);
  target.task = Task::kClassify;
  target.classes = ClassList(std::move(names));
  return target;
}

}  // namespace superstep::data
