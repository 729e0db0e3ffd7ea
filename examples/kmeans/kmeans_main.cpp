// k-means on a table or on pictures, read by the library:
//
//   kmeans DATA [--clusters 10] [--label COLUMN] [--scale none] [--rounds 50] [--seed 1]
//               [--workers 1]
//
// Prints the centres, the sum of squared distances to them, and the hash of the centres, which is
// the same for any number of workers. --label names a column to leave out.

#include <cstdio>
#include <exception>
#include <numeric>
#include <string>

#include "examples/kmeans/kmeans.h"
#include "superstep/base/hash.h"
#include "superstep/data/row_source.h"
#include "superstep/engines/local.h"
#include "superstep/training/fit.h"

namespace {

struct Arguments {
  data::DataConfig data;
  KMeans::Options options;
  int lanes = 1;
};

Arguments parse(int argc, char** argv) {
  Arguments a;
  a.data.scale = "none";
  if (argc < 2 || argc % 2 != 0)
    throw ConfigError("usage: kmeans DATA [--clusters N] [--label COLUMN] [--scale none] ...");
  a.data.train.rows = argv[1];
  for (int i = 2; i < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--label")
      a.data.label = value;
    else if (name == "--scale")
      a.data.scale = value;
    else if (name == "--clusters")
      a.options.clusters = std::stoll(value);
    else if (name == "--rounds")
      a.options.rounds = std::stoll(value);
    else if (name == "--seed")
      a.options.seed = std::stoull(value);
    else if (name == "--workers")
      a.lanes = std::stoi(value);
    else
      throw ConfigError("{}: no such option", name);
  }
  return a;
}

double inertia(const Batch& rows, ConstMatrix centres) {
  double sum = 0;
  for (int64_t r = 0; r < rows.rows(); ++r) {
    double nearest = std::numeric_limits<double>::infinity();
    for (int64_t c = 0; c < centres.rows; ++c) {
      double distance = 0;
      for (size_t j = 0; j < centres.row(c).size(); ++j) {
        const double d = rows.x.matrix().row(r)[j] - centres.row(c)[j];
        distance += d * d;
      }
      nearest = std::min(nearest, distance);
    }
    sum += nearest;
  }
  return sum;
}

void run(const Arguments& arguments) {
  // Reading is a Program too: `fit` counts the rows and learns how to scale them.
  const auto files = data::DataSet::open(arguments.data.train, arguments.data);
  const training::FitProgram fit(files, {.task = "none",
                                         .scale = arguments.data.scale,
                                         .threshold = arguments.data.threshold,
                                         .training = [](int64_t) { return true; }});
  auto fitted = fit.result(engines::run_local(fit, arguments.lanes, {}).run.state);
  std::vector<int64_t> rows(static_cast<size_t>(fitted.index.rows));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  const data::RowSource source(files, fitted.index, fitted.scaling, fitted.target);

  const KMeans program(source, rows, arguments.options);
  const auto done = engines::run_local(program, arguments.lanes, {}).run;

  const ConstMatrix centres = done.state.shared.matrix("centres");
  constexpr size_t kShown = 8;
  for (int64_t c = 0; c < centres.rows; ++c) {
    std::printf("centre %lld ", static_cast<long long>(c));
    const auto centre = centres.row(c);
    for (size_t j = 0; j < std::min(centre.size(), kShown); ++j) std::printf(" %9.4f", centre[j]);
    std::printf("%s\n", centre.size() > kShown ? " ..." : "");
  }
  Batch all;
  source.read(rows, all);
  const auto values = done.state.shared.values("centres");
  std::printf("rows %zu, rounds %lld, inertia %.4f\n", rows.size(),
              static_cast<long long>(done.rounds), inertia(all, centres));
  std::printf("sha256 of the centres: %s\n",
              sha256_hex(values.data(), values.size_bytes()).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(parse(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
