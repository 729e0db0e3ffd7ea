#include "superstep/front_door/training_pictures.h"

#include <algorithm>
#include <filesystem>

#include "superstep/layers/dense.h"
#include "superstep/layers/label_rbm.h"
#include "superstep/layers/rbm.h"
#include "superstep/models/sampler.h"
#include "superstep/training/network_program.h"

namespace superstep::front_door {
namespace {

constexpr size_t kRows = 48;       // whose hidden activations are drawn
constexpr int64_t kPictures = 12;  // rows that are reconstructed

report::ImageShape image_of(const data::Schema& schema) {
  if (schema.image.size() != 2) return {};
  return {schema.image[0], schema.image[1]};
}

std::vector<int32_t> labels_or_zero(const Batch& batch) {
  return batch.labels.empty() ? std::vector<int32_t>(batch.row_numbers.size()) : batch.labels;
}

}  // namespace

TrainingPictures::TrainingPictures(const Prepared& prepared, std::string folder)
    : prepared_(prepared),
      snapshots_(std::move(folder)),
      image_(image_of(prepared.model->schema())) {
  const Rows& rows = prepared.valid.empty() ? prepared.train : prepared.valid;
  rows.source->read(std::span(rows.numbers).first(std::min(kRows, rows.numbers.size())), rows_);
}

void TrainingPictures::draw(const std::string& phase, int64_t epoch, bool last,
                            const ParamSet& tensors) {
  if (!report::Snapshots::wanted(epoch, last)) return;
  report::EpochView view{.phase = phase, .epoch = epoch, .last = last, .image = image_};
  for (int k = 0; k < prepared_.model->network().size(); ++k)
    if (phase == training::pretrain_phase_name(k))
      return draw_pretraining(k, std::move(view), tensors);
  draw_finetuning(std::move(view), tensors);
}

void TrainingPictures::draw_pretraining(int layer, report::EpochView view,
                                        const ParamSet& tensors) {
  const models::Network& network = prepared_.model->network();
  const int first = network.first(layer);
  kernels::Context context;
  models::Network::Workspace work;
  const layers::Pass pass{layers::Mode::kEvaluate, RngKey(0), rows_.row_numbers, context};
  const ConstMatrix v = network.forward(tensors, rows_.x.matrix(), layer, work, pass);

  report::LayerView machine{.weight = tensors.matrix(first + layers::Rbm::kWeight),
                            .bias = tensors.values(first + layers::Rbm::kBias),
                            .visible_bias = tensors.values(first + layers::Rbm::kVisibleBias),
                            .sees_image = layer == 0 && image_.pixels() > 0};
  Tensor hidden, below, down;
  if (const auto* rbm = dynamic_cast<const layers::Rbm*>(&network.layer(layer))) {
    layers::Rbm::Options options = rbm->options();
    options.untied = false;  // until up-down
    const layers::Rbm tied(options);
    hidden = Tensor({v.rows, rbm->outputs()});
    tied.hidden_mean(tensors, first, v, hidden.matrix(), context);
    std::vector<float> totals(static_cast<size_t>(v.rows));
    layers::row_totals(v, totals);
    below = Tensor({v.rows, rbm->inputs()});
    tied.visible_mean(tensors, first, std::as_const(hidden).matrix(), below.matrix(), context,
                      totals);
    if (layer > 0)
      down = models::Sampler(network, tensors).downward(std::as_const(below).matrix(), layer - 1);
    else
      down = below;
  } else {
    const auto& top = dynamic_cast<const layers::LabelRbm&>(network.layer(layer));
    hidden = Tensor({v.rows, top.options().hidden});
    Tensor labels({v.rows, top.options().classes});
    const auto numbers = labels_or_zero(rows_);
    for (int64_t r = 0; r < v.rows; ++r)
      labels.matrix().row(r)[static_cast<size_t>(numbers[static_cast<size_t>(r)])] = 1;
    top.hidden_mean(tensors, first, v, std::as_const(labels).matrix(), hidden.matrix(), context);
    below = Tensor({v.rows, top.inputs()});
    top.visible_mean(tensors, first, std::as_const(hidden).matrix(), below.matrix(), context);
    down =
        layer > 0
            ? models::Sampler(network, tensors).downward(std::as_const(below).matrix(), layer - 1)
            : below;
  }
  machine.hidden = std::as_const(hidden).matrix();
  if (image_.pixels() > 0) {
    const int64_t count = std::min(kPictures, v.rows);
    view.originals = std::as_const(rows_.x).matrix().head(count);
    view.reconstructions = std::as_const(down).matrix().head(count);
  }
  view.layers.push_back(machine);
  snapshots_.draw(view);
}

void TrainingPictures::draw_finetuning(report::EpochView view, const ParamSet& tensors) {
  const models::Network& network = prepared_.model->network();
  kernels::Context context;
  models::Network::Workspace work;
  const layers::Pass pass{layers::Mode::kEvaluate, RngKey(0), rows_.row_numbers, context};
  network.forward(tensors, rows_.x.matrix(), work, pass);
  for (int i = 0; i < network.size(); ++i) {
    static_assert(int{layers::Dense::kWeight} == int{layers::Rbm::kWeight});
    const bool hidden = i + 1 < network.size();
    view.layers.push_back(
        {.name = fmt::format("layer {}", i + 1),
         .weight = tensors.matrix(network.first(i) + layers::Dense::kWeight),
         .bias = tensors.values(network.first(i) + layers::Dense::kBias),
         .hidden = hidden ? std::as_const(work.activations[static_cast<size_t>(i)]).matrix()
                          : ConstMatrix{},
         .sees_image = i == 0 && image_.pixels() > 0});
  }
  snapshots_.draw(view);
}

std::string draw_samples(const models::Model& model, const RenderOptions& options) {
  models::Sampler sampler(model.network(), model.params());
  if (!sampler.knows_classes() && !options.classes.empty())
    throw ConfigError(
        "only a net that was trained with model.generative = true draws samples of a class");
  if (!sampler.knows_classes() || image_of(model.schema()).pixels() == 0) return "";
  const auto& known = model.target().classes;
  const auto& classes = options.classes.empty() ? known.names() : options.classes;
  Tensor rows({static_cast<int64_t>(classes.size()) * options.samples, model.schema().columns});
  float* next = rows.values().data();
  for (const std::string& name : classes) {
    const int32_t label = known.index(name);
    if (label < 0)
      throw ConfigError("no class '{}' to draw; there are {}", name,
                        fmt::join(known.names(), ", "));
    const Tensor drawn = sampler.of_class(label, options.samples, options.steps,
                                          RngKey(static_cast<uint64_t>(options.seed)));
    next = std::ranges::copy(drawn.values(), next).out;
  }
  report::Snapshots(options.out)
      .draw_samples({.image = image_of(model.schema()),
                     .rows = std::as_const(rows).matrix(),
                     .classes = classes});
  return (std::filesystem::path(options.out) / "samples.png").string();
}

}  // namespace superstep::front_door
