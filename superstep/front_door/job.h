// A job: all sections of a job file with the values in force. Filled in layers (built-in, site
// file, user file, job file, --set), and completed by what the data show.
//
//   Job job;
//   job.load("examples/mnist/dbn.toml");
//   job.set("finetune.epochs=30");
//   TrainResult done = train(job);
#pragma once

#include <string>
#include <string_view>

#include "superstep/config/document.h"
#include "superstep/data/config.h"
#include "superstep/engines/config.h"
#include "superstep/models/config.h"
#include "superstep/reduce/config.h"
#include "superstep/training/config.h"

namespace superstep {

/// The [output] section.
struct OutputConfig {
  std::string dir;
  double checkpoint_seconds = 30;

  void declare(config::Section& section);
};

class Job {
 public:
  /// Built-in values, then the site's and the user's files.
  Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  /// A job file: TOML, or one of 2014 (properties_job.h). Its relative data paths start at
  /// data.dir, or else at the folder one is in.
  void load(const std::string& path);
  /// The text of a job file; `origin` stands for the file in messages.
  void load_text(std::string_view text, const std::string& origin);
  /// "section.key=value".
  void set(std::string_view assignment) { document.set(assignment); }
  /// What suits a table of which nothing is known but its label: rows are held out to test on, and
  /// the model follows the label.
  void use_data(const std::string& path, const std::string& label);
  /// Rows that use_data holds out to test on.
  static constexpr double kTestFractionOfATable = 0.2;

  training::JobConfig job;
  data::DataConfig data;
  models::ModelConfig model;
  training::PretrainConfig pretrain;
  training::FinetuneConfig finetune;
  reduce::ReduceConfig reduce;
  training::NumericsConfig numerics;
  engines::EngineConfig engine;
  OutputConfig output;
  config::Document document;
};

}  // namespace superstep
