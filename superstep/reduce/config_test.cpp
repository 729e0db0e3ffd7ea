#include "superstep/reduce/config.h"

#include <gtest/gtest.h>

#include "superstep/base/error.h"
#include "superstep/config/document.h"

namespace superstep::reduce {
namespace {

ReduceConfig chosen(ReduceConfig config, int64_t rows, int64_t batch) {
  config.choose(rows, batch);
  return config;
}

TEST(ReduceConfig, ChoosesReplicasAndStepsFromRowsAndBatchAlone) {
  // 600 minibatches: 30 x 20, capped at 8 replicas of 75 minibatches, in supersteps of 38 and 37.
  EXPECT_EQ(chosen({}, 60000, 100).replicas, 8);
  EXPECT_EQ(chosen({}, 60000, 100).local_steps, 38);
  // 115 minibatches: 5 x 20 and some left; 23 a replica, one superstep.
  EXPECT_EQ(chosen({}, 1149, 10).replicas, 5);
  EXPECT_EQ(chosen({}, 1149, 10).local_steps, 23);
  // Fewer rows than one minibatch.
  EXPECT_EQ(chosen({}, 3, 100).replicas, 1);
  EXPECT_EQ(chosen({}, 3, 100).local_steps, 1);
}

TEST(ReduceConfig, KeepsWhatTheJobSays) {
  EXPECT_EQ(chosen({.replicas = 4}, 60000, 100).replicas, 4);
  EXPECT_EQ(chosen({.replicas = 4}, 60000, 100).local_steps, 50);  // 150 a replica: 3 x 50
  EXPECT_EQ(chosen({.local_steps = 7}, 60000, 100).local_steps, 7);
}

TEST(ReduceConfig, IsReadFromAJobFile) {
  ReduceConfig config;
  config::Document doc;
  doc.section("reduce", "Iterative reduce.", [&](config::Section& s) { config.declare(s); });
  doc.load_toml_text("[reduce]\nreplicas = 12\nouter = \"nesterov\"\nouter_rate = 0.9\n", "job");
  EXPECT_EQ(config.replicas, 12);
  EXPECT_EQ(config.outer, "nesterov");
  EXPECT_EQ(config.outer_rate, 0.9);
  EXPECT_EQ(config.outer_momentum, 0.5);
  EXPECT_THROW(doc.load_toml_text("[reduce]\nouter = \"median\"\n", "job"), ConfigError);
  EXPECT_THROW(doc.load_toml_text("[reduce]\nouter_momentum = 1.0\n", "job"), ConfigError);
  EXPECT_THROW(doc.load_toml_text("[reduce]\nreplicas = -1\n", "job"), ConfigError);
}

TEST(ReduceConfig, AuditsDoNotChangeTheResult) {
  ReduceConfig config;
  config::Document doc;
  doc.section("reduce", "Iterative reduce.", [&](config::Section& s) { config.declare(s); });
  const std::string before = doc.result_hash();
  doc.set("reduce.audit=0.25");
  EXPECT_EQ(doc.result_hash(), before);
  doc.set("reduce.replicas=3");
  EXPECT_NE(doc.result_hash(), before);
}

}  // namespace
}  // namespace superstep::reduce
