#include "superstep/models/model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "superstep/models/testing.h"

namespace superstep::models {
namespace {

using testing::Table;

// Three features with ranges of their own, three classes; n rows.
std::string irises(int64_t n) {
  std::string csv = "long,wide,deep,kind\n";
  std::vector<float> u(3);
  for (int64_t r = 0; r < n; ++r) {
    fill_uniform(RngKey(1), static_cast<uint64_t>(r), u);
    csv += fmt::format("{},{},{},{}\n", 4 + u[0], 100 * u[1], u[2] - 7,
                       std::array{"red", "blue", "green"}[static_cast<size_t>(r % 3)]);
  }
  return csv;
}

ModelConfig config_of(const std::string& kind) {
  ModelConfig config;
  config.kind = kind;
  if (kind != "logistic" && kind != "linear") config.hidden = {17};
  if (kind == "rbm" || kind == "dbn") config.visible = "gaussian";
  return config;
}

Model random_model(const Table& table, const std::string& kind) {
  Model model = table.model(config_of(kind));
  ParamSet params = model.params();
  testing::randomize(params, 5);
  model.set_params(std::move(params));
  return model;
}

// The message that making a model of this kind from the table throws.
std::string refusal(const Table& table, const ModelConfig& config) {
  return data::testing::message_of<ConfigError>([&] { (void)table.model(config); });
}

TEST(Model, KeepsTheFormOfItsRowsAndAnswersByItWhicheverItIsGiven) {
  const Table table(irises(30), "kind", "none");
  for (const std::string kind : {"logistic", "mlp", "rbm", "dbn"}) {
    Model model = random_model(table, kind);
    const Bytes dense = model.to_bytes();
    EXPECT_EQ(dense.find("sparse"), Bytes::npos) << "the bytes of a dense model say nothing of it";
    EXPECT_EQ(Model::from_bytes(dense, "memory").form(), Form::kDense);
    model.set_form(Form::kSparse);
    const Model back = Model::from_bytes(model.to_bytes(), "memory");
    EXPECT_EQ(back.form(), Form::kSparse);
    EXPECT_EQ(back.to_bytes(), model.to_bytes());

    Batch written, left_out;
    const std::vector<int64_t> rows = {3, 0, 17};
    table.source().read(rows, written);
    table.source().read_sparse(rows, left_out);
    for (const Model* each : {&back, &std::as_const(model)}) {
      Predictor predictor(*each);
      const Matrix a = predictor.predict(written.features());
      const std::vector<float> first(a.data, a.data + a.rows * a.cols);
      const Matrix b = predictor.predict(left_out.features());
      EXPECT_EQ(std::vector<float>(b.data, b.data + b.rows * b.cols), first) << kind;
    }
  }
}

TEST(Model, ComesBackFromItsBytesAsItWas) {
  const Table table(irises(30), "kind", "standardise");
  for (const std::string kind : {"logistic", "mlp", "rbm", "dbn"}) {
    const Model model = random_model(table, kind);
    const Bytes bytes = model.to_bytes();
    const Model back = Model::from_bytes(bytes, "memory");
    EXPECT_EQ(back.to_bytes(), bytes) << kind;
    EXPECT_EQ(back.config().kind, kind);
    EXPECT_EQ(back.schema(), model.schema());
    EXPECT_EQ(back.scaling(), model.scaling());
    EXPECT_EQ(back.target(), model.target());
    const std::vector<double> row{4.5, 30, -6.5};
    EXPECT_EQ(back.predict(row), model.predict(row)) << kind;
  }
}

TEST(Model, ComesBackWithItsUnitsAndItsLabelOnTop) {
  const Table scaled(irises(30), "kind", "standardise"), bounded(irises(30), "kind", "minmax");
  ModelConfig generative = config_of("dbn");
  generative.hidden = {6, 5};
  generative.visible = "binary";
  generative.generative = true;
  ModelConfig units = config_of("dbn");
  units.visible = "linear";
  units.hidden_units = "rectified";
  ModelConfig bare = units;
  bare.task = ModelConfig::kNoTask;
  for (const auto& [table, config] :
       {std::pair(&bounded, generative), {&scaled, units}, {&scaled, bare}}) {
    Model model = table->model(config);
    ParamSet params = model.params();
    testing::randomize(params, 5);
    model.set_params(std::move(params));
    const Model back = Model::from_bytes(model.to_bytes(), "memory");
    EXPECT_EQ(back.to_bytes(), model.to_bytes());
    EXPECT_EQ(back.config().hidden_units, config.hidden_units);
    EXPECT_EQ(back.config().generative, config.generative);
    EXPECT_EQ(back.config().has_output(), config.has_output());
    for (int i = 0; i < model.network().size(); ++i)
      EXPECT_EQ(back.network().layer(i).describe(), model.network().layer(i).describe());
    const std::vector<double> row{4.5, 30, -6.5};
    EXPECT_EQ(back.predict(row), model.predict(row));
  }
}

TEST(Model, IsSavedAndLoadedToTheByte) {
  const Table table(irises(30), "kind", "standardise");
  const Model model = random_model(table, "mlp");
  const std::string path = table.folder.path("model.safetensors");
  model.save(path);
  EXPECT_EQ(Model::load(path).to_bytes(), model.to_bytes());
  EXPECT_THROW(Model::load(table.folder.path("none")), FileError);
}

TEST(Model, RefusesBytesThatAreNoModelOfIts) {
  const Table table(irises(30), "kind", "standardise");
  const Bytes bytes = random_model(table, "mlp").to_bytes();
  for (size_t size = 0; size < bytes.size(); size += 7)
    EXPECT_THROW(Model::from_bytes(std::string_view(bytes).substr(0, size), "m"), DataError);
  const auto changed = [&](const std::string& from, const std::string& to) {
    EXPECT_EQ(from.size(), to.size());
    Bytes other = bytes;
    const auto at = other.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    other.replace(at, from.size(), to);
    return data::testing::message_of<DataError>([&] { Model::from_bytes(other, "m"); });
  };
  EXPECT_NE(changed("superstep 1", "superstep 2").find("m: a model of format 2"),
            std::string::npos);
  EXPECT_NE(changed("superstep 1", "otherwise 1").find("no model of Superstep"), std::string::npos);
  // Another number of hidden units than the tensors have; a kind that there is not.
  EXPECT_NE(changed("[17]", "[18]").find("the tensors are not those"), std::string::npos);
  EXPECT_NE(changed("layer.1.bias", "layer.1.base"), "");
}

// The uppermost hidden layer would be the one with the label.
TEST(Model, RefusesAGenerativeNetWithoutHiddenLayers) {
  const Table table(irises(30), "kind", "minmax");
  Bytes bytes = random_model(table, "dbn").to_bytes();
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"[17]", "[  ]"},
                                 {R"(\"generative\":false)", R"(\"generative\":true )"}}) {
    const auto at = bytes.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    bytes.replace(at, from.size(), to);
  }
  EXPECT_ERROR(DataError, Model::from_bytes(bytes, "m"), "m: a dbn model without hidden layers");
}

