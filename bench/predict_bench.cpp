// How long one answer takes: a row through 64-256-128-2, and rows a second in batches.
//
//   taskset -c 1 build/release/bin/predict_bench
//   predict_bench --turns --model FILE --data FILE --save FILE       # for bench/peers/run.py score
//
// Percentiles over 100,000 calls on one thread. The second form takes turns with other programs:
// for every line on standard input a line of JSON with the percentiles of calls in batches of 1,
// 256 and 1,024 rows; at the end it saves its answers.
#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/figure.h"
#include "bench/stopwatch.h"
#include "superstep/io/safetensors.h"
#include "superstep/io/stream.h"
#include "superstep/io/write.h"
#include "superstep/models/model.h"
#include "superstep/models/testing.h"

namespace superstep::bench {
namespace {

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

// Microseconds of each of so many calls.
std::vector<double> times_of(models::Predictor& predictor, ConstMatrix x, int64_t calls) {
  std::vector<double> times(static_cast<size_t>(calls));
  for (double& time : times) {
    const auto begin = Clock::now();
    predictor.predict(x);
    time = microseconds(begin);
  }
  return times;
}

void run_all(const Figures& figures) {
  const models::Model model = two_classes();
  models::Predictor predictor(model);
  const std::string net = model.network().describe();

  Tensor row({1, kColumns});
  fill_uniform(RngKey(2), 0, row.values());
  const std::vector<double> times = times_of(predictor, std::as_const(row).matrix(), kCalls);
  for (const double share : {0.5, 0.99, 0.999})
    figures.add(fmt::format("one row through {}, {:.4g}th percentile", net, 100 * share),
                percentile(times, share), "us");

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
    figures.add(fmt::format("batches of {} through {}", rows, net), median(rates),
                "million rows a second");
  }
}

void take_turns(const std::string& model_path, const std::string& data, const std::string& save) {
  const models::Model model = models::Model::load(model_path);
  models::Predictor predictor(model);
  const ParamSet rows = io::from_bytes(io::read_file(data), data).tensors;
  const ConstMatrix x = rows.matrix("x");
  const std::map<int64_t, int64_t> calls = {{1, 20'000}, {256, 400}, {1024, 100}};  // by batch
  for (const auto& [batch, count] : calls) times_of(predictor, x.head(batch), 1);

  std::cout << R"({"ready": true})" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    nlohmann::json figures;
    const Stopwatch watch;
    for (const auto& [batch, count] : calls) {
      const std::vector<double> times = times_of(predictor, x.head(batch), count);
      figures[fmt::format("p50 {}", batch)] = percentile(times, 0.5);
      figures[fmt::format("p99 {}", batch)] = percentile(times, 0.99);
    }
    figures["seconds"] = watch.elapsed().wall;
    figures["processor"] = watch.elapsed().processor;
    std::cout << figures << std::endl;
  }
  const Matrix answers = predictor.predict(x);
  ParamSet saved({{"x", {answers.rows, answers.cols}}});
  for (int64_t r = 0; r < answers.rows; ++r)
    std::ranges::copy(answers.row(r), saved.matrix("x").row(r).begin());
  io::write_file(save, io::to_bytes({.metadata = {}, .tensors = saved, .blobs = {}}));
}

}  // namespace
}  // namespace superstep::bench

int main(int argc, char** argv) {
  using namespace superstep::bench;
  CLI::App app("How long one answer takes");
  bool turns = false, json = false;
  std::string model, data, save;
  app.add_flag("--turns", turns, "a measurement a line on standard input; needs the files");
  app.add_option("--model", model, "a model file");
  app.add_option("--data", data, "safetensors with x: rows, scaled");
  app.add_option("--save", save, "where the answers go");
  app.add_flag("--json", json, "figures as JSON");
  CLI11_PARSE(app, argc, argv);
  try {
    if (turns)
      take_turns(model, data, save);
    else
      run_all(Figures(argc, argv));
  } catch (const std::exception& error) {
    fmt::print(stderr, "predict_bench: {}\n", error.what());
    return 1;
  }
}
