#include "superstep/front_door/properties_job.h"

#include <gtest/gtest.h>

#include <set>

#include "superstep/base/error.h"
#include "superstep/data/testing.h"
#include "superstep/front_door/properties_keys.h"

namespace superstep {
namespace {

// What a file came to, without the settings of this machine's user.
struct Loaded {
  explicit Loaded(const std::string& text, const std::string& engine = "local") {
    job.engine.kind = engine;
    testing::internal::CaptureStderr();
    try {
      load_properties(job, text, "job.properties");
    } catch (...) {
      said = testing::internal::GetCapturedStderr();
      throw;
    }
    said = testing::internal::GetCapturedStderr();
  }
  [[nodiscard]] std::string origin(const std::string& key) const {
    for (const auto& row : job.document.describe())
      if (row.key == key) return row.origin;
    return "no such key";
  }
  Job job;
  std::string said;
};

constexpr const char* kDbn =
    "iterativereduce.jar.path=iterativereduce-0.1-SNAPSHOT.jar\n"
    "app.jar.path=Metronome-1.0.jar\n"
    "app.input.path=/data/mnist.metronome\n"
    "app.output.path=file:///tmp/dbn.model\n"
    "app.iteration.count=20\n"
    "app.name=IR DBN MNIST\n"
    "yarn.memory=512\n"
    "yarn.worker.main=tv.floe.metronome.deeplearning.dbn.iterativereduce.WorkerNode\n"
    "yarn.worker.args=\n"
    "tv.floe.metronome.neuralnetwork.conf.LearningRate=0.5\n"
    "tv.floe.metronome.dbn.conf.hiddenLayerSizes=500, 250,100 \n"
    "tv.floe.metronome.dbn.conf.LearningRate=.01\n"
    "tv.floe.metronome.dbn.conf.batchSize=10\n"
    "tv.floe.metronome.dbn.conf.numberInputs=784\n"
    "tv.floe.metronome.dbn.conf.numberLabels=2\n"
    "tv.floe.metronome.dbn.conf.pretrain.passes=2\n"
    "tv.floe.metronome.dbn.conf.finetune.passes=3\n"
    "tv.floe.metronome.dbn.conf.useRegularization=TRUE\n"
    "tv.floe.metronome.dbn.conf.sparsity=0.01\n"
    "tv.floe.metronome.dbn.conf.momentum=0.25\n";

TEST(PropertiesJob, TranslatesEveryKeyOfADbn) {
  const Loaded loaded(kDbn);
  const Job& job = loaded.job;
  EXPECT_EQ(job.job.name, "IR_DBN_MNIST");
  EXPECT_EQ(job.data.train.rows, "/data/mnist.metronome");
  EXPECT_EQ(job.output.dir, "/tmp/dbn.model");
  EXPECT_EQ(job.engine.memory, 512);
  EXPECT_EQ(job.model.kind, "dbn");
  EXPECT_EQ(job.model.hidden, (std::vector<int64_t>{500, 250, 100}));
  EXPECT_EQ(job.data.width, 784);
  EXPECT_EQ(job.pretrain.learning_rate, 0.01);
  EXPECT_EQ(job.finetune.learning_rate, 0.01);
  EXPECT_EQ(job.pretrain.batch, 10);
  EXPECT_EQ(job.finetune.batch, 10);
  EXPECT_EQ(job.pretrain.epochs, 20);
  EXPECT_EQ(job.finetune.epochs, 30);
  EXPECT_EQ(job.pretrain.l2, 0.0002);
  EXPECT_EQ(job.finetune.l2, 0.0002);
  EXPECT_EQ(job.pretrain.sparsity_target, 0.01);
  EXPECT_EQ(job.pretrain.momentum, 0.25);
  EXPECT_EQ(job.pretrain.initial_momentum, 0.25);
  EXPECT_EQ(job.finetune.momentum, 0.25);
  EXPECT_EQ(loaded.origin("pretrain.batch"),
            "job.properties:13: tv.floe.metronome.dbn.conf.batchSize");
  // Keys of another model are ignored, too, as they were.
  EXPECT_NE(loaded.said.find("job.properties: ignored, for they mean nothing here: "
                             "app.iteration.count, app.jar.path, iterativereduce.jar.path, "
                             "tv.floe.metronome.dbn.conf.numberLabels, "
                             "tv.floe.metronome.neuralnetwork.conf.LearningRate, "
                             "yarn.worker.args\n"),
            std::string::npos)
      << loaded.said;
}

TEST(PropertiesJob, TranslatesAnMlp) {
  const std::string text =
      "app.iteration.count=400\n"
      "tv.floe.metronome.neuralnetwork.conf.InputRecordSchema=i:64 | o:10\n"
      "tv.floe.metronome.neuralnetwork.conf.LayerNeuronCounts=64,45,20,10\n"
      "tv.floe.metronome.neuralnetwork.conf.LearningRate=1.5\n"
      "tv.floe.metronome.neuralnetwork.conf.Adagrad.LearningRate=10.0\n"
      "tv.floe.metronome.neuralnetwork.conf.evaluate.dataset.path=rows\n"
      "tv.floe.metronome.neuralnetwork.conf.stall.maxEpochs=50\n";
  const Loaded plain(text);
  EXPECT_EQ(plain.job.model.kind, "mlp");
  EXPECT_EQ(plain.job.model.activation, "sigmoid");
  EXPECT_EQ(plain.job.model.hidden, (std::vector<int64_t>{45, 20}));
  EXPECT_EQ(plain.job.data.width, 64);
  EXPECT_EQ(plain.job.finetune.epochs, 400);
  EXPECT_EQ(plain.job.finetune.learning_rate, 1.5);
  EXPECT_EQ(plain.job.finetune.optimizer, "sgd");
  EXPECT_NE(plain.said.find(": tv.floe.metronome.neuralnetwork.conf.Adagrad.LearningRate, "
                            "tv.floe.metronome.neuralnetwork.conf.stall.maxEpochs\n"),
            std::string::npos)
      << plain.said;
  const Loaded adagrad(text + "tv.floe.metronome.neuralnetwork.conf.Adagrad.On=true\n");
  EXPECT_EQ(adagrad.job.finetune.optimizer, "adagrad");
  EXPECT_EQ(adagrad.job.finetune.learning_rate, 10);
}

TEST(PropertiesJob, TranslatesARegressionAndTheColumnsOfItsTable) {
  const std::string text =
      "app.iteration.count=3\n"
      "com.cloudera.knittingboar.setup.FeatureVectorSize=100\n"
      "com.cloudera.knittingboar.setup.LearningRate=50\n"
      "com.cloudera.knittingboar.setup.Lambda=1.0e-4\n"
      "com.cloudera.knittingboar.setup.BatchSize=200\n"
      "com.cloudera.knittingboar.setup.TargetVariableName=color\n"
      "com.cloudera.knittingboar.setup.PredictorLabelNames=x, y\n";
  const std::string columns =
      "com.cloudera.knittingboar.setup.ColumnHeaderNames=x,shape,color,y,a\n";
  const Loaded loaded(text + columns);
  EXPECT_EQ(loaded.job.model.kind, "logistic");
  EXPECT_EQ(loaded.job.finetune.epochs, 3);
  EXPECT_NEAR(loaded.job.finetune.learning_rate.value_or(0), 0.0998, 0.0001);  // 50 / 501.2
  EXPECT_EQ(loaded.job.finetune.l2, 1e-4);
  EXPECT_EQ(loaded.job.finetune.batch, 200);
  EXPECT_EQ(loaded.job.data.width, 100);
  EXPECT_EQ(loaded.job.data.label, "2");
  EXPECT_EQ(loaded.job.data.drop, (std::vector<std::string>{"1", "4"}));
  const Loaded table(text + columns +
                     "com.cloudera.knittingboar.setup.NumberPasses=7\n"
                     "com.cloudera.knittingboar.setup.RecordFactoryClassname=a.CSVRecordFactory\n"
                     "tv.floe.metronome.linearregression.minibatch.size=30\n"
                     "yarn.master.main=tv.floe.metronome.linearregression.MasterNode\n");
  EXPECT_EQ(table.job.model.kind, "linear");
  EXPECT_EQ(table.job.finetune.epochs, 7);
  EXPECT_EQ(table.job.finetune.batch, 30);
  EXPECT_EQ(table.job.data.width, 0);
  EXPECT_EQ(Loaded(text).job.data.label, "color");  // with a header, by its name
  EXPECT_ERROR(ConfigError,
               Loaded(text + "com.cloudera.knittingboar.setup.ColumnHeaderNames=x,y\n"),
               "job.properties:6: com.cloudera.knittingboar.setup.TargetVariableName is 'color', "
               "wanted columns of com.cloudera.knittingboar.setup.ColumnHeaderNames: x, y");
}

TEST(PropertiesJob, TranslatesAJobOfDl4j) {
  const std::string key = "org.deeplearning4j.scaleout.multilayerconf=";
  const Loaded loaded(
      "org.deeplearning4j.batchSize=20\norg.deeplearning4j.features=4\n"
      "org.deeplearning4j.iterativereduce.jar.path=x\n" +
      key + R"({"hiddenLayerSizes":[3,2],"confs":[{"lr":0.1,"momentum":0.5}]})");
  EXPECT_EQ(loaded.job.model.kind, "dbn");
  EXPECT_EQ(loaded.job.model.hidden, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(loaded.job.pretrain.learning_rate, 0.1);
  EXPECT_EQ(loaded.job.finetune.momentum, 0.5);
  EXPECT_EQ(loaded.job.finetune.batch, 20);
  EXPECT_EQ(loaded.job.data.width, 4);
  EXPECT_EQ(Loaded(key + R"({"pretrain":false})").job.model.kind, "mlp");
  for (const char* bad : {"{", "[]", R"({"hiddenLayerSizes":[0]})", R"({"hiddenLayerSizes":3.5})",
                          R"({"pretrain":1})", R"({"confs":[{"lr":"x"}]})"})
    EXPECT_ERROR(ConfigError, Loaded(key + bad), "job.properties:1: " + key.substr(0, 40));
}

TEST(PropertiesJob, AValueThatCannotBeReadIsAnError) {
  const auto refused = [](const std::string& line, const std::string& wanted) {
    EXPECT_ERROR(ConfigError, Loaded(std::string(kDbn) + line), "job.properties:21: " + wanted);
  };
  const std::string dbn = "tv.floe.metronome.dbn.conf.";
  refused(dbn + "batchSize=ten", dbn + "batchSize is 'ten', wanted a whole number");
  refused(dbn + "batchSize=0", dbn + "batchSize: pretrain.batch is 0, wanted integer, 1 to");
  refused(dbn + "LearningRate=", dbn + "LearningRate is '', wanted a number");
  refused(dbn + "LearningRate=-1", dbn + "LearningRate: pretrain.learning_rate is -1.0, wanted");
  refused(dbn + "useRegularization=yes", dbn + "useRegularization is 'yes', wanted true or false");
  refused(dbn + "hiddenLayerSizes=500;250",
          dbn + "hiddenLayerSizes is '500;250', wanted whole numbers above 0 with commas");
  refused(dbn + "pretrain.passes=99999999999999999999",
          dbn + "pretrain.passes is '99999999999999999999', wanted a whole number, 0 to 100000");
  // A key that is ignored must make sense, too.
  refused(dbn + "numberLabels=two", dbn + "numberLabels is 'two', wanted a whole number");
  const std::string mlp = "tv.floe.metronome.neuralnetwork.conf.";
  refused(mlp + "InputRecordSchema=i:784", mlp + "InputRecordSchema is 'i:784', wanted inputs");
  refused(mlp + "LayerNeuronCounts=784", mlp + "LayerNeuronCounts is '784', wanted inputs, hidden");
}

TEST(PropertiesJob, AnUnknownKeyIsAnErrorWithTheNearestOne) {
  EXPECT_ERROR(ConfigError, Loaded("\ntv.floe.metronome.dbn.conf.batchsize=1\n"),
               "job.properties:2: no key 'tv.floe.metronome.dbn.conf.batchsize'; did you mean "
               "'tv.floe.metronome.dbn.conf.batchSize'?");
  EXPECT_ERROR(ConfigError, Loaded("pretrain=1\n"), "job.properties:1: no key 'pretrain'; docs/");
  EXPECT_ERROR(ConfigError, Loaded("app.name=x\n"), "does not say what is trained");
}

TEST(PropertiesJob, PathsWithoutASchemeAreOnHdfsWhereTheJobRunsOnYarn) {
  const std::string model = "tv.floe.metronome.dbn.conf.hiddenLayerSizes=5\n";
  setenv("HADOOP_USER_NAME", "kate", 1);
  const Loaded plain(model + "app.input.path=in/rows\napp.output.path=/out\n", "yarn");
  unsetenv("HADOOP_USER_NAME");
  EXPECT_EQ(plain.job.data.train.rows, "hdfs:///user/kate/in/rows");
  EXPECT_EQ(plain.job.output.dir, "hdfs:///out");
  const Loaded with(model + "app.input.path=hdfs://a/rows\napp.output.path=file:/out\n", "yarn");
  EXPECT_EQ(with.job.data.train.rows, "hdfs://a/rows");
  EXPECT_EQ(with.job.output.dir, "/out");
}

TEST(PropertiesJob, ScoresTheRowsThatItsFileNames) {
  const data::testing::TestFolder folder;
  const std::string text = "app.name=a\napp.input.path=rows\nyarn.worker.main=x.dbn.y\n";
  const ScoredPlaces own = places_to_score(folder.write("a.properties", text));
  EXPECT_EQ(own.model, "runs/a");
  EXPECT_EQ(own.data, "rows");
  const ScoredPlaces other = places_to_score(
      folder.write("b.properties", text + "app.output.path=file:///m\n"
                                          "tv.floe.metronome.evaluate.dataset.path=more rows\n"));
  EXPECT_EQ(other.model, "/m");
  EXPECT_EQ(other.data, "more rows");
}

TEST(PropertiesJob, PrintsTheLinesOf2014) {
  training::Metrics metrics;
  metrics.class_names = {"0", "1"};
  metrics.confusion = {5, 0, 2, 3};
  metrics.macro_f1 = 0.75;
  EXPECT_EQ(lines_of_2014(metrics),
            "\nActual Class 0 was predicted with Predicted 0 with count 5 times\n"
            "\nActual Class 1 was predicted with Predicted 0 with count 2 times\n"
            "\nActual Class 1 was predicted with Predicted 1 with count 3 times\n"
            "\n==========================F1 Scores========================================\n"
            " 0.75\n"
            "===========================================================================\n");
  EXPECT_EQ(lines_of_2014({}), "");
}

// Every setting that the table names is one.
TEST(PropertiesJob, ItsTableNamesSettingsThatThereAre) {
  std::set<std::string> settings;
  for (const auto& row : Job().document.describe()) settings.insert(row.key);
  for (const auto& old : front_door::old_keys())
    for (const std::string& key : front_door::old_list(old.becomes))
      EXPECT_TRUE(key.empty() || key == front_door::kForScore || settings.contains(key))
          << old.name() << ": " << key;
}

}  // namespace
}  // namespace superstep
