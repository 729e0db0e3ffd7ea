#include "superstep/front_door/job.h"

#include <filesystem>

#include "superstep/front_door/properties_job.h"
#include "superstep/io/file.h"

namespace superstep {
namespace fs = std::filesystem;

void OutputConfig::declare(config::Section& section) {
  section.text("dir", dir,
               "The run's folder. runs/<name>/<n> when not set, with runs/<name>/latest beside it.",
               {.effect = config::kRun});
  section.number(
      "checkpoint_seconds", checkpoint_seconds,
      "Time between two checkpoints; more where one would keep a processor busy for over "
      "2% of it.",
      {.min = 0, .effect = config::kRun});
}

Job::Job() {
  const auto declare = [this](const char* name, const char* text, auto& section) {
    document.section(name, text, [&](config::Section& s) { section.declare(s); });
  };
  declare("job", "What this job is called and what it is random by.", job);
  declare("data", "Where the rows are, what is to be learned of them, and how they are scaled.",
          data);
  declare("model", "What is trained.", model);
  declare("pretrain", "Pretraining of the restricted Boltzmann machines of an rbm or dbn.",
          pretrain);
  declare("finetune", "Training of the whole net by backpropagation.", finetune);
  declare("reduce", "Iterative reduce: replicas train apart and are averaged.", reduce);
  declare("numerics", "How numbers are computed, where that shows in the model.", numerics);
  declare("engine", "Who computes. Never changes the model.", engine);
  declare("output", "Where the results go.", output);
  document.load_site_and_user_files();
}

void Job::load(const std::string& path) {
  if (is_properties(path))
    load_properties(*this, io::read_file(path), path);
  else if (io::is_remote(path))
    document.load_toml_text(io::read_file(path), path);
  else
    document.load_toml(path);
  if (job.name == training::JobConfig{}.name) job.name = fs::path(path).stem().string();
}

void Job::load_text(std::string_view text, const std::string& origin) {
  document.load_toml_text(text, origin);
}

void Job::use_data(const std::string& path, const std::string& label) {
  data.train.rows = path;
  data.label = label;
  data.test_fraction = kTestFractionOfATable;
  fs::path name = fs::path(path).filename();
  while (name.has_extension()) name = name.stem();
  job.name = name.empty() ? "job" : name.string();
}

}  // namespace superstep
