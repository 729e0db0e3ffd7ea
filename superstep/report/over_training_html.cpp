#include "superstep/report/over_training_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "superstep/report/chart.h"
#include "superstep/report/curves.h"
#include "superstep/report/html.h"
#include "superstep/report/page.h"
#include "superstep/report/picture_files.h"
#include "superstep/report/text.h"

namespace superstep::report {
namespace {

constexpr size_t kPageBytes = 2'000'000;
// Epochs shown of each layer; the files have more.
constexpr size_t kHistograms = 4, kMaps = 3;

/// How large a pixel is shown: so that rows of pictures are wide enough to see, and maps no larger
/// than is of use.
int sheet_zoom(const Picture& picture) { return std::clamp(700 / picture.width, 1, 6); }
int map_zoom(const Picture& picture) {
  return std::clamp(std::min(512 / picture.width, 160 / picture.height), 1, 8);
}

/// Writes images until the page is full, and then where they are.
class Images {
 public:
  std::string image(const Picture& picture, const std::string& alt, int zoom,
                    const std::string& file) {
    std::string html = picture_html(picture, alt, zoom);
    if (bytes_ + html.size() > kPageBytes)
      return fmt::format("<span class=\"elsewhere\">pictures/{}</span>", escape(file));
    bytes_ += html.size();
    return html;
  }

