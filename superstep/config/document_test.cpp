#include "superstep/config/document.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "superstep/base/error.h"

namespace superstep::config {
namespace {

struct LayerOverrides {
  std::optional<int64_t> epochs;
  std::optional<double> learning_rate;
  void declare(Section& s) {
    s.integer("epochs", epochs, "Passes for this layer.", {.min = 0});
    s.number("learning_rate", learning_rate, "Step length of this layer.");
  }
};

/// A job with a key of every kind.
struct Job {
  std::string name, optimizer = "sgd";
  int64_t epochs = 10;
  double rate = 0.1, decay = 0;
  bool centre = true;
  std::vector<int64_t> hidden;
  std::vector<double> schedule{0.5, 0.9};
  std::vector<std::string> drop;
  Location train;
  std::optional<int64_t> replicas;
  std::map<std::string, LayerOverrides> layers;
  Document doc;

  Job() {
    doc.section("job", "What this job is.", [this](Section& s) {
      s.text("name", name, "A name for people.", {.effect = kRun});
    });
    doc.section("data", "The rows.", [this](Section& s) {
      s.location("train", train, "Rows to learn from.", {.effect = kRun});
      s.texts("drop", drop, "Columns to leave out.");
    });
    doc.section("pretrain", "Greedy pretraining.", [this](Section& s) {
      s.integer("epochs", epochs, "Passes over the rows for each layer.", {.min = 0, .max = 1e6});
      s.number("learning_rate", rate, "Step length.", {.min = 0, .min_exclusive = true});
      s.number("decay", decay, "Weight decay.", {.min = 0, .max = 1, .max_exclusive = true});
      s.choice("optimizer", optimizer, "Local rule.", {"sgd", "adagrad"});
      s.flag("centre", centre, "Whether offsets are subtracted.");
      s.integers("hidden", hidden, "Units of each layer.", {.min = 1});
      s.numbers("schedule", schedule, "Momentum by epoch.", {.min = 0, .max = 1});
      s.integer("replicas", replicas, "From rows and batch unless set.", {.min = 1});
      s.table("layer", "Overrides one layer.", [this](const std::string& key, Section& child) {
        if (key.find_first_not_of("0123456789") != std::string::npos)
          throw ConfigError("wanted the number of a layer");
        layers[key].declare(child);
      });
    });
  }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
};

/// The message of the ConfigError that `action` throws; "" where it throws none.
template <class Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}
std::string load_error(std::string_view text) {
  Job job;
  return error_of([&] { job.doc.load_toml_text(text, "job.toml"); });
}
std::string set_error(std::string_view assignment) {
  Job job;
  return error_of([&] { job.doc.set(assignment); });
}
Document::Row row_of(const Job& job, const std::string& key) {
  for (const Document::Row& row : job.doc.describe())
    if (row.key == key) return row;
  return {};
}

TEST(Document, ReadsEveryKindOfKey) {
  Job job;
  job.doc.load_toml_text(R"(
[job]
name = "digits"
[data]
train = { rows = "a.idx", labels = "b.idx" }
drop = ["id", "time"]
[pretrain]
epochs = 30
learning_rate = 1      # an integer is a number too
optimizer = "adagrad"
centre = false
hidden = [500, 250]
schedule = [0.25, 1]
replicas = 4
[pretrain.layer.2]
epochs = 5
)",
                         "job.toml");
  EXPECT_EQ(job.name, "digits");
  EXPECT_EQ(job.train, (Location{"a.idx", "b.idx"}));
  EXPECT_EQ(job.drop, (std::vector<std::string>{"id", "time"}));
  EXPECT_EQ(job.epochs, 30);
  EXPECT_EQ(job.rate, 1.0);
  EXPECT_EQ(job.optimizer, "adagrad");
  EXPECT_FALSE(job.centre);
  EXPECT_EQ(job.hidden, (std::vector<int64_t>{500, 250}));
  EXPECT_EQ(job.schedule, (std::vector<double>{0.25, 1}));
  EXPECT_EQ(job.replicas, 4);
  ASSERT_EQ(job.layers.size(), 1U);
  EXPECT_EQ(job.layers.at("2").epochs, 5);
  EXPECT_FALSE(job.layers.at("2").learning_rate.has_value());
}

