#include "superstep/report/metrics.h"

#include <nlohmann/json.hpp>

#include "superstep/base/error.h"
#include "superstep/io/stream.h"

namespace superstep::report {
namespace {

using Json = nlohmann::json;

/// Takes the fields of one line out of its object; what is left goes into `numbers`.
class LineReader {
 public:
  LineReader(Json object, std::string_view name, int64_t line_number)
      : object_(std::move(object)), name_(name), line_number_(line_number) {}

  MetricLine read() {
    MetricLine line;
    line.event = text("event");
    if (line.event.empty())
      throw DataError("{}:{}: field 'event' is missing; wanted superstep, epoch, phase or end",
                      name_, line_number_);
    line.phase = text("phase");
    line.epoch = whole("epoch");
    line.superstep = whole("superstep");
    line.rows = whole("rows");
    line.loss = real("loss", line.loss);
    line.seconds = real("seconds", 0);
    line.compute_seconds = real("compute_seconds", 0);
    line.wait_seconds = real("wait_seconds", 0);
    collect(object_, "", line.numbers);
    return line;
  }

 private:
  [[noreturn]] void wrong(const char* field, const Json& value, const char* wanted) const {
    throw DataError("{}:{}: field '{}' is {}, wanted {}", name_, line_number_, field,
                    value.dump(-1, ' ', false, Json::error_handler_t::replace), wanted);
  }
  Json take(const char* field) {
    const auto found = object_.find(field);
    if (found == object_.end()) return nullptr;
    Json value = std::move(*found);
    object_.erase(found);
    return value;
  }
  std::string text(const char* field) {
    const Json value = take(field);
    if (value.is_null()) return "";
    if (!value.is_string()) wrong(field, value, "a text");
    return value.get<std::string>();
  }
  int64_t whole(const char* field) {
    const Json value = take(field);
    if (value.is_null()) return 0;
    if (!value.is_number_integer()) wrong(field, value, "a whole number");
    return value.get<int64_t>();
  }
  // JSON has no NaN: the writer says null.
  double real(const char* field, double otherwise) {
    const Json value = take(field);
    if (value.is_null()) return otherwise;
    if (!value.is_number()) wrong(field, value, "a number");
    return value.get<double>();
  }
  // Objects only: what lists hold (a confusion matrix, figures a class) has no name of its own.
  static void collect(const Json& object, const std::string& prefix,
                      std::map<std::string, double>& numbers) {
    for (const auto& [key, value] : object.items()) {
      if (value.is_number()) numbers[prefix + key] = value.get<double>();
      if (value.is_boolean()) numbers[prefix + key] = value.get<bool>() ? 1 : 0;
      // One level is enough for "metrics.error", and deep nesting cannot exhaust the stack.
      if (value.is_object() && prefix.empty()) collect(value, key + ".", numbers);
    }
  }

  Json object_;
  std::string_view name_;
  int64_t line_number_;
};

}  // namespace

double MetricLine::number(const std::string& name) const {
  const auto found = numbers.find(name);
  return found == numbers.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
}

std::vector<MetricLine> read_metrics(std::string_view text, std::string_view name) {
  std::vector<MetricLine> lines;
  for (int64_t line_number = 1; !text.empty(); ++line_number) {
    const size_t end = text.find('\n');
    const bool whole = end != std::string_view::npos;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(whole ? end + 1 : text.size());
    Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) {
      if (!whole) break;
      throw DataError("{}:{}: wanted a JSON object, got '{}'{}", name, line_number,
                      line.substr(0, 60), line.size() > 60 ? "..." : "");
    }
    lines.push_back(LineReader(std::move(object), name, line_number).read());
  }
  return lines;
}

std::vector<MetricLine> read_metrics_file(const std::string& path) {
  return read_metrics(io::read_file(path), path);
}

}  // namespace superstep::report
