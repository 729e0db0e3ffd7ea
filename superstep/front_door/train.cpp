#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "superstep/base/hash.h"
#include "superstep/front_door/prepare.h"
#include "superstep/front_door/run_report.h"
#include "superstep/front_door/runs.h"
#include "superstep/front_door/training_pictures.h"
#include "superstep/io/file.h"
#include "superstep/training/network_program.h"

namespace superstep {
namespace {

namespace fs = std::filesystem;
using cluster::RunFolder;

// Tells the listener when a phase begins, which a round alone does not, and draws the net as it
// learns.
class PhaseTeller : public cluster::Observer {
 public:
  PhaseTeller(TrainListener* listener, const training::NetworkProgram& program,
              front_door::TrainingPictures& pictures)
      : listener_(listener), program_(program), pictures_(pictures) {}
  void enter(const std::string& phase) {
    if (!listener_ || phase == phase_) return;
    phase_ = phase;
    listener_->on_phase(phase, program_.epochs(phase));
  }
  void on_round(const cluster::RoundDone& done) override {
    enter(done.round.phase);
    compute_seconds_ += done.compute_seconds;
    wait_seconds_ += done.wait_seconds();
    if (listener_) listener_->on_round(done);
    if (done.report.event != "superstep")
      pictures_.draw(done.round.phase, done.round.epoch + 1, done.report.event == "phase",
                     done.state.shared);
  }
  [[nodiscard]] double compute_seconds() const { return compute_seconds_; }
  [[nodiscard]] double wait_seconds() const { return wait_seconds_; }