TEST(Document, TakesALocationAsAStringOrATable) {
  Job job;
  job.doc.load_toml_text("[data]\ntrain = \"a.csv\"\n", "job.toml");
  EXPECT_EQ(job.train, (Location{"a.csv", ""}));
  EXPECT_NE(load_error("[data]\ntrain = { labels = \"b\" }").find("a table without rows"),
            std::string::npos);
  EXPECT_NE(load_error("[data]\ntrain = { rows = \"b\", row = 1 }").find("a key 'row'"),
            std::string::npos);
}

TEST(Document, LaterLayersWinAndEachValueKnowsItsOrigin) {
  Job job;
  job.doc.load_toml_text("[pretrain]\nepochs = 1\ndecay = 0.5\n", "site.toml");
  job.doc.load_toml_text("[pretrain]\n\nepochs = 2\n", "job.toml");
  job.doc.set("pretrain.hidden=[7]");
  EXPECT_EQ(job.epochs, 2);
  EXPECT_EQ(job.decay, 0.5);
  EXPECT_EQ(row_of(job, "pretrain.epochs").origin, "job.toml:3");
  EXPECT_EQ(row_of(job, "pretrain.decay").origin, "site.toml:3");
  EXPECT_EQ(row_of(job, "pretrain.hidden").origin, "--set");
  EXPECT_EQ(row_of(job, "pretrain.optimizer").origin, "built-in");
  job.replicas = 8;
  EXPECT_EQ(row_of(job, "pretrain.replicas").origin, "worked out");
  EXPECT_EQ(row_of(job, "pretrain.replicas").value, "8");
}

TEST(Document, SetTakesTomlOrAPlainString) {
  Job job;
  for (const char* assignment :
       {"data.train=a.csv", "pretrain.hidden=[500,500]", "pretrain.learning_rate=1e-3",
        "pretrain.optimizer=adagrad", "pretrain.centre=false", "job.name=2024",
        "pretrain.layer.1.epochs=3", "data.drop=[\"a=b\"]"})
    job.doc.set(assignment);
  EXPECT_EQ(job.train.rows, "a.csv");
  EXPECT_EQ(job.hidden, (std::vector<int64_t>{500, 500}));
  EXPECT_EQ(job.rate, 1e-3);
  EXPECT_EQ(job.optimizer, "adagrad");
  EXPECT_FALSE(job.centre);
  EXPECT_EQ(job.name, "2024");
  EXPECT_EQ(job.layers.at("1").epochs, 3);
  EXPECT_EQ(job.drop, (std::vector<std::string>{"a=b"}));
  job.doc.set("pretrain.hidden=300, 200");
  EXPECT_EQ(job.hidden, (std::vector<int64_t>{300, 200}));
  job.doc.set("pretrain.hidden=100");
  EXPECT_EQ(job.hidden, (std::vector<int64_t>{100}));
  job.doc.set("data.drop=a b,c");
  EXPECT_EQ(job.drop, (std::vector<std::string>{"a b", "c"}));
  job.doc.set("job.name=\"quoted\"");
  EXPECT_EQ(job.name, "quoted");
  job.doc.set("job.name=");
  EXPECT_EQ(job.name, "");
  job.doc.set("data.train.rows=b.csv");
  EXPECT_EQ(job.train, (Location{"b.csv", ""}));
}

TEST(Document, SetRefusesWhatIsNoAssignment) {
  EXPECT_EQ(set_error("epochs"), "--set 'epochs': wanted section.key=value");
  EXPECT_EQ(set_error("epochs=3"), "--set 'epochs=3': wanted section.key=value");
  EXPECT_EQ(set_error("pretrain.=3"), "--set 'pretrain.=3': wanted section.key=value");
  EXPECT_EQ(set_error("job.name=\xff"), "--set 'job.name=\\xFF': is not UTF-8");
  EXPECT_EQ(set_error("pretrain.epochs=many"),
            "--set: pretrain.epochs is 'many', wanted integer, 0 to 1000000");
  // A line end does not smuggle in a second key: the whole is text, and no integer.
  EXPECT_NE(set_error("pretrain.epochs=3\n[job]"), "");
}