TEST(Model, RefusesWhatDoesNotGoTogether) {
  const Table classes(irises(30), "kind", "standardise");
  const Table numbers("a,y\n1,0.5\n2,1.5\n3,7.25\n", "y", "minmax");
  const Table bare("1,2\n3,4\n", "", "minmax");
  const auto has = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' in: " << message;
  };
  has(refusal(numbers, config_of("logistic")), "label 'y' is a number");
  has(refusal(classes, config_of("linear")), "label 'kind' is a class");
  has(refusal(bare, config_of("mlp")), "the data have none");
  ModelConfig binary = config_of("rbm");
  binary.visible = "binary";
  has(refusal(classes, binary), "values from 0 to 1");
  EXPECT_EQ(refusal(bare, binary), "");
  binary.kind = "dbn";
  has(refusal(classes, binary), "data.scale = \"minmax\"");
}

TEST(ModelConfig, CompletesAndRefusesWhatNoSingleKeyShows) {
  ModelConfig config;
  config.kind = "dbn";
  config.complete();
  EXPECT_EQ(config.hidden, (std::vector<int64_t>{256, 128}));
  config.kind = "rbm";
  EXPECT_THROW(config.complete(), ConfigError);  // two hidden layers
  config.kind = "logistic";
  EXPECT_THROW(config.complete(), ConfigError);  // any hidden layer
  config.hidden = {};
  config.complete();
  EXPECT_EQ(config.task, "classify");
  config.kind = "linear";
  EXPECT_THROW(config.complete(), ConfigError);  // told to classify
}

TEST(ModelConfig, RefusesAGenerativeNetOfAnythingButBinaryUnitsAndClasses) {
  const auto refusal = [](auto change) {
    ModelConfig config;
    config.kind = "dbn";
    config.generative = true;
    change(config);
    return data::testing::message_of<ConfigError>([&] { config.complete(); });
  };
  EXPECT_EQ(refusal([](ModelConfig&) {}), "");
  EXPECT_EQ(refusal([](ModelConfig& c) { c.task = "classify"; }), "");
  EXPECT_NE(refusal([](ModelConfig& c) { c.kind = "mlp"; }).find("only a dbn"), std::string::npos);
  EXPECT_NE(refusal([](ModelConfig& c) { c.visible = "gaussian"; }).find("gaussian and binary"),
            std::string::npos);
  EXPECT_NE(refusal([](ModelConfig& c) { c.hidden_units = "rectified"; }).find("rectified"),
            std::string::npos);
  EXPECT_NE(refusal([](ModelConfig& c) { c.task = "regress"; }).find("no number"),
            std::string::npos);
}

