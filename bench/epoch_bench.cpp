// Seconds an epoch: a restricted Boltzmann machine by CD-1 and a multilayer perceptron by plain
// SGD, batch 100, on one thread; by the local engine (one lane, one replica, 50 local steps) and by
// a bare loop.
//
//   taskset -c 1 build/release/bin/epoch_bench             # made-up rows of MNIST's size, and peak
//   epoch_bench --net rbm --hidden 500 --data FILE --turns --save-start FILE --save FILE
//
// The second form takes turns with other programs (bench/peers/run.py): one net, an epoch a line on
// standard input, a line of JSON back, the tensors saved at the end.
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/bare_loop.h"
#include "bench/figure.h"
#include "bench/job.h"
#include "bench/peak.h"
#include "bench/stopwatch.h"
#include "superstep/engines/local.h"
#include "superstep/io/write.h"

namespace superstep::bench {
namespace {

struct Options {
  std::string net = "rbm", loop = "engine", form = "auto";
  std::vector<int64_t> hidden = {500};
  std::string activation = "relu", visible = "binary";
  double rate = 0.1, momentum = 0;
  bool sample = false;
  std::string data, start, save_start, save;
};

// Who says when an epoch begins, and hears how long it took.
class Turns {
 public:
  virtual ~Turns() = default;
  virtual bool wait() = 0;  // false: no more
  virtual void took(const Seconds& seconds) = 0;
};

class TurnsByLine : public Turns {
 public:
  bool wait() override {
    if (!ready_) std::cout << R"({"ready": true})" << std::endl;
    ready_ = true;
    std::string line;
    return static_cast<bool>(std::getline(std::cin, line));
  }
  void took(const Seconds& seconds) override {
    std::cout << nlohmann::json{{"seconds", seconds.wall}, {"processor", seconds.processor}}
              << std::endl;
  }

 private:
  bool ready_ = false;
};

class FixedTurns : public Turns {
 public:
  bool wait() override { return seconds_.size() < kTurns; }
  void took(const Seconds& seconds) override {
    seconds_.push_back(seconds.wall);
    processor_.push_back(seconds.processor);
  }
  [[nodiscard]] double fast() const { return percentile(seconds_, 0.1); }
  [[nodiscard]] double processor() const { return percentile(processor_, 0.1); }

 private:
  static constexpr size_t kTurns = 7;
  std::vector<double> seconds_, processor_;
};

// The network's own tensors of a state.
ParamSet tensors_of(const models::Network& network, const ParamSet& shared) {
  ParamSet params(network.layout());
  for (int t = 0; t < params.layout().size(); ++t)
    std::ranges::copy(shared.values(params.layout().spec(t).name), params.values(t).begin());
  return params;
}

void save(const std::string& path, const ParamSet& params) {
  if (!path.empty())
    io::write_file(path, io::to_bytes({.metadata = {}, .tensors = params, .blobs = {}}));
}

// Holds the engine between two epochs until the next turn.
class TurnObserver : public cluster::Observer {
 public:
  TurnObserver(const Options& options, const models::Network& network, Turns& turns)
      : options_(options), network_(network), turns_(turns) {}

  void begin(const ParamSet& shared) {
    save(options_.save_start, tensors_of(network_, shared));
    next(shared);
  }
  void on_round(const cluster::RoundDone& done) override {
    if (done.round.args == training::kMeans) return begin(done.state.shared);
    if (done.report.event == "superstep") return;
    turns_.took(watch_.elapsed());
    next(done.state.shared);
  }
  [[nodiscard]] std::stop_token stop() const { return stop_.get_token(); }

 private:
  void next(const ParamSet& shared) {
    if (!turns_.wait()) {
      save(options_.save, tensors_of(network_, shared));
      stop_.request_stop();
    }
    watch_ = Stopwatch();
  }