 private:
  size_t bytes_ = 0;
};

std::string paragraph(std::string_view text) { return fmt::format("<p>{}</p>\n", escape(text)); }

std::string title_of(const std::string& phase, const std::string& layer) {
  return layer.empty() ? phase_text(phase) : phase_text(phase) + ", " + layer;
}

std::string epoch_text(int64_t epoch) { return fmt::format("epoch {}", epoch); }

/// A picture with its label beside it, or above it on a phone.
std::string step(const std::string& label, const std::string& image) {
  return fmt::format("<figure><figcaption>{}</figcaption>{}</figure>\n", escape(label), image);
}

std::string steps(const std::string& body) {
  return body.empty() ? "" : "<div class=\"steps\">\n" + body + "</div>\n";
}

/// At most `most` of them, evenly chosen, the first and the last among them.
template <class T>
std::vector<T> some_of(const std::vector<T>& all, size_t most) {
  if (all.size() <= most) return all;
  std::vector<T> some;
  for (size_t i = 0; i < most; ++i) some.push_back(all[i * (all.size() - 1) / (most - 1)]);
  return some;
}

std::string samples(const OverTraining& drawn, Images& images) {
  if (!drawn.samples) return "";
  const auto& [sheet, classes] = *drawn.samples;
  std::string body = paragraph(
      "Rows that the model drew for each class. Look for variety: a row of twins, or one blurred "
      "mean, says that its chains have not mixed.");
  // The sheet has a gap of one pixel above each row of pictures, and one at its end.
  const int count = static_cast<int>(classes.size()), height = (sheet.height - 1) / count;
  std::string rows;
  for (int k = 0; k < count; ++k)
    rows += step(classes[static_cast<size_t>(k)],
                 images.image(crop_rows(sheet, k * height, height + 1),
                              "samples of " + classes[static_cast<size_t>(k)], sheet_zoom(sheet),
                              kSamplesPicture));
  return body + steps(rows);
}

std::string filters(const OverTraining& drawn, Images& images) {
  std::string body;
  for (const LayerCourse& course : courses(drawn)) {
    std::string rows;
    for (const auto& [epoch, layer] : course.epochs)
      if (layer->filters)
        rows += step(epoch_text(epoch),
                     images.image(*layer->filters, "filters after " + epoch_text(epoch),
                                  sheet_zoom(*layer->filters),
                                  picture_name("filters", course.phase, course.layer, epoch)));
    if (!rows.empty())
      body += fmt::format("<h3>Filters: {}</h3>\n", escape(title_of(course.phase, course.layer))) +
              steps(rows);
  }
  if (body.empty()) return "";
  return paragraph(
             "Filters: what the same units look for in a picture, epoch by epoch; red raises a "
             "unit, blue lowers it, and each row has a scale of its own. Noise that becomes "
             "strokes or spots is learning; flat pale filters and noise that stays have learnt "
             "nothing.") +
         body;
}

std::string reconstructions(const OverTraining& drawn, Images& images) {
  std::string body;
  for (size_t i = 0; i < drawn.epochs.size();) {
    const std::string& phase = drawn.epochs[i].phase;
    std::string rows;
    for (; i < drawn.epochs.size() && drawn.epochs[i].phase == phase; ++i) {
      const DrawnEpoch& epoch = drawn.epochs[i];
      if (!epoch.reconstructions) continue;
      if (rows.empty())
        rows +=
            step("originals", images.image(*epoch.originals, "original rows",
                                           sheet_zoom(*epoch.originals), originals_name(phase)));
      rows += step(
          epoch_text(epoch.epoch),
          images.image(*epoch.reconstructions, "reconstructions after " + epoch_text(epoch.epoch),
                       sheet_zoom(*epoch.reconstructions),
                       picture_name("reconstructions", phase, "", epoch.epoch)));
    }
    if (!rows.empty())
      body +=
          fmt::format("<h3>Reconstructions: {}</h3>\n", escape(phase_text(phase))) + steps(rows);
  }
  if (body.empty()) return "";
  return paragraph(
             "Reconstructions: the first row holds rows of the data, those below what the model "
             "makes of them, going up and down again. The same picture in every place means that "
             "it knows the mean alone.") +
         body;
}

/// The mean magnitudes of the layers of phases that have a name up to the dot in common.
std::vector<Chart> magnitudes(const std::vector<LayerCourse>& all) {
  struct Kind {
    const char* name;
    Histogram DrawnLayer::*histogram;
  };
  std::vector<Chart> charts;
  for (const Kind& kind :
       {Kind{"weights", &DrawnLayer::weights}, Kind{"biases", &DrawnLayer::biases}})
    for (size_t i = 0; i < all.size();) {
      const auto group = [](const LayerCourse& c) { return c.phase.substr(0, c.phase.find('.')); };
      const std::string name = group(all[i]);
      Chart chart{.title = fmt::format("Mean magnitude of {}: {}", kind.name, name),
                  .x_label = "epoch",
                  .y_label = "mean magnitude"};
      chart.from_zero = true;
      std::map<int64_t, std::map<size_t, double>> points;  // epoch -> series -> value
      for (; i < all.size() && group(all[i]) == name; ++i) {
        const std::string title = title_of(all[i].phase, all[i].layer);
        for (const auto& [epoch, layer] : all[i].epochs)
          if (!(layer->*kind.histogram).counts.empty())
            points[epoch][chart.series.size()] = (layer->*kind.histogram).mean_magnitude;
        chart.series.push_back({title.substr(std::min(title.size(), name.size() + 1)), {}});
      }
      for (const auto& [epoch, values] : points) {
        chart.x.push_back(static_cast<double>(epoch));
        for (size_t s = 0; s < chart.series.size(); ++s) {
          const auto found = values.find(s);
          chart.series[s].y.push_back(
              found == values.end() ? std::numeric_limits<double>::quiet_NaN() : found->second);
        }
      }
      if (chart.x.size() > 1) charts.push_back(std::move(chart));
    }
  return charts;
}

std::string histograms(const LayerCourse& course, const char* what, Histogram DrawnLayer::*which,
                       const char* kind, Images& images) {
  const double limit = common_limit(course, which);
  std::string row;
  for (const auto& [epoch, layer] : some_of(course.epochs, kHistograms)) {
    const Histogram& histogram = layer->*which;
    if (histogram.counts.empty()) continue;
    const std::string numbers =
        fmt::format("mean {:.3g}, largest {:.3g}", histogram.mean_magnitude, histogram.largest);
    row += fmt::format(
        "<figure>{}<figcaption>{}<br>{}</figcaption></figure>\n",
        images.image(histogram_picture(histogram, limit),
                     fmt::format("{}, {}: {}", what, epoch_text(epoch), numbers), 1,
                     fmt::format("{}.{}.strip.png", kind, place_name(course.phase, course.layer))),
        epoch_text(epoch), numbers);
  }
  if (row.empty()) return "";
  return fmt::format("<h4>{}, from {} to {}</h4>\n<div class=\"multiples histograms\">\n{}</div>\n",
                     what, number_text(-limit), number_text(limit), row);
}

std::string weights(const std::vector<LayerCourse>& all, Images& images) {
  std::string body;
  const std::vector<Chart> charts = magnitudes(all);
  if (!charts.empty()) {
    body += "<div class=\"charts\">\n";
    for (const Chart& chart : charts) body += chart_html(chart);
    body += "</div>\n";
  }
  for (const LayerCourse& course : all)
    body +=
        fmt::format("<h3>{}</h3>\n", escape(title_of(course.phase, course.layer))) +
        histograms(course, "Weights", &DrawnLayer::weights, "weights", images) +
        histograms(course, "Biases", &DrawnLayer::biases, "biases", images) +
        histograms(course, "Visible biases", &DrawnLayer::visible_biases, "visible-biases", images);
  if (body.empty()) return "";
  return paragraph(
             "How weights and biases are spread about zero, in one range for all epochs of a "
             "layer, with their mean and largest magnitude; the end bars hold what lies beyond. A "
             "peak that widens slowly is good; one "
             "that does not move learns nothing, and one that runs to the ends needs a smaller "
             "rate or more decay.") +
         body;
}

std::string hinton(const std::vector<LayerCourse>& all, Images& images) {
  std::string body;
  for (const LayerCourse& course : all) {
    std::string pair;
    for (const auto& [epoch, layer] : some_of(course.epochs, 2))
      if (layer->hinton)
        pair +=
            fmt::format("<figure>{}<figcaption>{}</figcaption></figure>\n",
                        images.image(*layer->hinton, "Hinton diagram after " + epoch_text(epoch), 1,
                                     picture_name("hinton", course.phase, course.layer, epoch)),
                        epoch_text(epoch));
    if (!pair.empty())
      body += fmt::format(
          "<h4>{}: {} inputs down, {} units across</h4>\n<div "
          "class=\"multiples\">\n{}</div>\n",
          escape(title_of(course.phase, course.layer)), course.epochs.back().second->inputs,
          course.epochs.back().second->units, pair);
  }
  if (body.empty()) return "";
  return "<h3>Hinton diagrams</h3>\n" +
         paragraph(
             "A square is a weight, white above zero and black below, its area the magnitude. A "
             "column of specks is a unit without use; two equal columns are one unit twice.") +
         body;
}

std::string hidden_units(const std::vector<LayerCourse>& all, Images& images) {
  std::string body;
  for (const LayerCourse& course : all) {
    std::string maps;
    for (const auto& [epoch, layer] : some_of(course.epochs, kMaps)) {
      if (!layer->hidden) continue;
      std::string label = epoch_text(epoch);
      if (layer->idle.never_on) label += fmt::format(": {} never on", *layer->idle.never_on);
      if (layer->idle.always_on) label += fmt::format(", {} always on", *layer->idle.always_on);
      maps += fmt::format(
          "<figure>{}<figcaption>{}</figcaption></figure>\n",
          images.image(*layer->hidden, "activations, " + label, map_zoom(*layer->hidden),
                       picture_name("hidden", course.phase, course.layer, epoch)),
          escape(label));
    }
    if (maps.empty()) continue;
    const DrawnLayer& layer = *course.epochs.back().second;
    body += fmt::format("<h3>{}: {} units, {} rows</h3>\n<div class=\"multiples\">\n{}</div>\n",
                        escape(title_of(course.phase, course.layer)), with_commas(layer.units),
                        with_commas(layer.hidden_rows), maps);
  }
  if (body.empty()) return "";
  return paragraph(fmt::format(
             "Activations of up to {} hidden units (across) for up to {} rows (down), white for 1. "
             "A mottle without a pattern is good; a black column is a dead unit, a white one is "
             "always on, and a column of one grey says the same of every row. Bands across are "
             "rows "
             "that turn on everything.",
             kMapUnits, kMapRows)) +
         body;
}

}  // namespace

std::string filters_html(const OverTraining& drawn) {
  Images images;
  return filters(drawn, images);
}

std::string over_training_html(const OverTraining& drawn) {
  Images images;
  const std::vector<LayerCourse> all = courses(drawn);
  std::string out = section("Samples", samples(drawn, images));
  const std::string learned = filters(drawn, images);
  out += section("Over training", learned + reconstructions(drawn, images));
  const std::string spread = weights(all, images);
  out += section("Weights", spread + hinton(all, images));
  return out + section("Hidden units", hidden_units(all, images));
}

}  // namespace superstep::report
