#include "superstep/front_door/job.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "superstep/base/error.h"
#include "superstep/data/testing.h"

namespace superstep {
namespace {

using data::testing::TestFolder;

// Environment variables that say where the site's and the user's files are, put back afterwards.
class Environment {
 public:
  Environment(const std::string& site, const std::string& home) {
    set("SUPERSTEP_CONF", site);
    set("HOME", home);
  }
  ~Environment() {
    for (const auto& [name, value] : before_) {
      if (value)
        setenv(name.c_str(), value->c_str(), 1);
      else
        unsetenv(name.c_str());
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  void set(const std::string& name, const std::string& value) {
    const char* now = std::getenv(name.c_str());
    before_.emplace_back(name, now ? std::optional<std::string>(now) : std::nullopt);
    setenv(name.c_str(), value.c_str(), 1);
  }
  std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

std::string origin_of(const Job& job, const std::string& key) {
  for (const auto& row : job.document.describe())
    if (row.key == key) return row.origin;
  return "no such key";
}

// Each layer sets what the ones above leave alone, and one key that the next sets again.
TEST(Job, TakesItsValuesFromTheLastLayerThatHasThem) {
  const TestFolder folder;
  std::filesystem::create_directories(folder.path("home/.config"));
  const std::string site = folder.write(
      "site.toml", "[job]\nseed = 2\n[finetune]\nepochs = 11\nbatch = 12\nl2 = 0.13\n");
  const std::string user =
      folder.write("home/.config/superstep.toml", "[finetune]\nepochs = 21\nbatch = 22\n");
  const std::string file =
      folder.write("leaves.toml", "[finetune]\nepochs = 31\n[engine]\nworkers = 3\n");
  const Environment environment(site, folder.path("home"));
  Job job;
  EXPECT_EQ(job.finetune.epochs, 21);
  job.load(file);
  EXPECT_EQ(job.finetune.epochs, 31);
  job.set("finetune.epochs=41");
  EXPECT_EQ(job.finetune.epochs, 41);
  EXPECT_EQ(job.engine.workers, 3);
  EXPECT_EQ(job.finetune.batch, 22);
  EXPECT_EQ(job.finetune.l2, 0.13);
  EXPECT_EQ(job.job.seed, 2);
  EXPECT_EQ(job.finetune.momentum, 0.9);  // built in
  EXPECT_EQ(job.job.name, "leaves");      // of the file, where none is given

  EXPECT_EQ(origin_of(job, "finetune.epochs"), "--set");
  EXPECT_NE(origin_of(job, "engine.workers").find("leaves.toml"), std::string::npos);
  EXPECT_NE(origin_of(job, "finetune.batch").find(".config/superstep.toml"), std::string::npos);
  EXPECT_NE(origin_of(job, "finetune.l2").find("site.toml"), std::string::npos);
}

TEST(Job, KeepsTheNameThatItsFileGivesIt) {
  const TestFolder folder;
  Job job;
  job.load(folder.write("a.toml", "[job]\nname = \"trees\"\n"));
  EXPECT_EQ(job.job.name, "trees");
}

TEST(Job, RefusesKeysThatThereAreNotAndListsThoseThereAre) {
  Job job;
  EXPECT_ERROR(ConfigError, job.set("finetune.epoch=3"), "epoch", "epochs");
  EXPECT_ERROR(ConfigError, job.set("fintune.epochs=3"), "fintune", "finetune");
  const TestFolder folder;
  EXPECT_ERROR(ConfigError, job.load(folder.write("a.toml", "[model]\nkind = \"tree\"\n")),
               "a.toml:2", "tree", "dbn");
  EXPECT_ERROR(ConfigError, job.load(folder.path("none.toml")), "none.toml");
}

TEST(Job, OfATableHoldsRowsOutAndIsCalledAsTheFile) {
  Job job;
  job.use_data("some/iris.csv.gz", "species");
  EXPECT_EQ(job.data.train.rows, "some/iris.csv.gz");
  EXPECT_EQ(job.data.label, "species");
  EXPECT_EQ(job.data.test_fraction, 0.2);
  EXPECT_EQ(job.job.name, "iris");
}

// A folder with a trailing slash has no name of its own to take.
TEST(Job, OfAFolderHasANameAnyway) {
  Job job;
  job.use_data("rows/", "");
  EXPECT_EQ(job.job.name, "job");
}

// Engine and output change no model: they are left out of what must be the same to go on.
TEST(Job, IsTheSameJobWhoeverComputesIt) {
  Job a, b;
  b.set("engine.workers=7");
  b.set("output.checkpoint_seconds=1");
  b.set("job.name=other");
  EXPECT_EQ(a.document.result_hash(), b.document.result_hash());
  b.set("job.seed=2");
  EXPECT_NE(a.document.result_hash(), b.document.result_hash());
}

}  // namespace
}  // namespace superstep
