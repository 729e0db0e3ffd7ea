// How good a model is on some rows: what is summed, and the figures that follow from the sums.
//
// Units of 1,024 consecutive rows each give an Evaluation; they are folded in unit order, so the
// figures have the same bits on any number of workers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "superstep/base/bytes.h"
#include "superstep/tensor/batch.h"

namespace superstep::training {

/// Sums over rows. What does not belong to the task stays empty.
struct Evaluation {
  int64_t rows = 0;
  double loss = 0;  ///< Cross-entropy in nats, half the squared error, or as reconstruction below.

  // Classes.
  int64_t classes = 0;
  std::vector<int64_t> confusion;  ///< (classes, classes): true class, likeliest class.
  // Two classes: the probability of the second for every row, and whether it was the second.
  std::vector<float> scores;
  std::vector<uint8_t> positives;
  double brier = 0;  ///< Sum of (score - positive)^2.

  // Numbers, in the units of the data.
  double squared = 0, absolute = 0;       ///< Sums of e^2 and |e|, e = predicted - target.
  double target = 0, target_squared = 0;  ///< Sums of t and t^2, less an offset: see below.
  double target_offset = 0;               ///< Subtracted from t above; the training mean.

  // Reconstructions.
  double reconstruction = 0;  ///< Sum of |v - reconstruction of v|^2.

  /// Adds the rows of an evaluation that follow.
  void append(const Evaluation& next);
  [[nodiscard]] Bytes to_bytes() const;
  static Evaluation from_bytes(std::string_view bytes);
};

/// What `evaluate --json` prints. Which are set depends on the task.
struct Metrics {
  struct Class {
    std::string name;
    int64_t rows = 0;
    double precision = 0, recall = 0, f1 = 0;
  };
  int64_t rows = 0;
  double loss = 0;  ///< Per row.
  std::optional<double> error, accuracy, macro_f1;
  std::vector<Class> per_class;
  std::vector<std::string> class_names;
  std::vector<int64_t> confusion;  ///< (classes, classes), true class first.
  // Two classes, the second counting as positive; precision and recall at threshold 0.5.
  std::optional<double> auroc, average_precision, log_loss, brier, threshold, precision, recall;
  std::optional<double> rmse, mae, r2;
  std::optional<double> squared_error;  ///< Per row, summed over its columns.

  /// One JSON object, without a line break unless `indent` is 0 or more.
  [[nodiscard]] std::string to_json(int indent = -1) const;
  /// What to_json() wrote. Throws DataError where it is none.
  static Metrics from_json(std::string_view text);
  /// "error 1.67%" or "rmse 0.62": the figure that a person asks for first.
  [[nodiscard]] std::string headline() const;
};

Metrics metrics_of(const Evaluation& evaluation, const std::vector<std::string>& class_names);

/// Area under the curve of true against false positives: the chance that a positive row scores
/// above a negative one, ties counting half. 0.5 where one class is missing.
double auroc(const std::vector<float>& scores, const std::vector<uint8_t>& positives);
/// Mean precision over the positives, in descending order of score, rows of one score taken
/// together (as scikit-learn's average_precision_score). 0 where there are no positives.
double average_precision(const std::vector<float>& scores, const std::vector<uint8_t>& positives);

}  // namespace superstep::training
