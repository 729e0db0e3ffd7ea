// Any bytes as a job file end in success or ConfigError, and what was read is written and read
// back as the same.
#include <cstdint>
#include <map>

#include "superstep/base/error.h"
#include "superstep/config/document.h"

namespace {

using superstep::config::Document;
using superstep::config::Section;

struct Job {
  std::string name, optimizer = "sgd";
  int64_t epochs = 10;
  double rate = 0.1;
  bool centre = true;
  std::vector<int64_t> hidden;
  std::vector<double> schedule;
  std::vector<std::string> drop;
  superstep::config::Location train;
  std::map<std::string, std::optional<int64_t>> layers;
  Document doc;

  Job() {
    doc.section("job", "A job.", [this](Section& s) {
      s.text("name", name, "A text.");
      s.integer("epochs", epochs, "An integer.", {.min = 0, .max = 1000});
      s.number("rate", rate, "A number.");
      s.choice("optimizer", optimizer, "A choice.", {"sgd", "adagrad"});
      s.flag("centre", centre, "A flag.");
      s.integers("hidden", hidden, "Integers.");
      s.numbers("schedule", schedule, "Numbers.");
      s.texts("drop", drop, "Texts.");
      s.location("train", train, "A location.");
      s.table("layer", "Overrides.", [this](const std::string& key, Section& child) {
        child.integer("epochs", layers[key], "An integer.");
      });
    });
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  Job job;
  try {
    job.doc.load_toml_text(text, "fuzz.toml");
    Job back;
    back.doc.load_toml_text(job.doc.to_toml(), "back.toml");
    SUPERSTEP_ASSERT(back.doc.result_text() == job.doc.result_text());
    SUPERSTEP_ASSERT(!job.doc.to_json().empty());
  } catch (const superstep::ConfigError&) {
  }
  try {
    Job assigned;
    assigned.doc.set(text);
  } catch (const superstep::ConfigError&) {
  }
  return 0;
}
