#include "superstep/training/evaluation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

namespace superstep::training {
namespace {

double ratio(double a, double b) { return b == 0 ? 0 : a / b; }

// A figure that is not finite is null in JSON.
double number_of(const nlohmann::ordered_json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

// A score that is no number (of a model that has run away) ranks below all numbers.
float rank_of(float score) {
  return std::isnan(score) ? -std::numeric_limits<float>::infinity() : score;
}

// Rows from the highest score down.
std::vector<size_t> descending(const std::vector<float>& scores) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return rank_of(scores[a]) > rank_of(scores[b]); });
  return order;
}

// Calls f(positives, negatives) for each group of rows of one score, from the highest down.
template <class F>
void for_each_score(const std::vector<float>& scores, const std::vector<uint8_t>& positives, F f) {
  const auto order = descending(scores);
  for (size_t i = 0; i < order.size();) {
    int64_t yes = 0, no = 0;
    const float score = rank_of(scores[order[i]]);
    for (; i < order.size() && rank_of(scores[order[i]]) == score; ++i)
      ++(positives[order[i]] ? yes : no);
    f(yes, no);
  }
}

}  // namespace

void Evaluation::append(const Evaluation& next) {
  rows += next.rows;
  loss += next.loss;
  classes = std::max(classes, next.classes);
  confusion.resize(static_cast<size_t>(classes * classes));
  for (size_t i = 0; i < next.confusion.size(); ++i) confusion[i] += next.confusion[i];
  scores.insert(scores.end(), next.scores.begin(), next.scores.end());
  positives.insert(positives.end(), next.positives.begin(), next.positives.end());
  brier += next.brier;
  squared += next.squared;
  absolute += next.absolute;
  target += next.target;
  target_squared += next.target_squared;
  target_offset = next.target_offset;
  reconstruction += next.reconstruction;
}

Bytes Evaluation::to_bytes() const {
  ByteWriter out;
  out.put(rows);
  out.put(classes);
  for (const double sum :
       {loss, brier, squared, absolute, target, target_squared, target_offset, reconstruction})
    out.put(sum);
  out.put_array(std::span(confusion));
  out.put_array(std::span(scores));
  out.put_array(std::span(positives));
  return std::move(out).take();
}

Evaluation Evaluation::from_bytes(std::string_view bytes) {
  ByteReader in(bytes, "an evaluation");
  Evaluation e;
  e.rows = in.get<int64_t>();
  e.classes = in.get<int64_t>();
  for (double* sum : {&e.loss, &e.brier, &e.squared, &e.absolute, &e.target, &e.target_squared,
                      &e.target_offset, &e.reconstruction})
    *sum = in.get<double>();
  e.confusion = in.get_all<std::vector<int64_t>>();
  e.scores = in.get_all<std::vector<float>>();
  e.positives = in.get_all<std::vector<uint8_t>>();
  in.finish();
  return e;
}

double auroc(const std::vector<float>& scores, const std::vector<uint8_t>& positives) {
  // Pairs (positive, negative) that are in order, counted group by group; halves stay whole by
  // counting twice.
  int64_t seen = 0, all_yes = 0, all_no = 0;
  double twice = 0;
  for_each_score(scores, positives, [&](int64_t yes, int64_t no) {
    twice += static_cast<double>(no) * static_cast<double>(2 * seen + yes);
    seen += yes;
    all_yes += yes;
    all_no += no;
  });
  if (all_yes == 0 || all_no == 0) return 0.5;
  return twice / 2 / (static_cast<double>(all_yes) * static_cast<double>(all_no));
}

double average_precision(const std::vector<float>& scores, const std::vector<uint8_t>& positives) {
  int64_t yes_so_far = 0, rows_so_far = 0;
  double sum = 0;
  for_each_score(scores, positives, [&](int64_t yes, int64_t no) {
    yes_so_far += yes;
    rows_so_far += yes + no;
    sum += static_cast<double>(yes) * static_cast<double>(yes_so_far) /
           static_cast<double>(rows_so_far);
  });
  return ratio(sum, static_cast<double>(yes_so_far));
}

