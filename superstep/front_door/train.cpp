#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "superstep/base/hash.h"
#include "superstep/base/log.h"
#include "superstep/front_door/run_report.h"
#include "superstep/front_door/runs.h"
#include "superstep/front_door/stages.h"
#include "superstep/front_door/status_writer.h"
#include "superstep/front_door/train_on.h"
#include "superstep/front_door/training_pictures.h"
#include "superstep/io/file.h"
#include "superstep/kernels/isa.h"
#include "superstep/report/text.h"
#include "superstep/training/evaluate_program.h"

namespace superstep {
namespace {

namespace fs = std::filesystem;
using cluster::RunFolder;

// Tells the listener when a phase begins, which a round alone does not, and draws the net as it
// learns.
class PhaseTeller : public cluster::Observer {
 public:
  PhaseTeller(TrainListener* listener, front_door::StatusWriter& status,
              const training::NetworkProgram& program, front_door::TrainingPictures& pictures)
      : listener_(listener), status_(status), program_(program), pictures_(pictures) {}
  void enter(const std::string& phase) {
    if (phase == phase_) return;
    phase_ = phase;
    status_.on_phase(phase, program_.epochs(phase));
    if (listener_) listener_->on_phase(phase, program_.epochs(phase));
  }
  void on_round(const cluster::RoundDone& done) override {
    enter(done.round.phase);
    compute_seconds_ += done.compute_seconds;
    wait_seconds_ += done.wait_seconds();
    status_.on_round(done);
    if (listener_) listener_->on_round(done);
    if (done.report.event != "superstep")
      pictures_.draw(done.round.phase, done.round.epoch + 1, done.report.event == "phase",
                     done.state.shared);
  }
  void on_cluster(const cluster::ClusterNow& now) override { status_.on_cluster(now); }
  [[nodiscard]] double compute_seconds() const { return compute_seconds_; }
  [[nodiscard]] double wait_seconds() const { return wait_seconds_; }

 private:
  TrainListener* listener_;
  front_door::StatusWriter& status_;
  const training::NetworkProgram& program_;
  front_door::TrainingPictures& pictures_;
  std::string phase_;
  double compute_seconds_ = 0, wait_seconds_ = 0;
};

// What became of the leases of this attempt: what failed and was done again shows here.
nlohmann::ordered_json leases(const reduce::ScheduleCounters& counters) {
  return {{"granted", counters.granted},   {"released", counters.released},
          {"backups", counters.backups},   {"audited", counters.audited},
          {"compared", counters.compared}, {"conflicts", counters.conflicts},
          {"dropped", counters.dropped},   {"discarded", counters.discarded},
          {"expelled", counters.expelled}};
}

// What the workers have read from HDFS.
class Reads {
 public:
  void add(const cluster::RunResult& run) {
    for (const auto& [process, read] : run.read) read_[process] = read;
  }
  void end_first_pass() { first_pass_ = all(); }
  [[nodiscard]] const io::BytesRead& first_pass() const { return first_pass_; }
  [[nodiscard]] io::BytesRead all() const {
    io::BytesRead all;
    for (const auto& [process, read] : read_) all += read;
    return all;
  }

