// The report of a run: one HTML file that holds all it shows and asks for nothing from anywhere.
//
//   ReportInput input{.title = "digits"};
//   input.figure = "1.67%";
//   input.answer = "error on 360 test rows; the weights of epoch 24 of 50 were kept";
//   input.metrics = read_metrics_file("runs/digits/1/metrics.jsonl");
//   write("report.html", render_html(input));
//
// Every field but the title may be left empty: what is empty is not shown. The same input gives the
// same bytes. All texts are escaped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "superstep/report/chart.h"
#include "superstep/report/confusion.h"
#include "superstep/report/html.h"
#include "superstep/report/metrics.h"
#include "superstep/report/over_training.h"
#include "superstep/report/picture.h"

namespace superstep::report {

/// A row that was classified wrongly, with much confidence.
struct Mistake {
  int64_t row = 0;  ///< Its row number.
  std::string truth, predicted;
  double probability = 0;  ///< That the model gave to what it predicted, 0..1.
  std::optional<Picture> picture;
  std::vector<std::pair<std::string, std::string>> features;  ///< Name, value: where no picture is.
};

/// Pictures that belong together: the filters of a layer, reconstructions beside originals.
struct Gallery {
  struct Item {
    Picture picture;
    std::string label;  ///< Below it, and its alternative text; may be empty.
  };
  std::string title, caption;
  std::vector<Item> items;  ///< One may be a sheet made by tile().
  int zoom = 0;             ///< Screen pixels a pixel; 0: chosen from the sizes.
};

struct ReportInput {
  std::string title{};   ///< The job's name.
  std::string figure{};  ///< The answer as a number, shown large: "1.67%".
  std::string answer{};  ///< The rest of the sentence: of what, on which rows, how many, best when.
  std::vector<std::pair<std::string, std::string>> facts{};  ///< Label, value.
  std::vector<MetricLine> metrics{};  ///< Curves and times are made of these.
  std::vector<Chart> charts{};        ///< Further charts: a scatter().
  std::optional<Confusion> confusion{};
  std::vector<Mistake> mistakes{};  ///< Worst first.
  std::vector<Gallery> galleries{};
  OverTraining over_training{};  ///< Samples, and pictures of epochs: read_over_training().
  std::vector<Table> tables{};
  std::vector<std::pair<std::string, std::string>> config{};  ///< Key, value.
  std::string repeat{};  ///< The commands that train this again and check it; lines.
};

std::string render_html(const ReportInput& input);

}  // namespace superstep::report