  const Options& options_;
  const models::Network& network_;
  Turns& turns_;
  Stopwatch watch_;
  std::stop_source stop_;
};

void run_engine(const Options& options, const training::NetworkJob& job, Turns& turns) {
  const training::NetworkProgram program(job);
  TurnObserver observer(options, *job.network, turns);
  // A machine's first state is known once the means of its visible units are.
  if (!job.pretrain_machines) observer.begin(program.initial().shared);
  engines::run_local(program, 1, {.stop = observer.stop(), .observer = &observer});
}

void run_bare(const Options& options, const training::NetworkJob& job,
              const training::PhaseConfig& phase, const training::Learner& learner,
              const std::string& name, Turns& turns) {
  ParamSet params = job.network->initial(RngKey(job.seed).fold("initial"));
  if (!options.start.empty())
    params = tensors_of(*job.network,
                        io::from_bytes(io::read_file(options.start), options.start).tensors);
  {
    BareLoop loop(job, phase, learner, name, params);
    for (int64_t epoch = 0; turns.wait(); ++epoch) {
      const Stopwatch watch;
      loop.epoch(epoch);
      turns.took(watch.elapsed());
    }
  }
  save(options.save, params);
}

void run(const Options& options, const std::shared_ptr<const data::MatrixSource>& dense,
         Turns& turns) {
  const auto rows = options.form == "auto" ? in_form(dense, options.hidden.front()) : dense;
  models::ModelConfig config;
  config.kind = options.net;
  config.hidden = options.hidden;
  config.activation = options.activation;
  config.visible = options.visible;
  const Net net(config, rows->columns());
  training::NetworkJob job = net.job(rows, /*epochs=*/1'000'000);  // until there are no more turns
  const auto set = [&](training::PhaseConfig& phase) {
    phase.learning_rate = options.rate;
    phase.schedule = "constant";
    phase.momentum = options.momentum;
    phase.l2 = 0;
  };
  set(job.pretrain);
  set(job.finetune);
  job.pretrain.initial_momentum = options.momentum;
  job.pretrain.sample_reconstruction = options.sample;

  if (options.loop == "engine") return run_engine(options, job, turns);
  if (const auto* rbm = dynamic_cast<const layers::Rbm*>(&net.network.layer(0))) {
    const training::ContrastiveDivergence divergence(*rbm, 0,
                                                     {.sample_reconstruction = options.sample});
    run_bare(options, job, job.pretrain, divergence, "pretrain.0", turns);
  } else {
    run_bare(options, job, job.finetune, training::Backpropagation(net.network, net.loss),
             "finetune", turns);
  }
}

// Operations of the dense products of an epoch: of CD-1 three ways and two statistics; of
// backpropagation forward, weights, and all but the first layer's inputs.
double operations(const Options& options, int64_t rows, int64_t columns) {
  if (options.net == "rbm")
    return 5 * 2.0 * static_cast<double>(rows * columns * options.hidden[0]);
  double sum = 0;
  int64_t inputs = columns;
  std::vector<int64_t> outputs = options.hidden;
  outputs.push_back(kClasses);
  for (size_t i = 0; i < outputs.size(); ++i) {
    sum += (i == 0 ? 2 : 3) * 2.0 * static_cast<double>(rows * inputs * outputs[i]);
    inputs = outputs[i];
  }
  return sum;
}

void add_peak(const Figures& figures) { figures.add("peak of the core", peak(), "GFLOP/s"); }

void run_all(const Figures& figures) {
  constexpr int64_t kRows = 20'000, kColumns = 784;
  const auto rows = synthetic_rows(kRows, kColumns);
  add_peak(figures);
  for (const std::string net : {"rbm", "mlp"}) {
    for (const std::string loop : {"engine", "bare"}) {
      Options options;
      options.net = net;
      options.loop = loop;
      if (net == "mlp") options.hidden = {500, 250};
      FixedTurns turns;
      run(options, rows, turns);
      const std::string name = fmt::format("{} 784-{}{}, {}", net, fmt::join(options.hidden, "-"),
                                           net == "mlp" ? "-10" : "", loop);
      figures.add(name, 3 * turns.fast(), "s an epoch of 60,000 rows");
      figures.add(name + ", processor time", 3 * turns.processor(), "s an epoch of 60,000 rows");
      if (peak() > 0)
        figures.add(name + ", share of peak",
                    operations(options, kRows, kColumns) / turns.processor() * 1e-9 / peak(),
                    "of dense operations");
    }
  }
}

}  // namespace
}  // namespace superstep::bench

int main(int argc, char** argv) {
  using namespace superstep::bench;
  CLI::App app("Seconds an epoch");
  Options options;
  bool turns = false, only_peak = false, json = false;
  app.add_option("--net", options.net)->check(CLI::IsMember({"rbm", "mlp"}));
  app.add_option("--loop", options.loop)->check(CLI::IsMember({"engine", "bare"}));
  app.add_option("--form", options.form, "whether zeros are left out: auto, as in the product")
      ->check(CLI::IsMember({"auto", "dense"}));
  app.add_option("--hidden", options.hidden)->delimiter(',');
  app.add_flag("--sample", options.sample, "pretrain.sample_reconstruction");
  app.add_option("--activation", options.activation);
  app.add_option("--visible", options.visible);
  app.add_option("--rate", options.rate);
  app.add_option("--momentum", options.momentum);
  app.add_option("--data", options.data, "safetensors with x and labels");
  app.add_option("--start", options.start, "tensors that the bare loop starts from");
  app.add_option("--save-start", options.save_start, "where the engine's first tensors go");
  app.add_option("--save", options.save, "where the last tensors go");
  app.add_flag("--turns", turns, "an epoch a line on standard input; needs --data");
  app.add_flag("--peak", only_peak, "the core's peak alone");
  app.add_flag("--json", json, "figures as JSON");
  CLI11_PARSE(app, argc, argv);
  try {
    if (turns) {
      TurnsByLine by_line;
      run(options, read_rows(options.data), by_line);
    } else if (only_peak) {
      add_peak(Figures(argc, argv));
    } else {
      run_all(Figures(argc, argv));
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "epoch_bench: {}\n", error.what());
    return 1;
  }
}