TEST(Document, NamesTheLineTheKeyAndTheNearestOne) {
  EXPECT_EQ(load_error("[pretrain]\n\nepoch = 3\n"),
            "job.toml:3: no key 'epoch' in [pretrain]; did you mean 'epochs'? keys: epochs, "
            "learning_rate, decay, optimizer, centre, hidden, schedule, replicas, layer");
  EXPECT_EQ(load_error("[pretrian]\nepochs = 3\n"),
            "job.toml:1: no section 'pretrian'; did you mean [pretrain]? sections: job, data, "
            "pretrain");
  EXPECT_EQ(load_error("[zzz]\n"), "job.toml:1: no section 'zzz'; sections: job, data, pretrain");
  EXPECT_EQ(load_error("epochs = 3\n"),
            "job.toml:1: key 'epochs' stands outside of the sections; sections: job, data, "
            "pretrain");
  EXPECT_EQ(load_error("data = 3\n"),
            "job.toml:1: 'data' is a section, wanted [data] with keys, got 3");
}

TEST(Document, ReportsTheFirstOfTwoMistakes) {
  EXPECT_EQ(load_error("[pretrain]\nz = 1\na = 2\n").substr(0, 22), "job.toml:2: no key 'z'");
}

TEST(Document, NamesTheValueAndWhatWasWanted) {
  EXPECT_EQ(load_error("[pretrain]\nepochs = 2.5\n"),
            "job.toml:2: pretrain.epochs is 2.5, wanted integer, 0 to 1000000");
  EXPECT_EQ(load_error("[pretrain]\nepochs = -1\n"),
            "job.toml:2: pretrain.epochs is -1, wanted integer, 0 to 1000000");
  EXPECT_EQ(load_error("[pretrain]\nlearning_rate = 0\n"),
            "job.toml:2: pretrain.learning_rate is 0, wanted number, above 0");
  EXPECT_EQ(load_error("[pretrain]\ndecay = 1.0\n"),
            "job.toml:2: pretrain.decay is 1.0, wanted number, at least 0, below 1");
  EXPECT_EQ(load_error("[pretrain]\nlearning_rate = nan\n"),
            "job.toml:2: pretrain.learning_rate is nan, wanted number, above 0");
  EXPECT_EQ(load_error("[pretrain]\nlearning_rate = inf\n"),
            "job.toml:2: pretrain.learning_rate is inf, wanted number, above 0");
  EXPECT_EQ(load_error("[pretrain]\noptimizer = \"adagrd\"\n"),
            "job.toml:2: pretrain.optimizer is 'adagrd'; did you mean 'adagrad'? wanted one of "
            "\"sgd\", \"adagrad\"");
  EXPECT_EQ(load_error("[pretrain]\noptimizer = \"newton\"\n"),
            "job.toml:2: pretrain.optimizer is 'newton', wanted one of \"sgd\", \"adagrad\"");
  EXPECT_EQ(load_error("[pretrain]\nhidden = 500\n"),
            "job.toml:2: pretrain.hidden is 500, wanted list of integers, at least 1");
  EXPECT_EQ(load_error("[pretrain]\nhidden = [500, 0]\n"),
            "job.toml:2: pretrain.hidden is 0, wanted list of integers, at least 1");
  EXPECT_EQ(load_error("[pretrain]\ncentre = \"yes\"\n"),
            "job.toml:2: pretrain.centre is 'yes', wanted true or false");
  EXPECT_EQ(load_error("[job]\nname = [1]\n"), "job.toml:2: job.name is a list, wanted text");
  EXPECT_EQ(load_error("[job]\nname = 2020-01-02\n"),
            "job.toml:2: job.name is 2020-01-02, wanted text");
}

TEST(Document, NamesTheLineAndColumnOfASyntaxError) {
  EXPECT_EQ(load_error("[pretrain]\nepochs = = 3\n").substr(0, 13), "job.toml:2:10");
  EXPECT_EQ(load_error("[pretrain]\nepochs = 1\nepochs = 2\n").substr(0, 11), "job.toml:3:");
}

TEST(Document, TellsWhereATableOfSectionsIsWrong) {
  EXPECT_EQ(load_error("[pretrain.layer.one]\nepochs = 1\n"),
            "job.toml:1: [pretrain.layer.one]: wanted the number of a layer");
  EXPECT_EQ(load_error("[pretrain.layer]\nepochs = 1\n"),
            "job.toml:2: [pretrain.layer] wants sections below it, got a key 'epochs'");
  EXPECT_EQ(load_error("[pretrain]\nlayer = 1\n"),
            "job.toml:2: [pretrain.layer] wants sections below it, as in [pretrain.layer.1], "
            "got 1");
  EXPECT_EQ(load_error("[pretrain.layer.1]\nepoch = 1\n"),
            "job.toml:2: no key 'epoch' in [pretrain.layer.1]; did you mean 'epochs'? keys: "
            "epochs, learning_rate");
}

