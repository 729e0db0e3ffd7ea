#include <filesystem>

#include "superstep/base/floating_point.h"
#include "superstep/front_door/prepare.h"
#include "superstep/front_door/run_report.h"
#include "superstep/front_door/runs.h"
#include "superstep/front_door/training_pictures.h"
#include "superstep/io/file.h"
#include "superstep/layers/dense.h"
#include "superstep/layers/label_rbm.h"
#include "superstep/layers/rbm.h"
#include "superstep/report/drawings.h"
#include "superstep/report/histogram.h"
#include "superstep/report/over_training.h"

namespace superstep {
namespace {

namespace fs = std::filesystem;

constexpr int kZoom = 4, kStripWidth = 1000;

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
  const std::string run = io::is_folder(path) ? front_door::find_run(path) : "";
  if (run.empty()) return {};
  Job job;
  job.load((fs::path(run) / front_door::kJobFile).string());
  return front_door::prepare(job).judged();
}

// Whatever the layer is, its tensors begin with weights and biases of its units.
static_assert(layers::Rbm::kWeight == 0 && layers::Rbm::kBias == 1);
static_assert(layers::LabelRbm::kWeight == 0 && layers::LabelRbm::kBias == 1);
static_assert(layers::Dense::kWeight == 0 && layers::Dense::kBias == 1);

// The spread of the weights and biases of each layer; small matrices whole; and the activations of
// hidden units for some of the rows, if there are any.
std::vector<report::Gallery::Item> layer_pictures(const models::Model& model,
                                                  const front_door::Rows& rows) {
  const FloatingPointScope floating_point;
  const models::Network& network = model.network();
  kernels::Context context;
  models::Network::Workspace work;
  Batch batch;
  if (!rows.empty()) {
    const auto count = std::min<size_t>(report::kMapRows, rows.numbers.size());
    rows.source->read(std::span(rows.numbers).first(count), batch);
    network.forward(model.params(), std::as_const(batch.x).matrix(), work,
                    {layers::Mode::kEvaluate, RngKey(0), batch.row_numbers, context});
  }
  std::vector<report::Gallery::Item> items;
  for (int i = 0; i < network.size(); ++i) {
    const auto add = [&](const char* what, report::Picture picture) {
      items.push_back({std::move(picture), fmt::format("{}-layer-{}", what, i + 1)});
    };
    const auto add_histogram = [&](const char* what, std::span<const float> values) {
      const report::Histogram histogram = report::histogram_of(values);
      const double limit = report::common_limit(std::span(&histogram, 1));
      add(what, report::enlarge(report::histogram_picture(histogram, limit), kZoom));
    };
    const int weight = network.first(i), bias = weight + 1;
    add_histogram("weights", model.params().values(weight));
    add_histogram("biases", model.params().values(bias));
    const ConstMatrix w = model.params().matrix(weight);
    if (report::fits_hinton(w)) add("hinton", report::hinton_diagram(w));
    const bool output = model.loss() != nullptr && i + 1 == network.size();
    if (!rows.empty() && !output)
      add("activations",
          report::enlarge(report::activation_map(
                              std::as_const(work.activations[static_cast<size_t>(i)]).matrix()),
                          kZoom));
  }
  return items;
}

}  // namespace

std::vector<std::string> render(const std::string& model_or_run, const RenderOptions& options) {
  const auto model = models::Model::load(find_model(model_or_run));
  const front_door::Rows rows = rows_to_show(model, model_or_run, options.data);
  io::make_folder(options.out);
  std::vector<std::string> paths;
  const std::string samples = front_door::draw_samples(model, options);
  if (!samples.empty()) paths.push_back(samples);
  const auto write = [&](const std::string& name, const report::Picture& picture) {
    paths.push_back((fs::path(options.out) / name).string());
    io::write_file(paths.back(), report::encode_png(picture));
  };
  for (const auto& gallery : front_door::galleries(model, rows))
    write(file_name(gallery.title), report::enlarge(gallery.items.front().picture, kZoom));
  for (const auto& [picture, name] : layer_pictures(model, rows)) write(name + ".png", picture);
  // What a run drew while it learned, where it did.
  const std::string run = io::is_folder(model_or_run) ? front_door::find_run(model_or_run) : "";
  if (!run.empty())
    for (const auto& [name, picture] : report::strips(
             report::read_over_training((fs::path(run) / front_door::kPictureFolder).string())))
      write(name, report::enlarge(picture, std::clamp(kStripWidth / picture.width, 1, 8)));
  return paths;
}

}  // namespace superstep
