#include "superstep/report/snapshots.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "superstep/base/error.h"
#include "superstep/io/file.h"
#include "superstep/report/drawings.h"
#include "superstep/report/histogram.h"
#include "superstep/report/picture_files.h"

namespace superstep::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kFilters = 12, kRows = 12;

void check_sizes(const EpochView& view, const LayerView& layer) {
  const std::string who = picture_stem(view.phase, layer.name, view.epoch);
  const auto check = [&who](const char* what, int64_t got, int64_t wanted) {
    if (got != wanted) throw DataError("[{}] {} {}, wanted {}", who, got, what, wanted);
  };
  const auto count = [](std::span<const float> values) {
    return static_cast<int64_t>(values.size());
  };
  if (!layer.bias.empty()) check("biases", count(layer.bias), layer.weight.cols);
  if (!layer.visible_bias.empty())
    check("visible biases", count(layer.visible_bias), layer.weight.rows);
  if (layer.hidden.rows > 0) check("hidden units", layer.hidden.cols, layer.weight.cols);
}

Json json_of(const Histogram& histogram) {
  return {{"limit", histogram.limit},
          {"mean_magnitude", histogram.mean_magnitude},
          {"largest", histogram.largest},
          {"counts", histogram.counts}};
}

Json json_of(std::optional<int64_t> number) { return number ? Json(*number) : Json(nullptr); }

std::vector<float> values_of(ConstMatrix m) {
  std::vector<float> values;
  values.reserve(static_cast<size_t>(m.rows * m.cols));
  for (int64_t r = 0; r < m.rows; ++r) {
    const auto row = m.row(r);
    values.insert(values.end(), row.begin(), row.end());
  }
  return values;
}

}  // namespace

bool Snapshots::wanted(int64_t epoch, bool last) {
  if (last) return true;
  if (epoch == 3) return true;  // so much happens in the first epochs
  while (epoch >= 10 && epoch % 10 == 0) epoch /= 10;
  return epoch == 1 || epoch == 2 || epoch == 5;
}

void Snapshots::draw(const EpochView& view) const {
  if (!wanted(view.epoch, view.last)) return;
  for (const LayerView& layer : view.layers) check_sizes(view, layer);
  io::make_folder(folder_);
  const auto write = [this](const std::string& name, const Picture& picture) {
    io::write_file(folder_ + "/" + name, encode_png(picture));
  };

  Json json;
  json["phase"] = view.phase;
  json["epoch"] = view.epoch;
  json["last"] = view.last;
  const bool pictures = view.image.pixels() > 0;
  json["rows"] = 0;
  if (pictures && view.originals.rows > 0 && view.reconstructions.rows > 0) {
    const int64_t rows = std::min({kRows, view.originals.rows, view.reconstructions.rows});
    const Scale scale = scale_of_rows(view.originals.head(rows));
    const auto sheet = [&](ConstMatrix m) {
      return row_sheet(m.head(rows), view.image, scale, static_cast<int>(rows));
    };
    write(originals_name(view.phase), sheet(view.originals));
    write(picture_name("reconstructions", view.phase, "", view.epoch), sheet(view.reconstructions));
    json["rows"] = rows;
  }
  json["layers"] = Json::array();
  for (const LayerView& layer : view.layers) {
    const auto name = [&](const char* kind) {
      return picture_name(kind, view.phase, layer.name, view.epoch);
    };
    const bool filters = pictures && layer.sees_image && layer.weight.cols > 0;
    const bool hidden = layer.hidden.rows > 0 && layer.hidden.cols > 0;
    const bool hinton = fits_hinton(layer.weight);
    if (filters)
      write(name("filters"),
            filter_sheet(layer.weight, view.image, {.units = kFilters, .columns = kFilters}));
    if (hidden) write(name("hidden"), activation_map(layer.hidden));
    if (hinton) write(name("hinton"), hinton_diagram(layer.weight));
    const IdleUnits idle = count_idle(layer.hidden);
    json["layers"].push_back({{"name", layer.name},
                              {"inputs", layer.weight.rows},
                              {"units", layer.weight.cols},
                              {"filters", filters},
                              {"hidden", hidden},
                              {"hinton", hinton},
                              {"hidden_rows", layer.hidden.rows},
                              {"never_on", json_of(idle.never_on)},
                              {"always_on", json_of(idle.always_on)},
                              {"weights", json_of(histogram_of(values_of(layer.weight)))},
                              {"biases", json_of(histogram_of(layer.bias))},
                              {"visible_biases", json_of(histogram_of(layer.visible_bias))}});
  }
  // Last: whoever finds it finds the pictures that it names.
  io::write_file(folder_ + "/" + picture_stem(view.phase, "", view.epoch) + ".json",
                 json.dump() + "\n");
}

void Snapshots::draw_samples(const SamplesView& view) const {
  const auto classes = static_cast<int64_t>(view.classes.size());
  if (classes == 0 || view.rows.rows == 0 || view.rows.rows % classes != 0)
    throw DataError("[samples] {} rows of {} classes, wanted as many of each", view.rows.rows,
                    classes);
  const int64_t each = view.rows.rows / classes;
  io::make_folder(folder_);
  io::write_file(folder_ + "/" + kSamplesPicture,
                 encode_png(row_sheet(view.rows, view.image, scale_of_rows(view.rows),
                                      static_cast<int>(each))));
  io::write_file(
      folder_ + "/" + kSamplesFile,
      Json{{"classes", view.classes}}.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace superstep::report