 private:
  std::map<cluster::WorkerProcess, io::BytesRead> read_;
  io::BytesRead first_pass_;
};

nlohmann::ordered_json bytes(const io::BytesRead& read) {
  return {{"here", read.here}, {"elsewhere", read.elsewhere}};
}

void tell_first_pass(const io::BytesRead& read) {
  if (read.all() == 0) return;
  log::info("first pass over the data: {} from HDFS, {:.0f}% of it read where it lies",
            report::human_bytes(read.all()),
            100 * static_cast<double>(read.here) / static_cast<double>(read.all()));
}

// The last line of metrics.jsonl. Times and units are those of this attempt.
std::string end_line(const TrainResult& result, const PhaseTeller& teller,
                     const engines::EngineResult& done, const Reads& reads, int threads,
                     double seconds) {
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
  line["bytes_in"] = done.bytes_in;
  line["bytes_out"] = done.bytes_out;
  line["read"] = {{"first_pass", bytes(reads.first_pass())}, {"all", bytes(reads.all())}};
  line["workers"] = result.units_by_lane.size();
  line["threads"] = threads;
  line["isa"] = kernels::isa_name(kernels::isa());
  line["units_by_lane"] = result.units_by_lane;
  line["leases"] = leases(done.run.counters);
  line["metrics"] = nlohmann::ordered_json::parse(result.metrics.to_json());
  line["metrics_rows"] = result.metrics_rows;
  line["best_epoch"] = result.best_epoch;
  line["sha256"] = result.sha256;
  line["reproducible"] = result.reproducible;
  return line.dump();
}

reduce::ScheduleOptions schedule_of(const Job& job, int expected = 0) {
  reduce::ScheduleOptions options{.audit = job.reduce.audit,
                                  .near_wait = job.engine.locality_wait,
                                  .expected = expected,
                                  .expected_wait = 3 * job.engine.locality_wait};
  if (!job.engine.backups) options.silence = options.slow_factor = reduce::kNever;
  return options;
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

namespace front_door {

void make_paths_absolute(Job& job) {
  if (io::is_remote(job.data.dir)) return;
  job.data.dir = fs::absolute(job.data.dir.empty() ? "." : job.data.dir).lexically_normal();
}

namespace {

// The folder of a run that is being trained, and what tells of it there; empty until there is one.
struct Run {
  std::optional<RunFolder> folder;
  std::optional<StatusWriter> status;

  void open(const Job& job, bool resume) {
    folder.emplace(open_run(job, resume));
    status.emplace(*folder, job);
  }
  void write_address(const engines::Engine& engine) const {
    if (!engine.address().empty())
      io::replace_file(folder->file(kAddressFile), engine.address() + "\n");
  }
  // Complete once it is known how; until then as it was given, for an attempt that goes on from
  // there.
  void write_job(const Job& job) const {
    io::write_file(folder->file(kJobFile), job.document.to_toml());
  }
};

TrainResult train_in(Run& run, std::unique_ptr<engines::Engine>& engine,
                     const MakeEngine& make_engine, Job& job, const TrainOptions& options) {
  std::optional<RunFolder>& folder = run.folder;
  const auto started = std::chrono::steady_clock::now();
  job.numerics.use();
  make_paths_absolute(job);
  // A run that goes on is claimed before anything else, a new one once nothing can be wrong with
  // it.
  if (options.resume) run.open(job, true);
  engine = make_engine(folder ? folder->attempt() : 1);
  // Workers look for it there: before they are needed.
  if (folder) run.write_address(*engine);
  Reads reads;
  int expected = static_cast<int>(job.engine.workers);  // workers; only the first stage waits
  const RunStage run_stage = [&](const reduce::Program& stage_program, const cluster::Stage& stage,
                                 const Bytes& stage_identity) {
    engines::EngineResult done = engine->run(
        stage_program, stage,
        {.job = stage_identity, .schedule = schedule_of(job, expected), .stop = options.stop});
    if (!done.run.finished) throw Stopped();
    reads.add(done.run);
    if (stage.kind == kFit) reads.end_first_pass();
    expected = 0;
    return std::move(done.run.state);
  };
  Prepared prepared = prepare(job, {.run = run_stage});
  tell_first_pass(reads.first_pass());
  if (options.listener) options.listener->on_data(prepared.summary);

  const training::NetworkProgram program(network_job(job, prepared));
  job.reduce = program.reduce_config();
  program.resolve(job.pretrain, job.finetune);
  const Bytes identity = identity_of(job, prepared);

  if (!folder) {
    run.open(job, false);
    run.write_address(*engine);
  }
  auto checkpoint = options.resume ? cluster::newest_checkpoint(*folder, identity) : std::nullopt;
  if (!checkpoint) run.write_job(job);
  if (options.listener) options.listener->on_run(folder->path());
  write_bad_records(prepared.train, *folder);

  TrainResult result;
  result.run = folder->path();
  cluster::RunOptions run_options{.folder = &*folder,
                                  .job = identity,
                                  .checkpoint_seconds = job.output.checkpoint_seconds,
                                  .schedule = schedule_of(job),
                                  .resume = std::move(checkpoint),
                                  .stop = options.stop,
                                  .observer = nullptr};
  if (!run_options.resume) folder->truncate_metrics(0);
  const bool resumed = run_options.resume.has_value();
  if (resumed) result.first_superstep = run_options.resume->last.superstep + 1;

  const ModelSummary summary{.kind = job.model.kind,
                             .shape = prepared.model->network().describe(),
                             .numbers = prepared.model->network().layout()->count(),
                             .replicas = job.reduce.replicas,
                             .threads = engine->threads(),
                             .isa = job.numerics.isa,
                             .phases = program.phases(),
                             .resumed = resumed,
                             .superstep = result.first_superstep};
  run.status->on_model(summary);
  if (options.listener) options.listener->on_model(summary);
  TrainingPictures pictures(prepared, folder->file(kPictureFolder));
  PhaseTeller teller(options.listener, *run.status, program, pictures);
  run_options.observer = &teller;
  const engines::EngineResult done =
      engine->run(program, train_stage(job, prepared), std::move(run_options));
  reads.add(done.run);
  result.finished = done.run.finished;
  result.reproducible = done.run.reproducible;
  result.supersteps = done.run.rounds;
  result.units_by_lane = done.units_by_lane;
  if (!result.finished) return result;

  prepared.model->set_params(program.result(done.run.state));
  result.best_epoch = program.best_epoch(done.run.state);
  result.epochs = program.epochs_done(done.run.state);
  result.model = folder->file(kModelFile);
  const Bytes model = prepared.model->to_bytes();
  result.sha256 = sha256_hex(model.data(), model.size());
  const training::EvaluateProgram evaluation(*prepared.model, *prepared.judged().source,
                                             prepared.judged().numbers);
  result.metrics =
      evaluation.result(run_stage(evaluation, evaluate_stage(job, prepared), identity));
  result.metrics_rows = prepared.judged_name();
  folder->check_claim();
  folder->append_metrics(
      end_line(result, teller, done, reads, engine->threads(),
               std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count()));
  folder->send_metrics();
  draw_samples(*prepared.model, {.out = folder->file(kPictureFolder)});
  result.report = write_report(job, prepared, result);
  // A run whose model is there is finished, so it comes after all that a job killed here could not
  // add any more.
  folder->check_claim();
  io::write_file(result.model, model);
  return result;
}

}  // namespace

TrainResult train_on(const MakeEngine& make_engine, Job& job, const TrainOptions& options) {
  // Outlives the run: workers are let go once all is written, or somebody would replace them.
  std::unique_ptr<engines::Engine> engine;
  Run run;
  try {
    TrainResult result;
    try {
      result = train_in(run, engine, make_engine, job, options);
    } catch (const Stopped&) {
      if (!run.folder) run.open(job, /*resume=*/false);
      run.write_job(job);
      result.run = run.folder->path();
    }
    run.status->end(result.finished ? "finished" : "stopped");
    return result;
  } catch (const std::exception& error) {
    if (run.status) run.status->end("failed", error.what());
    throw;
  }
}

}  // namespace front_door

TrainResult train(Job& job, const TrainOptions& options) {
  if (options.detach && job.engine.kind != "yarn")
    throw ConfigError(
        "--detach: engine {} has nobody to leave the job to; it goes with --engine yarn",
        job.engine.kind);
  if (job.engine.kind == "process") return front_door::train_in_processes(job, options);
  if (job.engine.kind == "yarn") return front_door::train_on_yarn(job, options);
  const int lanes = front_door::lanes_of(job);
  return front_door::train_on(
      [&](int64_t) { return std::make_unique<engines::LocalEngine>(lanes); }, job, options);
}

}  // namespace superstep