TEST(Document, ShowsStrangeBytesWithoutPassingThemOn) {
  EXPECT_EQ(in_quotes("a\x01\xff\xc3\xa9"), "'a\\x01\\xFF\xc3\xa9'");
  EXPECT_EQ(in_quotes("\xed\xa0\x80"), "'\\xED\\xA0\\x80'");  // a surrogate
  EXPECT_EQ(in_quotes("\xe2\x82"), "'\\xE2\\x82'");           // cut short
  EXPECT_EQ(in_quotes(std::string(500, 'x')).size(), 1 + 100 + 3 + 1U);
  EXPECT_EQ(load_error("[job]\nname = \"\xff\"\n").substr(0, 11), "job.toml:2:");
}

TEST(Document, WritesAJobFileThatReadsBackTheSame) {
  Job job;
  job.doc.load_toml_text("[pretrain.layer.1]\nlearning_rate = 0.3\n", "job.toml");
  job.name = "tab\there \"quoted\" back\\slash \xc3\xa9 \x01 line\nend";
  job.train = {"a.idx", "b.idx"};
  job.drop = {"", "b c"};
  job.schedule = {0.1, 1.0, 1.0 / 3.0, 5e-324, 0.30000000000000004};
  job.rate = std::numeric_limits<double>::max();
  job.hidden = {1, 9223372036854775807};
  job.replicas = 3;
  for (const bool with_comments : {true, false}) {
    for (const bool only_changed : {true, false}) {
      const std::string text = job.doc.to_toml(with_comments, only_changed);
      Job back;
      back.doc.load_toml_text(text, "back.toml");
      EXPECT_EQ(back.name, job.name);
      EXPECT_EQ(back.train, job.train);
      EXPECT_EQ(back.drop, job.drop);
      EXPECT_EQ(back.schedule, job.schedule);
      EXPECT_EQ(back.rate, job.rate);
      EXPECT_EQ(back.hidden, job.hidden);
      EXPECT_EQ(back.replicas, job.replicas);
      EXPECT_EQ(back.layers.at("1").learning_rate, 0.3);
      EXPECT_EQ(back.doc.result_hash(), job.doc.result_hash());
      EXPECT_EQ(back.doc.to_toml(with_comments, only_changed), text);
    }
  }
}

TEST(Document, WritesTextsAndDefaultsAboveTheKeys) {
  Job job;
  job.epochs = 12;
  EXPECT_EQ(job.doc.to_toml(true, true),
            "# Greedy pretraining.\n"
            "[pretrain]\n"
            "\n"
            "# Passes over the rows for each layer.\n"
            "# integer, 0 to 1000000; default: 10\n"
            "epochs = 12\n");
  EXPECT_EQ(job.doc.to_toml(false, true), "[pretrain]\nepochs = 12\n");
  const std::string all = job.doc.to_toml();
  EXPECT_NE(all.find("# integer, at least 1; default: not set\n# replicas =\n"), std::string::npos);
  EXPECT_NE(all.find("\n# train = \"\"\n"), std::string::npos);
  EXPECT_NE(all.find("\nlearning_rate = 0.1\n"), std::string::npos);
}

TEST(Document, HashesTheKeysThatChangeTheModelAlone) {
  Job job;
  EXPECT_EQ(job.doc.result_text(),
            "data.drop = []\n"
            "pretrain.centre = true\n"
            "pretrain.decay = 0.0\n"
            "pretrain.epochs = 10\n"
            "pretrain.hidden = []\n"
            "pretrain.learning_rate = 0.1\n"
            "pretrain.optimizer = \"sgd\"\n"
            "pretrain.schedule = [0.5, 0.9]\n");
  const std::string hash = job.doc.result_hash();
  EXPECT_EQ(hash.size(), 64U);
  job.doc.set("job.name=other");
  job.doc.set("data.train=elsewhere.csv");
  EXPECT_EQ(job.doc.result_hash(), hash);
  job.doc.set("pretrain.layer.1.epochs=1");
  EXPECT_NE(job.doc.result_hash(), hash);
  EXPECT_NE(job.doc.result_text().find("pretrain.layer.1.epochs = 1\n"), std::string::npos);
}

