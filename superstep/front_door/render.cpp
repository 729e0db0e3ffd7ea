#include <filesystem>

#include "superstep/front_door/prepare.h"
#include "superstep/front_door/run_report.h"
#include "superstep/front_door/runs.h"
#include "superstep/io/file.h"

namespace superstep {
namespace {

namespace fs = std::filesystem;

// "First-layer filters" -> "first-layer-filters.png".
std::string file_name(const std::string& title) {
  std::string name;
  for (const char c : title) name += c == ' ' ? '-' : static_cast<char>(std::tolower(c));
  return name + ".png";
}

// The rows that the run was judged by, or those asked for.
front_door::Rows rows_to_show(const models::Model& model, const std::string& path,
                              const std::string& data) {
  if (!data.empty()) {
    data::DataConfig config;
    config.label = model.schema().label;
    return front_door::open_rows(model, {.rows = data, .labels = {}}, config);
  }
  const std::string run = fs::is_directory(path) ? front_door::find_run(path) : "";
  if (run.empty()) return {};
  Job job;
  job.load((fs::path(run) / front_door::kJobFile).string());
  return front_door::prepare(job).judged();
}

}  // namespace

std::vector<std::string> render(const std::string& model_or_run, const std::string& data,
                                const std::string& out) {
  const auto model = models::Model::load(find_model(model_or_run));
  if (model.schema().image.size() != 2)
    throw ConfigError(
        "{}: its rows are no pictures; for a table of pixels set data.image = [height, width] in "
        "the job and train again",
        model_or_run);
  io::make_folder(out);
  std::vector<std::string> paths;
  for (const auto& gallery :
       front_door::galleries(model, rows_to_show(model, model_or_run, data))) {
    paths.push_back((fs::path(out) / file_name(gallery.title)).string());
    constexpr int kZoom = 4;
    io::write_file(paths.back(),
                   report::encode_png(report::enlarge(gallery.items.front().picture, kZoom)));
  }
  return paths;
}

}  // namespace superstep
