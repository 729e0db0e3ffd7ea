#include <unistd.h>

#include <filesystem>

#include "superstep/base/log.h"
#include "superstep/front_door/prepare.h"
#include "superstep/front_door/runs.h"
#include "superstep/io/file.h"

namespace superstep {
namespace {

namespace fs = std::filesystem;

// The first tensor that differs, by name, or what else does.
std::string difference(const models::Model& a, const models::Model& b) {
  const ParamLayout& layout = a.params().layout();
  if (layout.specs() != b.params().layout().specs()) return "the shape of the network";
  for (int t = 0; t < layout.size(); ++t) {
    const auto x = a.params().values(t), y = b.params().values(t);
    for (size_t i = 0; i < x.size(); ++i)
      if (x[i] != y[i]) return fmt::format("{}[{}]: {} and {}", layout.spec(t).name, i, x[i], y[i]);
  }
  return "what is known of the data";
}

}  // namespace

VerifyResult verify(const std::string& path, int lanes, const TrainOptions& options) {
  const std::string run = front_door::find_run(path);
  if (run.empty()) throw ConfigError("{}: no run here to verify", path);
  const std::string model = find_model(run);

  Job job;
  job.load((fs::path(run) / front_door::kJobFile).string());
  if (lanes > 0) job.engine.workers = lanes;
  const fs::path again = fs::path(run) / fmt::format("verify-{}", getpid());
  job.output.dir = again.string();
  struct Remove {
    const fs::path& folder;
    ~Remove() {
      try {
        io::remove(folder.string());
      } catch (const FileError& error) {
        log::warning("{}", error.what());
      }
    }
  } const remove{again};
  const TrainResult done = train(job, options);
  if (!done.finished) throw Error("stopped before the second training was done");

  VerifyResult result{.same = false,
                      .sha256 = front_door::sha256_of(model),
                      .again = done.sha256,
                      .first_difference = {}};
  result.same = result.sha256 == result.again;
  if (!result.same)
    result.first_difference =
        difference(models::Model::load(model), models::Model::load(done.model));
  return result;
}

}  // namespace superstep