Metrics metrics_of(const Evaluation& e, const std::vector<std::string>& class_names) {
  Metrics m;
  m.rows = e.rows;
  const auto rows = static_cast<double>(e.rows);
  m.loss = ratio(e.loss, rows);
  if (e.classes > 0) {
    const auto n = static_cast<size_t>(e.classes);
    m.class_names = class_names;
    m.confusion = e.confusion;
    int64_t right = 0;
    double f1_sum = 0;
    for (size_t c = 0; c < n; ++c) {
      int64_t of_class = 0, said = 0;
      for (size_t k = 0; k < n; ++k) {
        of_class += e.confusion[c * n + k];
        said += e.confusion[k * n + c];
      }
      const auto hits = static_cast<double>(e.confusion[c * n + c]);
      right += e.confusion[c * n + c];
      Metrics::Class figures{.name = class_names.at(c),
                             .rows = of_class,
                             .precision = ratio(hits, static_cast<double>(said)),
                             .recall = ratio(hits, static_cast<double>(of_class))};
      figures.f1 =
          ratio(2 * figures.precision * figures.recall, figures.precision + figures.recall);
      f1_sum += figures.f1;
      m.per_class.push_back(std::move(figures));
    }
    m.accuracy = ratio(static_cast<double>(right), rows);
    m.error = ratio(static_cast<double>(e.rows - right), rows);
    m.macro_f1 = ratio(f1_sum, static_cast<double>(n));
  }
  if (e.classes == 2) {
    m.auroc = auroc(e.scores, e.positives);
    m.average_precision = average_precision(e.scores, e.positives);
    m.log_loss = m.loss;
    m.brier = ratio(e.brier, rows);
    m.threshold = 0.5;
    m.precision = m.per_class[1].precision;
    m.recall = m.per_class[1].recall;
  }
  if (e.squared > 0 || e.target_squared > 0) {
    m.rmse = std::sqrt(ratio(e.squared, rows));
    m.mae = ratio(e.absolute, rows);
    const double variation = e.target_squared - ratio(e.target * e.target, rows);
    // Of targets that are all the same, nothing is explained but by being right.
    m.r2 = variation > 0 ? 1 - e.squared / variation : e.squared > 0 ? 0.0 : 1.0;
  }
  if (e.reconstruction > 0) m.squared_error = ratio(e.reconstruction, rows);
  return m;
}

std::string Metrics::to_json(int indent) const {
  nlohmann::ordered_json j;
  j["rows"] = rows;
  j["loss"] = loss;
  const auto put = [&](const char* name, const std::optional<double>& value) {
    if (value) j[name] = *value;
  };
  put("error", error);
  put("accuracy", accuracy);
  put("macro_f1", macro_f1);
  if (!per_class.empty()) {
    for (const Class& c : per_class)
      j["per_class"][c.name] = {
          {"rows", c.rows}, {"precision", c.precision}, {"recall", c.recall}, {"f1", c.f1}};
    const auto n = class_names.size();
    auto matrix = nlohmann::ordered_json::array();
    for (size_t c = 0; c < n; ++c)
      matrix.push_back(std::vector<int64_t>(confusion.begin() + static_cast<int64_t>(c * n),
                                            confusion.begin() + static_cast<int64_t>((c + 1) * n)));
    j["confusion"] = {{"classes", class_names}, {"counts", std::move(matrix)}};
  }
  put("auroc", auroc);
  put("average_precision", average_precision);
  put("log_loss", log_loss);
  put("brier", brier);
  put("threshold", threshold);
  put("precision", precision);
  put("recall", recall);
  put("rmse", rmse);
  put("mae", mae);
  put("r2", r2);
  put("squared_error", squared_error);
  return j.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Metrics Metrics::from_json(std::string_view text) {
  Metrics m;
  try {
    const auto j = nlohmann::ordered_json::parse(text);
    m.rows = j.at("rows").get<int64_t>();
    m.loss = number_of(j.at("loss"));
    const auto take = [&](const char* name, std::optional<double>& value) {
      if (j.contains(name)) value = number_of(j.at(name));
    };
    take("error", m.error);
    take("accuracy", m.accuracy);
    take("macro_f1", m.macro_f1);
    if (j.contains("confusion")) {
      m.class_names = j.at("confusion").at("classes").get<std::vector<std::string>>();
      for (const auto& row : j.at("confusion").at("counts"))
        for (const auto& count : row) m.confusion.push_back(count.get<int64_t>());
      for (const auto& [name, c] : j.at("per_class").items())
        m.per_class.push_back({.name = name,
                               .rows = c.at("rows").get<int64_t>(),
                               .precision = number_of(c.at("precision")),
                               .recall = number_of(c.at("recall")),
                               .f1 = number_of(c.at("f1"))});
    }
    take("auroc", m.auroc);
    take("average_precision", m.average_precision);
    take("log_loss", m.log_loss);
    take("brier", m.brier);
    take("threshold", m.threshold);
    take("precision", m.precision);
    take("recall", m.recall);
    take("rmse", m.rmse);
    take("mae", m.mae);
    take("r2", m.r2);
    take("squared_error", m.squared_error);
  } catch (const nlohmann::ordered_json::exception& error) {
    throw DataError("metrics that cannot be read: {}", error.what());
  }
  return m;
}

std::string Metrics::headline() const {
  if (error) return fmt::format("error {:.2f}%", 100 * *error);
  if (rmse) return fmt::format("rmse {:.4g}, r2 {:.3f}", *rmse, *r2);
  if (squared_error) return fmt::format("squared error {:.4g} a row", *squared_error);
  return fmt::format("loss {:.4g}", loss);
}

}  // namespace superstep::training