TEST(Document, WritesJson) {
  Job job;
  job.doc.set("pretrain.layer.1.epochs=2");
  const auto json = nlohmann::json::parse(job.doc.to_json());
  EXPECT_EQ(json["pretrain"]["epochs"], 10);
  EXPECT_EQ(json["pretrain"]["learning_rate"], 0.1);
  EXPECT_TRUE(json["pretrain"]["replicas"].is_null());
  EXPECT_EQ(json["pretrain"]["layer"]["1"]["epochs"], 2);
  EXPECT_EQ(json["data"]["train"], "");
}

TEST(Document, WritesASchema) {
  const Job job;
  const auto schema = nlohmann::json::parse(job.doc.schema_json());
  const auto& keys = schema["properties"]["pretrain"]["properties"];
  EXPECT_EQ(keys["epochs"]["type"], "integer");
  EXPECT_EQ(keys["epochs"]["maximum"], 1e6);
  EXPECT_EQ(keys["epochs"]["default"], 10);
  EXPECT_EQ(keys["epochs"]["x-effect"], "result");
  EXPECT_EQ(keys["learning_rate"]["exclusiveMinimum"], 0);
  EXPECT_EQ(keys["optimizer"]["enum"], nlohmann::json({"sgd", "adagrad"}));
  EXPECT_FALSE(keys["replicas"].contains("default"));
  EXPECT_EQ(schema["properties"]["job"]["properties"]["name"]["x-effect"], "run");
  EXPECT_EQ(schema["properties"]["pretrain"]["additionalProperties"], false);
}

TEST(Document, HelpsWithOneSectionOrAll) {
  const Job job;
  EXPECT_EQ(job.doc.help("job"),
            "[job]\n"
            "  What this job is.\n"
            "\n"
            "  name (text; default: not set)\n"
            "      A name for people.\n");
  EXPECT_NE(job.doc.help().find("[pretrain.layer.KEY]"), std::string::npos);
  EXPECT_EQ(error_of([&] { return job.doc.help("jop"); }),
            "no section 'jop'; sections: job, data, pretrain");
}

class DocumentFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "document_test." +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_ + "/.config");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
  }
  std::string folder_;
};

TEST_F(DocumentFiles, ReadsSiteThenUserThenJob) {
  write("site.toml", "[pretrain]\nepochs = 1\ndecay = 0.25\nreplicas = 1\n");
  write(".config/superstep.toml", "[pretrain]\nepochs = 2\nreplicas = 2\n");
  write("job.toml", "[pretrain]\nreplicas = 3\n");
  const std::string home = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "";
  setenv("HOME", folder_.c_str(), 1);
  setenv("SUPERSTEP_CONF", (folder_ + "/site.toml").c_str(), 1);
  Job job;
  job.doc.load_site_and_user_files();
  job.doc.load_toml(folder_ + "/job.toml");
  setenv("HOME", home.c_str(), 1);
  unsetenv("SUPERSTEP_CONF");
  EXPECT_EQ(job.decay, 0.25);
  EXPECT_EQ(job.epochs, 2);
  EXPECT_EQ(job.replicas, 3);
  EXPECT_EQ(row_of(job, "pretrain.replicas").origin, folder_ + "/job.toml:2");
}

TEST_F(DocumentFiles, RefusesWhatIsNoFile) {
  Job job;
  EXPECT_EQ(error_of([&] { job.doc.load_toml(folder_ + "/none.toml"); }),
            folder_ + "/none.toml: No such file or directory");
  EXPECT_EQ(error_of([&] { job.doc.load_toml(folder_); }), folder_ + ": cannot be read as a file");
  write("empty.toml", "");
  job.doc.load_toml(folder_ + "/empty.toml");
  EXPECT_EQ(job.epochs, 10);
}

TEST(NearestName, AllowsAFewLettersMore) {
  const std::vector<std::string> names{"epochs", "learning_rate", "batch"};
  EXPECT_EQ(nearest_name("epoch", names), "epochs");
  EXPECT_EQ(nearest_name("EPOCHS", names), "epochs");
  EXPECT_EQ(nearest_name("learnign_rate", names), "learning_rate");
  EXPECT_EQ(nearest_name("momentum", names), "");
  EXPECT_EQ(nearest_name("", names), "");
  EXPECT_EQ(nearest_name(std::string(10'000, 'e'), names), "");
}

}  // namespace
}  // namespace superstep::config
