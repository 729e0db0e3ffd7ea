// The front door: one function a verb. No exit, no signal handler, no global state.
//
//   superstep::Job job;
//   job.use_data("iris.csv", "species");
//   superstep::TrainResult done = superstep::train(job);
//   fmt::print("{}\n", done.metrics.headline());               // error 3.33%
//
//   auto model = superstep::models::Model::load("runs/iris/1/model.safetensors");
//   superstep::predict(done.run, {.data = "new.csv", .out = "answers.csv"});
//
// Everything throws superstep::Error (base/error.h): ConfigError where the caller can mend it.
// Programs of your own (reduce/program.h) run by engines::run_local; see examples/kmeans.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "superstep/cluster/coordinator.h"
#include "superstep/engines/local.h"
#include "superstep/front_door/credentials.h"
#include "superstep/front_door/job.h"
#include "superstep/models/model.h"
#include "superstep/training/evaluation.h"

namespace superstep {

/// What the data came to, once they are counted.
struct DataSummary {
  int64_t train_rows = 0, valid_rows = 0, test_rows = 0, unlabelled_rows = 0, bad_records = 0;
  int64_t columns = 0, classes = 0;
  bool classes_may_be_numbers = false;  ///< Many whole numbers: perhaps a number is to be learned.
  bool valid_from_train = true, test_from_train = false;
  bool sparse = false;  ///< The first layer leaves out zeros, by numerics.sparse.
  std::optional<double>
      nonzeros{};  ///< Share of the values that are not zero, where it was counted.
};

/// What is about to be trained.
struct ModelSummary {
  std::string kind, shape;  ///< "dbn", "64-256-128-10".
  int64_t numbers = 0;
  int64_t replicas = 0, threads = 0;
  std::string isa;                       ///< numerics.isa: "auto", "avx2".
  std::vector<std::string> phases = {};  ///< All of the job, in their order.
  bool resumed = false;
  int64_t superstep = 0;  ///< Where a resumed run goes on.
};

/// Hears how training goes on; called on the thread that called train().
class TrainListener : public cluster::Observer {
 public:
  virtual void on_data(const DataSummary&) {}
  /// The run's folder is there.
  virtual void on_run(const std::string& /*folder*/) {}
  virtual void on_model(const ModelSummary&) {}
  /// A phase of so many epochs begins: "pretrain.0", "finetune".
  virtual void on_phase(const std::string& /*phase*/, int64_t /*epochs*/) {}
};

struct TrainOptions {
  bool resume = false;        ///< Go on with the run in output.dir, or else with the latest.
  std::stop_token stop = {};  ///< Stop after the superstep under way, resumable.
  TrainListener* listener = nullptr;
  bool detach = false;  ///< Engine yarn: submit the job, and leave it to the cluster.
  /// How this program is started again, for engines that start processes. [this very program]
  std::string program = "/proc/self/exe";
};

struct TrainResult {
  bool finished = false;      ///< False: stopped; resume it with the same job.
  std::string run;            ///< The run's folder.
  std::string model, report;  ///< Paths of the model file and of report.html.
  std::string sha256;         ///< Of the model file.
  training::Metrics metrics;  ///< On the test rows if there are any, else on those to choose by.
  std::string metrics_rows;   ///< "test", "valid" or "train": the rows that `metrics` is of.
  std::optional<double> valid_error;
  int64_t best_epoch = 0, epochs = 0;
  bool reproducible = true;
  int64_t first_superstep = 0, supersteps = 0;  ///< This call ran these of so many in all.
  std::vector<int64_t> units_by_lane;
  std::string application;  ///< Where a job was left to a cluster (detach): its name there.
};

/// Trains: reads, fits, trains in all phases, evaluates, writes model and report.
TrainResult train(Job& job, const TrainOptions& options = {});

/// The coordinator of a job whose workers come from elsewhere: trains, listening for them.
struct CoordinateOptions {
  std::string listen = "127.0.0.1:0";  ///< host:port; port 0: any that is free.
  std::string job_id = {};             ///< The same at every attempt; "": the job's name.
  Credentials credentials = {};        ///< What workers must know.
  std::function<void(const std::string&)> listening = {};  ///< Hears host:port.
  TrainOptions train = {};
};
TrainResult coordinate(Job& job, const CoordinateOptions& options);

/// A worker: computes for the coordinator at host:port until the job is done.
struct WorkOptions {
  std::string coordinator;
  /// A file that holds host:port, read again where the coordinator is not there any more; "": none.
  std::string coordinator_file = {};
  Credentials credentials = {};
  int lanes = 0;          ///< Threads; 0: one a core.
  double patience = 120;  ///< Seconds without a coordinator before it gives up.
  std::string host = {};  ///< This machine's name, as the DataNodes of HDFS have it;
                          ///< "": host_name() (base/host.h).
  std::stop_token stop = {};
};
/// Returns once the job is done, or the stop token asked. Throws Error where the coordinator
/// refused this worker or is gone.
void work(const WorkOptions& options);

/// How a model does on data that hold the label. In place of a model, a property file of 2014: the
/// model that it has trained, on the rows that it names where `data` is empty.
struct EvaluateOptions {
  std::string data;
  std::string label;  ///< Where it is named otherwise than in training.
  int lanes = 0;
};
training::Metrics evaluate(const std::string& model_or_run, const EvaluateOptions& options);

/// Writes one line a row: the row's number, the answer, and the probability of each class.
struct PredictOptions {
  std::string data;
  std::string out = "-";  ///< A path (CSV), or "-" for standard output.
};
/// Returns the number of rows.
int64_t predict(const std::string& model_or_run, const PredictOptions& options);

/// A commented job file that trains on these data as they are.
std::string init_job(const std::string& data, const std::string& label);
/// Writes it, whole or not at all.
void write_job(const std::string& path, const std::string& text);

/// A person's description of a model file, a run or a job file; `json` for programs.
std::string describe(const std::string& path, const std::vector<std::string>& assignments,
                     bool json);

/// How a run stands, from the files in its folder: while it trains, on any engine or machine, or
/// afterwards.
enum class StatusForm { kText, kJson, kPrometheus, kPage };
struct StatusAnswer {
  std::string text;
  bool running = false;
};
/// `run`: its folder, or a folder of runs (its latest). docs/status.md says what the forms hold.
/// Throws FileError, ConfigError or DataError where there is no run, no status, or a damaged one.
StatusAnswer status(const std::string& run, StatusForm form = StatusForm::kText);

/// Trains the run's job again, elsewhere, and compares the model files.
struct VerifyResult {
  bool same = false;
  std::string sha256, again;     ///< The model's, and that of the second training.
  std::string first_difference;  ///< The tensor where they part, when they do.
};
VerifyResult verify(const std::string& run, int lanes, const TrainOptions& options = {});

struct RenderOptions {
  std::string out = "pictures";  ///< The folder to write to.
  std::string data = "";         ///< Rows to reconstruct and to see activations for; "": the run's.
  std::vector<std::string> classes =
      {};                ///< Of a generative net: which to draw samples of; {}: all.
  int64_t samples = 10;  ///< Of each class.
  int64_t steps = 500;   ///< Of Gibbs sampling for each.
  int64_t seed = 1;
};
/// Pictures of a model in a folder: filters of the first layer; reconstructions beside originals;
/// histograms of weights; activations of hidden units; Hinton diagrams of small matrices; samples
/// that a generative net draws; of a run what it drew while it learned. What a model has not is
/// left out. Returns the paths.
std::vector<std::string> render(const std::string& model_or_run, const RenderOptions& options);

/// The path of the model file of a model file, a run, or a folder of runs (its latest).
std::string find_model(const std::string& path);

}  // namespace superstep
