#include "superstep/report/over_training.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "superstep/base/error.h"
#include "superstep/io/file.h"
#include "superstep/report/picture_files.h"

namespace superstep::report {
namespace {

using Json = nlohmann::ordered_json;

Picture read_picture(const std::string& path) { return decode_png(io::read_file(path), path); }

/// A power of two, or 0, as histogram_of() makes them.
bool is_limit(double limit) {
  int exponent = 0;
  return limit == 0 || (std::isfinite(limit) && std::frexp(limit, &exponent) == 0.5);
}

Histogram histogram_from(const Json& json) {
  Histogram histogram;
  histogram.limit = json.at("limit").get<double>();
  histogram.mean_magnitude = json.at("mean_magnitude").get<double>();
  histogram.largest = json.at("largest").get<double>();
  histogram.counts = json.at("counts").get<std::vector<int64_t>>();
  const size_t bins = histogram.counts.size();
  if (!is_limit(histogram.limit) || (bins != 0 && bins != Histogram::kBins))
    throw DataError("a histogram of {} bins up to {}, wanted {} bins up to a power of two", bins,
                    histogram.limit, Histogram::kBins);
  return histogram;
}

std::optional<int64_t> number_from(const Json& json) {
  return json.is_null() ? std::nullopt : std::optional(json.get<int64_t>());
}

DrawnLayer layer_from(const Json& json, const std::string& folder, const DrawnEpoch& epoch) {
  DrawnLayer layer;
  layer.name = json.at("name").get<std::string>();
  layer.inputs = json.at("inputs").get<int64_t>();
  layer.units = json.at("units").get<int64_t>();
  layer.hidden_rows = json.at("hidden_rows").get<int64_t>();
  layer.idle = {number_from(json.at("never_on")), number_from(json.at("always_on"))};
  layer.weights = histogram_from(json.at("weights"));
  layer.biases = histogram_from(json.at("biases"));
  layer.visible_biases = histogram_from(json.at("visible_biases"));
  const auto picture = [&](const char* kind) -> std::optional<Picture> {
    if (!json.at(kind).get<bool>()) return std::nullopt;
    return read_picture(folder + "/" + picture_name(kind, epoch.phase, layer.name, epoch.epoch));
  };
  layer.filters = picture("filters");
  layer.hidden = picture("hidden");
  layer.hinton = picture("hinton");
  return layer;
}

DrawnEpoch epoch_from(const Json& json, const std::string& folder) {
  DrawnEpoch epoch;
  epoch.phase = json.at("phase").get<std::string>();
  epoch.epoch = json.at("epoch").get<int64_t>();
  epoch.last = json.at("last").get<bool>();
  if (json.at("rows").get<int64_t>() > 0) {
    epoch.originals = read_picture(folder + "/" + originals_name(epoch.phase));
    epoch.reconstructions =
        read_picture(folder + "/" + picture_name("reconstructions", epoch.phase, "", epoch.epoch));
  }
  for (const Json& layer : json.at("layers"))
    epoch.layers.push_back(layer_from(layer, folder, epoch));
  return epoch;
}

DrawnSamples samples_from(const Json& json, const std::string& folder) {
  DrawnSamples samples{read_picture(folder + "/" + kSamplesPicture),
                       json.at("classes").get<std::vector<std::string>>()};
  const size_t classes = samples.classes.size();
  if (classes == 0 || static_cast<size_t>(samples.sheet.height) < 2 * classes)
    throw DataError("{} classes in a picture of {} rows of pixels", classes, samples.sheet.height);
  return samples;
}

/// Calls f with the file's JSON; whatever is wrong with it is an error that names the file.
template <class F>
auto with_json(const std::string& path, F f) {
  const Bytes text = io::read_file(path);
  try {
    return f(Json::parse(text));
  } catch (const Json::exception& e) {
    throw DataError("{}: not what Snapshots writes: {}", path, e.what());
  } catch (const DataError& e) {
    throw DataError("{}: {}", path, e.what());
  }
}

/// Pretraining comes first, and pretrain.10 after pretrain.2.
auto order(const DrawnEpoch& epoch) {
  return std::tuple(!epoch.phase.starts_with("pretrain"), epoch.phase.size(), epoch.phase,
                    epoch.epoch);
}

/// The pictures one below the other; those of another width than the first are left out, which only
/// happens where files of different runs were mixed.
Picture stack(std::vector<Picture> rows, int gap) {
  const Picture& first = rows.front();
  std::erase_if(rows, [width = first.width, height = first.height](const Picture& row) {
    return row.width != width || row.height != height;
  });
  return tile(rows, {.columns = 1, .gap = gap, .colour = 190});
}

}  // namespace

OverTraining read_over_training(const std::string& folder) {
  OverTraining drawn;
  for (const std::string& name : io::names_in(folder)) {
    const std::string path = folder + "/" + name;
    if (name == kSamplesFile)
      drawn.samples = with_json(path, [&](const Json& json) { return samples_from(json, folder); });
    else if (name.ends_with(".json") && name.find(".epoch-") != std::string::npos)
      drawn.epochs.push_back(
          with_json(path, [&](const Json& json) { return epoch_from(json, folder); }));
  }
  std::ranges::stable_sort(drawn.epochs, {}, order);
  return drawn;
}

std::vector<LayerCourse> courses(const OverTraining& drawn) {
  std::vector<LayerCourse> all;
  for (const DrawnEpoch& epoch : drawn.epochs)
    for (const DrawnLayer& layer : epoch.layers) {
      auto found = std::ranges::find_if(all, [&](const LayerCourse& course) {
        return course.phase == epoch.phase && course.layer == layer.name;
      });
      if (found == all.end()) found = all.insert(all.end(), {epoch.phase, layer.name, {}});
      found->epochs.emplace_back(epoch.epoch, &layer);
    }
  return all;
}

double common_limit(const LayerCourse& course, Histogram DrawnLayer::*which) {
  std::vector<Histogram> histograms;
  for (const auto& [epoch, layer] : course.epochs) histograms.push_back(layer->*which);
  return common_limit(histograms);
}

std::vector<std::pair<std::string, Picture>> strips(const OverTraining& drawn) {
  std::vector<std::pair<std::string, Picture>> all;
  const auto add = [&all](const std::string& kind, const std::string& place,
                          std::vector<Picture> rows, int gap) {
    if (!rows.empty())
      all.emplace_back(kind + "." + place + ".strip.png", stack(std::move(rows), gap));
  };
  for (size_t i = 0; i < drawn.epochs.size();) {
    const DrawnEpoch& first = drawn.epochs[i];
    std::vector<Picture> rows;
    if (first.originals) rows.push_back(*first.originals);
    for (; i < drawn.epochs.size() && drawn.epochs[i].phase == first.phase; ++i)
      if (drawn.epochs[i].reconstructions) rows.push_back(*drawn.epochs[i].reconstructions);
    add("reconstructions", place_name(first.phase, ""), std::move(rows), 0);
  }
  for (const LayerCourse& course : courses(drawn)) {
    const std::string place = place_name(course.phase, course.layer);
    std::vector<Picture> filters;
    for (const auto& [epoch, layer] : course.epochs)
      if (layer->filters) filters.push_back(*layer->filters);
    add("filters", place, std::move(filters), 0);
    const auto add_histograms = [&](const char* kind, Histogram DrawnLayer::*which) {
      const double limit = common_limit(course, which);
      std::vector<Picture> pictures;
      for (const auto& [epoch, layer] : course.epochs)
        if (!(layer->*which).counts.empty())
          pictures.push_back(histogram_picture(layer->*which, limit));
      add(kind, place, std::move(pictures), 2);
    };
    add_histograms("weights", &DrawnLayer::weights);
    add_histograms("biases", &DrawnLayer::biases);
    add_histograms("visible-biases", &DrawnLayer::visible_biases);
  }
  return all;
}

}  // namespace superstep::report
