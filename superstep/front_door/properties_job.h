// Jobs of 2014: the .properties files of Metronome, KnittingBoar and the YARN port of DL4J, which
// IterativeReduce ran. Their keys become settings of ours by one table (docs/properties.md):
//
//   Job job;
//   job.load("job.properties");                    // calls load_properties
//   auto metrics = evaluate_properties("job.properties");
//   fmt::print("{}", lines_of_2014(metrics));      // Actual Class 0 was predicted with ...
//
// What is trained is said by yarn.worker.main or yarn.master.main, else by the keys that are there.
// What a file does not say has the default of docs/config.md, not that of 2014.
#pragma once

#include <string>
#include <string_view>

#include "superstep/front_door/job.h"
#include "superstep/training/evaluation.h"

namespace superstep {

bool is_properties(const std::string& path);

/// Sets what the text of a property file says, and names on standard error what means nothing here.
/// Where engine.kind is "yarn" by now, paths without a scheme are on HDFS, as they were in 2014.
/// Throws ConfigError naming file, line, key and value, and what was wanted; for an unknown key,
/// the nearest known one.
void load_properties(Job& job, std::string_view text, const std::string& path);

/// The model that a property file has trained, on all rows of the file's evaluate.dataset.path,
/// else of app.input.path. A path without a scheme that is not on this machine is looked for on
/// HDFS, where Hadoop is configured.
struct ScoredPlaces {
  std::string model, data;
};
ScoredPlaces places_to_score(const std::string& path);

/// What the tools of 2014 printed of classes: a line for each cell of the confusion matrix that is
/// not 0, and the F1 score (here the mean of all classes). Empty for what are no classes.
std::string lines_of_2014(const training::Metrics& metrics);

/// The table as Markdown: old key, what it becomes, how.
std::string properties_table();

}  // namespace superstep