 private:
  TrainListener* listener_;
  const training::NetworkProgram& program_;
  front_door::TrainingPictures& pictures_;
  std::string phase_;
  double compute_seconds_ = 0, wait_seconds_ = 0;
};

training::NetworkJob network_job(const Job& job, const front_door::Prepared& prepared) {
  return {.network = &prepared.model->network(),
          .loss = prepared.model->loss(),
          .pretrain_machines = job.model.pretrained() && job.job.has_phase("pretrain"),
          .finetune_network = job.job.has_phase("finetune"),
          .train = prepared.train.source,
          .valid = prepared.valid.source,
          .form = prepared.model->form(),
          .train_rows = prepared.train.numbers,
          .valid_rows = prepared.valid.numbers,
          .pretrain_source = prepared.pretrain_source,
          .pretrain_rows = prepared.pretrain_rows,
          .start = prepared.start.layout().size() > 0 ? &prepared.start : nullptr,
          .columns = prepared.model->schema().names,
          .class_weights = prepared.class_weights,
          .pretrain = job.pretrain,
          .finetune = job.finetune,
          .reduce = job.reduce,
          .seed = static_cast<uint64_t>(job.job.seed),
          .cache_bytes = job.engine.cache_mb * 1'000'000};
}

// The last line of metrics.jsonl. Times and units are those of this attempt.
std::string end_line(const TrainResult& result, const PhaseTeller& teller, double seconds) {
  nlohmann::ordered_json line;
  line["event"] = "end";
  line["phase"] = "";
  line["epoch"] = result.epochs;
  line["superstep"] = result.first_superstep + result.supersteps;
  line["rows"] = result.metrics.rows;
  line["loss"] = result.metrics.loss;
  line["seconds"] = seconds;
  line["compute_seconds"] = teller.compute_seconds();
  line["wait_seconds"] = teller.wait_seconds();
  line["bytes_in"] = 0;  // in one process nothing is moved
  line["bytes_out"] = 0;
  line["workers"] = result.units_by_lane.size();
  line["units_by_lane"] = result.units_by_lane;
  line["metrics"] = nlohmann::ordered_json::parse(result.metrics.to_json());
  line["metrics_rows"] = result.metrics_rows;
  line["best_epoch"] = result.best_epoch;
  line["sha256"] = result.sha256;
  line["reproducible"] = result.reproducible;
  return line.dump();
}

void write_bad_records(const front_door::Rows& rows, const RunFolder& folder) {
  if (rows.source->index().bad == 0) return;
  std::string text;
  for (int split = 0; split < rows.source->data().splits(); ++split)
    for (const auto& bad : rows.source->data().records(split).bad)
      text += nlohmann::ordered_json{{"file", bad.file}, {"line", bad.line}, {"reason", bad.reason}}
                  .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
              "\n";
  io::write_file(folder.file("bad-records.jsonl"), text);
}

}  // namespace

TrainResult train(Job& job, const TrainOptions& options) {
  const auto started = std::chrono::steady_clock::now();
  const int lanes = front_door::lanes_of(job);
  // Paths in the run's job.toml must mean the same from anywhere.
  job.data.dir = fs::absolute(job.data.dir.empty() ? "." : job.data.dir).lexically_normal();
  front_door::Prepared prepared = front_door::prepare(job);
  if (options.listener) options.listener->on_data(prepared.summary);

  const training::NetworkProgram program(network_job(job, prepared));
  job.reduce = program.reduce_config();
  program.resolve(job.pretrain, job.finetune);
  Bytes identity = job.document.result_hash() + prepared.identity;

  RunFolder folder = front_door::open_run(job, options.resume);
  // A resumed run lacks it where the first attempt was killed before it came to write it.
  if (!options.resume || !fs::exists(folder.file(front_door::kJobFile)))
    io::write_file(folder.file(front_door::kJobFile), job.document.to_toml());
  write_bad_records(prepared.train, folder);

  TrainResult result;
  result.run = folder.path();
  cluster::RunOptions run_options{.folder = &folder,
                                  .job = identity,
                                  .checkpoint_seconds = job.output.checkpoint_seconds,
                                  .schedule = {.audit = job.reduce.audit},
                                  .resume = {},
                                  .stop = options.stop,
                                  .observer = nullptr};
  if (options.resume) run_options.resume = cluster::newest_checkpoint(folder, identity);
  if (!run_options.resume) folder.truncate_metrics(0);
  const bool resumed = run_options.resume.has_value();
  if (resumed) result.first_superstep = run_options.resume->last.superstep + 1;

  if (options.listener)
    options.listener->on_model({.kind = job.model.kind,
                                .shape = prepared.model->network().describe(),
                                .numbers = prepared.model->network().layout()->count(),
                                .replicas = job.reduce.replicas,
                                .lanes = lanes,
                                .resumed = resumed,
                                .superstep = result.first_superstep});
  front_door::TrainingPictures pictures(prepared, folder.file(front_door::kPictureFolder));
  PhaseTeller teller(options.listener, program, pictures);
  run_options.observer = &teller;
  const engines::LocalResult done = engines::run_local(program, lanes, std::move(run_options));
  result.finished = done.run.finished;
  result.reproducible = done.run.reproducible;
  result.supersteps = done.run.rounds;
  result.units_by_lane = done.units_by_lane;
  if (!result.finished) return result;

  prepared.model->set_params(program.result(done.run.state));
  result.best_epoch = program.best_epoch(done.run.state);
  result.epochs = program.epochs_done(done.run.state);
  result.model = folder.file(front_door::kModelFile);
  const Bytes model = prepared.model->to_bytes();
  result.sha256 = sha256_hex(model.data(), model.size());
  result.metrics = front_door::evaluate_rows(*prepared.model, prepared.judged(), lanes);
  result.metrics_rows = prepared.judged_name();
  // A run whose model is there is finished, so the model comes after the line that a job killed
  // here could not add any more.
  folder.check_claim();
  folder.append_metrics(
      end_line(result, teller,
               std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count()));
  io::write_file(result.model, model);
  front_door::draw_samples(*prepared.model, {.out = folder.file(front_door::kPictureFolder)});
  result.report = front_door::write_report(job, prepared, result);
  return result;
}

}  // namespace superstep
