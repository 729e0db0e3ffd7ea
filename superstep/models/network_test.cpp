#include "superstep/models/network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "superstep/models/testing.h"

namespace superstep::models {
namespace {

using testing::BufferSink;

ModelConfig config_of(const std::string& kind, std::vector<int64_t> hidden,
                      const std::string& activation = "tanh") {
  ModelConfig config;
  config.kind = kind;
  config.hidden = std::move(hidden);
  config.activation = activation;
  return config;
}

TEST(Network, NamesTheTensorsOfAllItsLayers) {
  const Network net = make_network(config_of("dbn", {5, 4}), 6, 3);
  std::vector<std::string> names;
  for (const ParamSpec& spec : net.layout()->specs())
    names.push_back(spec.name + spec.shape.to_string());
  EXPECT_EQ(names, (std::vector<std::string>{"layer.0.weight(6, 5)", "layer.0.bias(5)",
                                             "layer.0.visible_bias(6)", "layer.1.weight(5, 4)",
                                             "layer.1.bias(4)", "layer.1.visible_bias(5)",
                                             "layer.2.weight(4, 3)", "layer.2.bias(3)"}));
  EXPECT_EQ(net.size(), 3);
  EXPECT_EQ(net.tensors(1), (std::vector<int>{3, 4, 5}));
  EXPECT_EQ(net.tensors(2), (std::vector<int>{6, 7}));
  EXPECT_EQ(net.first(2), 6);
  EXPECT_EQ(net.inputs(), 6);
  EXPECT_EQ(net.outputs(), 3);
  EXPECT_EQ(net.describe(), "6-5-4-3");
}

TEST(Network, OfAKindHasTheLayersOfThatKind) {
  const auto layers = [](const ModelConfig& config) {
    const Network net = make_network(config, 6, 3);
    std::string text;
    for (int i = 0; i < net.size(); ++i) text += net.layer(i).describe() + "; ";
    return text;
  };
  EXPECT_EQ(layers(config_of("logistic", {})), "dense 6 -> 3, linear; ");
  EXPECT_EQ(layers(config_of("mlp", {5}, "relu")), "dense 6 -> 5, relu; dense 5 -> 3, linear; ");
  EXPECT_EQ(layers(config_of("rbm", {5})), "rbm 6 binary -> 5 binary; ");
  ModelConfig dbn = config_of("dbn", {5, 4});
  dbn.visible = "gaussian";  // of the lowest machine alone
  EXPECT_EQ(layers(dbn),
            "rbm 6 gaussian -> 5 binary; rbm 5 binary -> 4 binary; dense 4 -> 3, linear; ");
  dbn.hidden_units = "rectified";  // whose means are what the next machine sees
  EXPECT_EQ(layers(dbn),
            "rbm 6 gaussian -> 5 rectified; rbm 5 linear -> 4 rectified; dense 4 -> 3, linear; ");
  dbn.task = "none";
  dbn.hidden_units = "softmax";
  EXPECT_EQ(layers(dbn), "rbm 6 gaussian -> 5 softmax; rbm 5 softmax -> 4 softmax; ");
}

// The uppermost hidden layer is that of the machine with the label, and no output layer follows.
TEST(Network, OfAGenerativeConfigHasTheLabelOnTop) {
  ModelConfig config = config_of("dbn", {5, 4});
  config.generative = true;
  const Network net = make_network(config, 6, 3);
  EXPECT_EQ(net.size(), 2);
  EXPECT_EQ(net.layer(0).describe(), "rbm 6 binary -> 5 binary");
  EXPECT_EQ(net.layer(1).describe(), "label rbm 5 + 3 classes -> 4");
  EXPECT_EQ(net.outputs(), 3);
  EXPECT_GE(net.layout()->find("layer.0.generative_weight"), 0);
  EXPECT_GE(net.layout()->find("layer.1.label_weight"), 0);
  config.task = ModelConfig::kNoTask;  // nothing but the rows is learned
  EXPECT_EQ(make_network(config, 6, 3).layer(1).describe(), "rbm 5 binary -> 4 binary");
}

TEST(Network, BeginsFromNumbersOfTheKeyAndTheName) {
  const Network net = make_network(config_of("mlp", {5, 5}), 5, 3);
  const ParamSet a = net.initial(RngKey(1)), same = net.initial(RngKey(1)),
                 other = net.initial(RngKey(2));
  EXPECT_TRUE(std::ranges::equal(a.flat(), same.flat()));
  EXPECT_FALSE(std::ranges::equal(a.values("layer.0.weight"), other.values("layer.0.weight")));
  // Tensors of one shape differ, for their names do.
  EXPECT_FALSE(std::ranges::equal(a.values("layer.0.weight"), a.values("layer.1.weight")));
  // The output layer begins at zero: every class is as likely as another.
  for (const float v : a.values("layer.2.weight")) EXPECT_EQ(v, 0.0F);
}

Batch classes_to_learn(int64_t rows, int64_t columns, int32_t classes) {
  Batch batch;
  batch.x.resize({rows, columns});
  fill_normal(RngKey(3), 0, batch.x.values());
  for (int64_t r = 0; r < rows; ++r) {
    batch.row_numbers.push_back(r);
    batch.labels.push_back(static_cast<int32_t>(r) % classes);
  }
  return batch;
}

// 5 rows, nets 6-5-4-3. A step of 1/256 makes an error of its square in the differences, and
// float32 one of about 1e-7 * 256; 1e-3 of the tensor's largest derivative covers both.
TEST(Network, HasTheGradientOfCentralDifferences) {
  for (const ModelConfig& config :
       {config_of("mlp", {5, 4}, "tanh"), config_of("mlp", {5, 4}, "sigmoid"),
        config_of("dbn", {5, 4}), config_of("logistic", {})}) {
    SCOPED_TRACE(config.kind);
    const Network net = make_network(config, 6, 3);
    const Batch batch = classes_to_learn(5, 6, 3);
    const layers::SoftmaxCrossEntropy loss;
    ParamSet params(net.layout());
    testing::randomize(params, 8, 0.7F);
    kernels::Context context;
    Network::Workspace work;
    const layers::Pass pass{layers::Mode::kTrain, RngKey(1), batch.row_numbers, context};
    const auto mean_loss = [&] {
      return loss.evaluate(net.forward(params, batch.x.matrix(), work, pass), batch, nullptr) / 5;
    };
    Tensor dz({5, 3});
    Matrix dz_view = dz.matrix();
    loss.evaluate(net.forward(params, batch.x.matrix(), work, pass), batch, &dz_view);
    BufferSink sink(*net.layout());
    net.backward(params, batch.x.matrix(), dz.matrix(), work, pass, sink);

    for (int t = 0; t < net.layout()->size(); ++t) {
      const std::string& name = net.layout()->spec(t).name;
      std::vector<double> differences;
      for (float& v : params.values(t)) {
        constexpr float kStep = 1.0F / 256;
        const float before = v;
        v = before + kStep;
        const float above = v;
        const double up = mean_loss();
        v = before - kStep;
        const double down = mean_loss();
        differences.push_back((up - down) / (double{above} - double{v}));
        v = before;
      }
      double largest = 0;
      for (const double d : differences) largest = std::max(largest, std::abs(d));
      if (name.ends_with("visible_bias")) {
        EXPECT_EQ(largest, 0) << name;  // has no part in the output
      } else {
        EXPECT_GT(largest, 1e-3) << name;
      }
      for (size_t i = 0; i < differences.size(); ++i)
        EXPECT_NEAR(sink.gradient(t)[i], differences[i], 1e-3 * largest) << name << "[" << i << "]";
    }
  }
}

TEST(Network, GoesForwardThroughItsLowerLayersAlone) {
  const Network net = make_network(config_of("dbn", {5, 4}), 6, 3);
  const Batch batch = classes_to_learn(4, 6, 3);
  ParamSet params(net.layout());
  testing::randomize(params, 8);
  kernels::Context context;
  Network::Workspace work;
  const layers::Pass pass{layers::Mode::kEvaluate, RngKey(1), batch.row_numbers, context};
  const ConstMatrix x = batch.x.matrix();
  EXPECT_EQ(net.forward(params, x, 0, work, pass).data, x.data);
  EXPECT_EQ(net.forward(params, x, 1, work, pass).cols, 5);
  const ConstMatrix two = net.forward(params, x, 2, work, pass);
  EXPECT_EQ(two.cols, 4);
  const std::vector<float> kept(two.data, two.data + 16);
  (void)net.forward(params, x, work, pass);  // the whole net goes through the same
  const ConstMatrix inner = std::as_const(work.activations[1]).matrix();
  EXPECT_TRUE(std::equal(kept.begin(), kept.end(), inner.data));
}

}  // namespace
}  // namespace superstep::models
