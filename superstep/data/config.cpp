#include "superstep/data/config.h"

namespace superstep::data {
namespace {

constexpr double kMostSvmlightColumns = 1 << 24;

}  // namespace

void DataConfig::declare(config::Section& s) {
  using config::kRun;
  s.location("train", train,
             "Rows to learn from: a file, a folder, a glob, or { rows = ..., labels = ... }.",
             {.effect = kRun});
  s.location("valid", valid, "Rows to choose by. Default: valid_fraction of the rows of train.",
             {.effect = kRun});
  s.location("test", test, "Rows to test on. Default: test_fraction of the rows of train.",
             {.effect = kRun});
  s.location("unlabelled", unlabelled,
             "More rows for pretraining, like those of train; a label in them is not read.",
             {.effect = kRun});
  s.text("label", label, "The column to be learned: its name, or its number from 0.");
  s.text("delimiter", delimiter, "Between the fields of a CSV file: one character, tab, or infer.");
  s.choice("header", header, "Whether the first line of a CSV file names the columns.",
           {"infer", "yes", "no"});
  s.texts("drop", drop, "Columns to leave out: names, or numbers from 0.");
  s.number("test_fraction", test_fraction, "Share of the rows kept for the test, without test.",
           {.min = 0, .max = 1, .max_exclusive = true});
  s.number("valid_fraction", valid_fraction,
           "Share of the other rows kept to choose by, without valid.",
           {.min = 0, .max = 1, .max_exclusive = true});
  s.integer(
      "width", width,
      "Columns of SVMLight and Metronome rows, where not all of them occur in train. 0: up to the "
      "highest index there. Of other formats: how many there must be.",
      {.min = 0, .max = kMostSvmlightColumns});
  s.integers("image", image,
             "Rows of a table that are pictures: height, width. Known without it for IDX.",
             {.min = 1, .max = 1e6});
  s.choice("scale", scale,
           "How values become features; infer: minmax for bytes, else standardise. together: one "
           "deviation for all columns.",
           {"infer", "standardise", "together", "minmax", "binarise", "none"});
  s.number("threshold", threshold,
           "Of binarise: a value above this share of its column's range becomes 1.",
           {.min = 0, .max = 1});
  s.choice("on_bad_record", on_bad_record,
           "What a record that cannot be read does: end the job, or be counted and left out.",
           {"error", "skip"});
  s.text("dir", dir, "Where relative paths of this section start.", {.effect = kRun});
}

}  // namespace superstep::data