// Bits of 100 rows at once, of 7 rows at a time and of every row alone.
TEST(Predictor, GivesARowTheSameBitsAloneAndInAnyBatch) {
  const Table table(irises(100), "kind", "standardise");
  const auto source = table.source();
  std::vector<int64_t> all(100);
  std::iota(all.begin(), all.end(), int64_t{0});
  for (const std::string kind : {"logistic", "mlp", "dbn", "rbm"}) {
    const Model model = random_model(table, kind);
    const auto answers = [&](size_t batch_rows) {
      Predictor predictor(model);
      Batch batch;
      std::vector<float> out;
      for (size_t begin = 0; begin < all.size(); begin += batch_rows) {
        source.read(std::span(all).subspan(begin, std::min(batch_rows, all.size() - begin)), batch);
        const Matrix y = predictor.predict(std::as_const(batch.x).matrix());
        out.insert(out.end(), y.data, y.data + y.rows * y.cols);
        if (model.loss()) continue;
        const Matrix v = predictor.reconstruct(std::as_const(batch.x).matrix());
        EXPECT_EQ(v.cols, 3);
      }
      return out;
    };
    const auto whole = answers(100);
    EXPECT_EQ(whole.size(), static_cast<size_t>(100 * model.network().outputs()));
    EXPECT_EQ(answers(7), whole) << kind;
    EXPECT_EQ(answers(1), whole) << kind;
  }
}

TEST(Model, PredictsRawRowsAsTheirSourceAndAPredictorDo) {
  const Table table(irises(20), "kind", "standardise");
  const Model model = random_model(table, "mlp");
  std::vector<int64_t> all(20);
  std::iota(all.begin(), all.end(), int64_t{0});
  Batch batch;
  table.source().read(all, batch);
  Predictor predictor(model);
  const Matrix y = predictor.predict(std::as_const(batch.x).matrix());

  std::vector<double> raw;
  for (int64_t r = 0; r < 20; ++r) {
    std::vector<float> u(3);
    fill_uniform(RngKey(1), static_cast<uint64_t>(r), u);
    // As the text has them: the shortest decimals that give the float back.
    for (const float v : {4 + u[0], 100 * u[1], u[2] - 7})
      raw.push_back(std::stod(fmt::format("{}", v)));
  }
  const std::vector<float> answers = model.predict(raw);
  ASSERT_EQ(answers.size(), 60U);
  for (size_t i = 0; i < 60; ++i) EXPECT_EQ(answers[i], y.data[i]) << i;
  for (size_t r = 0; r < 20; ++r)
    EXPECT_NEAR(answers[3 * r] + answers[3 * r + 1] + answers[3 * r + 2], 1, 1e-6);
}

// A linear model that hands its one feature on: the answer is in the units of the data. The label
// has mean 3 and deviation (of the population) sqrt(8/3); the feature standardised is the label
// standardised.
TEST(Model, AnswersNumbersInTheUnitsOfTheData) {
  const Table table("a,y\n10,1\n20,3\n30,5\n", "y", "standardise", "regress");
  Model model = table.model(config_of("linear"));
  ParamSet params = model.params();
  params.values("layer.0.weight")[0] = 1.0F;
  model.set_params(std::move(params));
  const std::vector<float> y = model.predict(std::vector<double>{10, 20, 30, 40});
  ASSERT_EQ(y.size(), 4U);
  EXPECT_NEAR(y[0], 1, 1e-5);
  EXPECT_NEAR(y[1], 3, 1e-5);
  EXPECT_NEAR(y[2], 5, 1e-5);
  EXPECT_NEAR(y[3], 7, 1e-5);
}

TEST(Model, RefusesRowsThatDoNotFitAndValuesThatAreNoNumbers) {
  const Table table(irises(20), "kind", "standardise");
  const Model model = random_model(table, "mlp");
  EXPECT_ERROR(DataError, (void)model.predict(std::vector<double>{1, 2}), "2 numbers",
               "3 features");
  EXPECT_ERROR(DataError, (void)model.predict(std::vector<double>{1, 2, 3, 4, std::nan(""), 6}),
               "row 1", "wide", "nan");
}

}  // namespace
}  // namespace superstep::models
