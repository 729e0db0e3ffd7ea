// What a network has to beat: 1-nearest-neighbour (Cover and Hart 1967) on the rows that a job
// learns from and is tested on. Pixels are compared as they are, by squared distance.
//
//   nearest_neighbour examples/digits/job.toml --set data.dir=FOLDER
//
// Other arguments of `superstep train` are allowed and change nothing.

#include <cstdio>
#include <exception>
#include <limits>
#include <string_view>

#include "superstep/front_door/prepare.h"

namespace {

using namespace superstep;

Batch read(const front_door::Rows& rows) {
  Batch batch;
  rows.source->read(rows.numbers, batch);
  return batch;
}

double error_of_nearest(const Batch& known, const Batch& asked) {
  int64_t wrong = 0;
  for (int64_t i = 0; i < asked.rows(); ++i) {
    double least = std::numeric_limits<double>::infinity();
    int32_t answer = -1;
    for (int64_t k = 0; k < known.rows(); ++k) {
      const auto a = asked.x.matrix().row(i), b = known.x.matrix().row(k);
      double distance = 0;
      for (size_t j = 0; j < a.size(); ++j) {
        const double d = a[j] - b[j];
        distance += d * d;
      }
      if (distance < least) {
        least = distance;
        answer = known.labels[static_cast<size_t>(k)];
      }
    }
    if (answer != asked.labels[static_cast<size_t>(i)]) ++wrong;
  }
  return static_cast<double>(wrong) / static_cast<double>(asked.rows());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 2) throw ConfigError("usage: nearest_neighbour JOB.toml [--set KEY=VALUE]...");
    Job job;
    job.load(argv[1]);
    for (int i = 2; i + 1 < argc; ++i)
      if (std::string_view(argv[i]) == "--set") job.set(argv[i + 1]);
    job.set("data.scale=none");
    job.set("model.kind=mlp");  // it takes rows of any scale
    const front_door::Prepared rows = front_door::prepare(job);
    std::printf("1-nearest-neighbour on the same rows: %.2f%%\n",
                100 * error_of_nearest(read(rows.train), read(rows.judged())));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
