// How long one answer takes: a row through 64-256-128-2, and rows a second in batches.
//
//   build/release/bin/predict_bench
//
// Percentiles over 100,000 calls on one thread, pinned by the caller (taskset).
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "superstep/models/model.h"
#include "superstep/models/testing.h"

namespace {

using namespace superstep;
using Clock = std::chrono::steady_clock;

constexpr int64_t kColumns = 64;
constexpr int kCalls = 100'000;

models::Model two_classes() {
  std::string csv;
  for (int64_t row = 0; row < 8; ++row) {
    for (int64_t c = 0; c < kColumns; ++c) csv += fmt::format("{},", (row * 7 + c * 3) % 11);
    csv += row % 2 ? "yes\n" : "no\n";
  }
  const models::testing::Table table(csv, std::to_string(kColumns), "minmax");
  models::ModelConfig config;
  config.kind = "mlp";
  config.hidden = {256, 128};
  models::Model model = table.model(config);
  model.set_params(model.network().initial(RngKey(1)));
  return model;
}

double microseconds(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

}  // namespace

int main() {
  const models::Model model = two_classes();
  models::Predictor predictor(model);

  Tensor row({1, kColumns});
  fill_uniform(RngKey(2), 0, row.values());
  std::vector<double> times(kCalls);
  for (double& time : times) {
    const auto begin = Clock::now();
    predictor.predict(std::as_const(row).matrix());
    time = microseconds(begin);
  }
  std::ranges::sort(times);
  const auto percentile = [&](double share) {
    return times[static_cast<size_t>(share * static_cast<double>(times.size() - 1))];
  };
  fmt::print("one row through {}: median {:.2f} us, 99th percentile {:.2f} us, 99.9th {:.2f} us\n",
             model.network().describe(), percentile(0.5), percentile(0.99), percentile(0.999));

  for (const int64_t rows : {16, 256, 1024}) {
    Tensor x({rows, kColumns});
    fill_uniform(RngKey(3), 0, x.values());
    std::vector<double> rates;
    for (int trial = 0; trial < 9; ++trial) {
      const auto begin = Clock::now();
      const int64_t batches = 200'000 / rows;
      for (int64_t b = 0; b < batches; ++b) predictor.predict(std::as_const(x).matrix());
      rates.push_back(static_cast<double>(rows * batches) / microseconds(begin));
    }
    std::ranges::sort(rates);
    fmt::print("batches of {:>4}: {:.2f} million rows a second (median of {})\n", rows,
               rates[rates.size() / 2], rates.size());
  }
}
