#include <filesystem>
#include <nlohmann/json.hpp>

#include "superstep/front_door/properties_job.h"
#include "superstep/front_door/runs.h"
#include "superstep/superstep.h"

namespace superstep {
namespace {

namespace fs = std::filesystem;

std::string_view task_name(data::Task task) {
  switch (task) {
    case data::Task::kClassify:
      return "classify";
    case data::Task::kRegress:
      return "regress";
    case data::Task::kNone:
      break;
  }
  return "none";
}

std::string label_of(const models::Model& model) {
  const bool by_number = model.schema().label_column >= 0 && !model.schema().named;
  return by_number ? "column " + model.target().label : "'" + model.target().label + "'";
}

std::string describe_model(const std::string& path, bool as_json) {
  const auto model = models::Model::load(path);
  const auto& network = model.network();
  const auto& specs = network.layout()->specs();
  const int64_t numbers = network.layout()->count();
  if (as_json) {
    nlohmann::ordered_json j{
        {"kind", model.config().kind},       {"task", task_name(model.target().task)},
        {"shape", network.describe()},       {"numbers", numbers},
        {"label", model.target().label},     {"classes", model.target().classes.names()},
        {"columns", model.schema().columns}, {"sha256", front_door::sha256_of(path)}};
    for (const auto& spec : specs)
      j["tensors"].push_back({{"name", spec.name}, {"shape", spec.shape.sizes()}});
    return j.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }
  std::string text =
      fmt::format("{} {}, {} numbers\n", model.config().kind, network.describe(), numbers);
  if (model.target().task == data::Task::kClassify) {
    text += fmt::format("classifies {}:", label_of(model));
    for (const auto& name : model.target().classes.names()) text += " " + name;
    text += "\n";
  } else if (model.target().task == data::Task::kRegress) {
    text += fmt::format("predicts {}, a number\n", label_of(model));
  }
  text += fmt::format("from {} columns", model.schema().columns);
  constexpr int64_t kNamed = 12;
  for (int64_t c = 0; c < std::min(model.schema().columns, kNamed); ++c)
    text += (c ? ", " : ": ") + model.schema().name(c);
  if (model.schema().columns > kNamed) text += ", ...";
  text += "\n\nlayers\n";
  for (int i = 0; i < network.size(); ++i)
    text += fmt::format("  {}  {}\n", i, network.layer(i).describe());
  text += "\ntensors\n";
  for (const auto& spec : specs)
    text += fmt::format("  {:<28} {}\n", spec.name, spec.shape.to_string());
  return text + fmt::format("\nsha256 {}\n", front_door::sha256_of(path));
}

std::string describe_job(const std::string& path, const std::vector<std::string>& assignments,
                         bool as_json) {
  Job job;
  job.load(path);
  for (const std::string& assignment : assignments) job.set(assignment);
  if (as_json) return job.document.to_json() + "\n";
  std::string text;
  for (const auto& row : job.document.describe())
    text +=
        fmt::format("{:<30} {:<28} {}\n", row.key, row.value.empty() ? "-" : row.value, row.origin);
  return text;
}

}  // namespace

std::string describe(const std::string& path, const std::vector<std::string>& assignments,
                     bool json) {
  if (fs::path(path).extension() == ".toml" || is_properties(path))
    return describe_job(path, assignments, json);
  return describe_model(find_model(path), json);
}

}  // namespace superstep
