#include "superstep/training/evaluation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "superstep/models/testing.h"
#include "superstep/training/evaluate_program.h"
#include "superstep/training/testing.h"

namespace superstep::training {
namespace {

using models::testing::Table;

// Positives score 0.9 and 0.8, negatives 0.8 and 0.3. Of the four pairs three are in order and one
// is a tie: 3.5 / 4.
TEST(Auroc, CountsPairsInOrderAndTiesHalf) {
  EXPECT_EQ(auroc({0.9F, 0.8F, 0.8F, 0.3F}, {1, 0, 1, 0}), 0.875);
  EXPECT_EQ(auroc({0.3F, 0.8F, 0.8F, 0.9F}, {0, 1, 0, 1}), 0.875);
  EXPECT_EQ(auroc({1, 2, 3, 4}, {0, 0, 1, 1}), 1);
  EXPECT_EQ(auroc({1, 2, 3, 4}, {1, 1, 0, 0}), 0);
  EXPECT_EQ(auroc({5, 5, 5}, {1, 0, 0}), 0.5);
  EXPECT_EQ(auroc({1, 2}, {1, 1}), 0.5);  // one class is missing
  EXPECT_EQ(auroc({}, {}), 0.5);
}

// From the top: 0.9 gives precision 1/1 for one positive; the tie at 0.8 gives 2/3 for another.
// (1 + 2/3) / 2. scikit-learn's average_precision_score says 0.8333 as well.
TEST(AveragePrecision, TakesRowsOfOneScoreTogether) {
  EXPECT_DOUBLE_EQ(average_precision({0.9F, 0.8F, 0.8F, 0.3F}, {1, 0, 1, 0}), 5.0 / 6);
  EXPECT_DOUBLE_EQ(average_precision({0.8F, 0.3F, 0.9F, 0.8F}, {1, 0, 1, 0}), 5.0 / 6);
  EXPECT_EQ(average_precision({3, 2, 1}, {1, 1, 0}), 1);
  EXPECT_DOUBLE_EQ(average_precision({3, 2, 1}, {0, 0, 1}), 1.0 / 3);
  EXPECT_EQ(average_precision({1, 2}, {0, 0}), 0);  // no positives
}

// A model that has run away scores NaN. It ranks below all numbers, and nothing hangs.
TEST(Auroc, PutsWhatIsNoNumberLast) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(auroc({nan, 0.5F, nan}, {0, 1, 0}), 1);
  EXPECT_EQ(auroc({nan, nan}, {1, 0}), 0.5);
  EXPECT_DOUBLE_EQ(average_precision({nan, 0.5F, nan}, {1, 0, 0}), 1.0 / 3);
}

Evaluation of_two_classes(std::vector<float> scores, std::vector<uint8_t> positives) {
  Evaluation e;
  e.rows = static_cast<int64_t>(scores.size());
  e.classes = 2;
  e.confusion.assign(4, 0);
  for (size_t i = 0; i < scores.size(); ++i) {
    ++e.confusion[positives[i] * 2U + (scores[i] > 0.5F ? 1U : 0U)];
    e.brier += std::pow(double{scores[i]} - positives[i], 2);
    e.loss -= std::log(positives[i] ? double{scores[i]} : 1 - double{scores[i]});
  }
  e.scores = std::move(scores);
  e.positives = std::move(positives);
  return e;
}

// True negatives 2, false positives 1, false negatives 1, true positives 4.
TEST(Metrics, OfTwoClassesAreTheTextbooks) {
  const Metrics m =
      metrics_of(of_two_classes({0.25F, 0.25F, 0.75F, 0.25F, 0.75F, 0.75F, 0.75F, 0.75F},
                                {0, 0, 0, 1, 1, 1, 1, 1}),
                 {"no", "yes"});
  EXPECT_EQ(m.rows, 8);
  EXPECT_EQ(m.accuracy, 0.75);
  EXPECT_EQ(m.error, 0.25);
  EXPECT_DOUBLE_EQ(*m.precision, 4.0 / 5);
  EXPECT_DOUBLE_EQ(*m.recall, 4.0 / 5);
  EXPECT_DOUBLE_EQ(m.per_class[0].precision, 2.0 / 3);
  EXPECT_DOUBLE_EQ(m.per_class[0].f1, 2.0 / 3);
  EXPECT_DOUBLE_EQ(*m.macro_f1, (2.0 / 3 + 4.0 / 5) / 2);
  EXPECT_DOUBLE_EQ(*m.brier, (6 * 0.0625 + 2 * 0.5625) / 8);
  EXPECT_DOUBLE_EQ(*m.log_loss, -(6 * std::log(0.75) + 2 * std::log(0.25)) / 8);
  EXPECT_EQ(m.headline(), "error 25.00%");
  EXPECT_FALSE(m.rmse || m.squared_error);
}

// Of three classes no row is of the third, and none is said to be: its figures are 0, not NaN.
TEST(Metrics, OfAClassWithoutRowsAreZero) {
  Evaluation e;
  e.rows = 4;
  e.classes = 3;
  e.confusion = {2, 0, 0, 1, 1, 0, 0, 0, 0};
  const Metrics m = metrics_of(e, {"a", "b", "c"});
  EXPECT_EQ(m.per_class[2].rows, 0);
  EXPECT_EQ(m.per_class[2].precision, 0);
  EXPECT_EQ(m.per_class[2].recall, 0);
  EXPECT_EQ(m.per_class[2].f1, 0);
  EXPECT_EQ(m.error, 0.25);
  EXPECT_FALSE(m.auroc);
  const auto json = nlohmann::json::parse(m.to_json());
  EXPECT_EQ(json["confusion"]["counts"], nlohmann::json::parse("[[2,0,0],[1,1,0],[0,0,0]]"));
  EXPECT_EQ(json["per_class"]["b"]["recall"], 0.5);
  EXPECT_FALSE(json.contains("rmse"));
}

TEST(Evaluation, AppendsInOrderAndComesBackFromBytes) {
  const std::vector<float> scores{0.25F, 0.75F, 0.5F};
  const std::vector<uint8_t> positives{0, 1, 1};
  Evaluation all;
  for (size_t i = 0; i < 3; ++i)
    all.append(Evaluation::from_bytes(of_two_classes({scores[i]}, {positives[i]}).to_bytes()));
  EXPECT_EQ(all.rows, 3);
  EXPECT_EQ(all.scores, scores);
  EXPECT_EQ(all.positives, positives);
  EXPECT_EQ(all.confusion, (std::vector<int64_t>{1, 0, 1, 1}));
  EXPECT_DOUBLE_EQ(all.brier, 0.0625 + 0.0625 + 0.25);
  const Bytes bytes = all.to_bytes();
  EXPECT_EQ(Evaluation::from_bytes(bytes).to_bytes(), bytes);
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THROW(Evaluation::from_bytes(std::string_view(bytes).substr(0, size)), DataError);
}

// y = 2a with labels 2, 4, 7: the errors are 0, 0 and -1. Their mean is 13/3, and the sum of
// squares about it 4 + 16 + 49 - 169/3 = 38/3.
TEST(EvaluateProgram, MeasuresNumbersInTheUnitsOfTheData) {
  const Table table("a,y\n1,2\n2,4\n3,7\n", "y", "none", "regress");
  models::ModelConfig config;
  config.kind = "linear";
  models::Model model = table.model(config);
  const double mean = model.target().mean, deviation = model.target().deviation;
  ParamSet params = model.params();
  params.values("layer.0.weight")[0] = static_cast<float>(2 / deviation);
  params.values("layer.0.bias")[0] = static_cast<float>(-mean / deviation);
  model.set_params(std::move(params));
  const auto source = table.source();
  const EvaluateProgram program(model, source, {0, 1, 2});
  const Metrics m = program.result(testing::run_serially(program));
  EXPECT_EQ(m.rows, 3);
  EXPECT_NEAR(*m.rmse, std::sqrt(1.0 / 3), 1e-6);
  EXPECT_NEAR(*m.mae, 1.0 / 3, 1e-6);
  EXPECT_NEAR(*m.r2, 1 - 1 / (38.0 / 3), 1e-6);
  EXPECT_FALSE(m.error);
}

// 2,500 rows are units of 1,024, 1,024 and 452; the figures are those of the rows one by one.
TEST(EvaluateProgram, FoldsUnitsOf1024Rows) {
  std::string csv = "a,b,kind\n";
  std::vector<float> u(2);
  for (int64_t r = 0; r < 2500; ++r) {
    fill_uniform(RngKey(1), static_cast<uint64_t>(r), u);
    csv += fmt::format("{},{},{}\n", u[0], u[1], u[0] + 0.2F * u[1] > 0.6F ? "yes" : "no");
  }
  const Table table(csv, "kind", "standardise");
  models::ModelConfig config;
  config.kind = "logistic";
  models::Model model = table.model(config);
  ParamSet params = model.params();
  models::testing::randomize(params, 3);
  model.set_params(std::move(params));
  const auto source = table.source();
  std::vector<int64_t> rows(2500);
  std::iota(rows.begin(), rows.end(), int64_t{0});
  const EvaluateProgram program(model, source, rows);
  std::vector<int64_t> units;
  const auto state = testing::run_serially(program, [&](const testing::Done& done, const auto&) {
    for (const auto& unit : done.round.units) units.push_back(unit.weight);
  });
  EXPECT_EQ(units, (std::vector<int64_t>{1024, 1024, 452}));
  const Metrics m = program.result(state);

  Evaluation one_by_one;
  models::Predictor predictor(model);
  Batch batch;
  for (const int64_t row : rows) {
    source.read(std::vector<int64_t>{row}, batch);
    one_by_one.append(evaluate_batch(model, predictor, batch));
  }
  const Metrics wanted = metrics_of(one_by_one, {"no", "yes"});
  EXPECT_EQ(m.confusion, wanted.confusion);
  EXPECT_EQ(m.auroc, wanted.auroc);
  EXPECT_EQ(m.average_precision, wanted.average_precision);
  EXPECT_NEAR(m.loss, wanted.loss, 1e-12);
  EXPECT_NEAR(*m.brier, *wanted.brier, 1e-12);
}

TEST(EvaluateProgram, MeasuresReconstructionsWhereNothingIsPredicted) {
  const Table table("0,1\n1,0\n", "", "minmax");
  models::ModelConfig config;
  config.kind = "rbm";
  config.hidden = {2};
  const models::Model model = table.model(config);  // of zeros: every pixel comes back as 1/2
  const auto source = table.source();
  const EvaluateProgram program(model, source, {0, 1});
  const Metrics m = program.result(testing::run_serially(program));
  EXPECT_EQ(m.squared_error, 0.5);
  EXPECT_EQ(m.headline(), "squared error 0.5 a row");
}

TEST(Metrics, ComeBackFromJson) {
  Metrics classes, numbers;
  classes.rows = 3;
  classes.loss = 0.1;
  classes.error = 1.0 / 3;
  classes.per_class = {{.name = "no", .rows = 2, .precision = 0.5, .recall = 1, .f1 = 0.25},
                       {.name = "yes", .rows = 1, .precision = 1, .recall = 0, .f1 = 0}};
  classes.class_names = {"no", "yes"};
  classes.confusion = {2, 0, 1, 0};
  classes.auroc = 0.75;
  numbers.loss = std::numeric_limits<double>::quiet_NaN();
  numbers.rmse = 2.5;
  for (const Metrics& metrics : {classes, numbers})
    EXPECT_EQ(Metrics::from_json(metrics.to_json()).to_json(), metrics.to_json());
  EXPECT_EQ(Metrics::from_json(classes.to_json()).confusion, classes.confusion);
  EXPECT_THROW(Metrics::from_json("{"), DataError);
  EXPECT_THROW(Metrics::from_json(R"({"rows": "x", "loss": 1})"), DataError);
}

}  // namespace
}  // namespace superstep::training
