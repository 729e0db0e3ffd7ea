#include "superstep/front_door/stages.h"

#include "superstep/kernels/isa.h"
#include "superstep/training/evaluate_program.h"

namespace superstep::front_door {
namespace {

constexpr const char* kNonzeros = "nonzeros";
constexpr const char* kTrain = "train";
constexpr const char* kEvaluate = "evaluate";

// Products of different vector instructions differ in their last bits.
void check_isa(const std::string& coordinators) {
  const std::string ours(kernels::isa_name(kernels::isa()));
  if (ours != coordinators)
    throw ConfigError(
        "numerics.isa: this machine computes with {}, the coordinator's with {}; pin one that both "
        "have, such as numerics.isa = \"avx2\"",
        ours, coordinators);
}

// What "nonzeros", "train" and "evaluate" are made from.
Bytes args_of(const Job& job, const Prepared& prepared) {
  ByteWriter args;
  args.put_string(job.document.to_toml(/*with_comments=*/false));
  args.put_string(prepared.identity);
  args.put_string(kernels::isa_name(kernels::isa()));
  return std::move(args).take();
}

// A Program points into what it is made from.
template <class Program, class... Args>
std::shared_ptr<const Program> with(std::shared_ptr<void> owner, Args&&... args) {
  struct Both {
    explicit Both(std::shared_ptr<void> of, Args&&... args)
        : owner(std::move(of)), program(std::forward<Args>(args)...) {}
    std::shared_ptr<void> owner;
    Program program;
  };
  auto both = std::make_shared<Both>(std::move(owner), std::forward<Args>(args)...);
  return {both, &both->program};
}

}  // namespace

training::NetworkJob network_job(const Job& job, const Prepared& prepared) {
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

Bytes identity_of(const Job& job, const Prepared& prepared) {
  return job.document.result_hash() + prepared.identity;
}

cluster::Stage fit_stage(const Job& job, const std::string& which) {
  ByteWriter args;
  args.put_string(job.document.to_toml(/*with_comments=*/false));
  args.put_string(which);
  return {.kind = kFit, .args = std::move(args).take()};
}

cluster::Stage nonzeros_stage(const Job& job, const Prepared& prepared) {
  return {.kind = kNonzeros, .args = args_of(job, prepared)};
}

cluster::Stage train_stage(const Job& job, const Prepared& prepared) {
  return {.kind = kTrain, .args = args_of(job, prepared)};
}

cluster::Stage evaluate_stage(const Job& job, const Prepared& prepared) {
  return {.kind = kEvaluate, .args = args_of(job, prepared)};
}

struct Stages::Training {
  Bytes args;
  Job job;
  Prepared prepared;
};

std::shared_ptr<const Files> Stages::files_of(const Job& job) {
  if (!files_ || files_->config != job.data) files_ = open_files(job);
  return files_;
}

std::shared_ptr<Stages::Training> Stages::training_of(const Bytes& args) {
  if (training_ && training_->args == args) return training_;
  ByteReader reader(args, "a stage");
  const std::string toml = reader.get_string();
  const Bytes known = reader.get_string();
  const std::string isa = reader.get_string();
  reader.finish();
  auto made = std::make_shared<Training>();
  made->args = args;
  made->job.load_text(toml, "the coordinator's job");
  made->job.numerics.use();
  check_isa(isa);
  made->prepared = prepare(made->job, {.known = &known, .files = files_of(made->job)});
  return training_ = std::move(made);
}

StageProgram Stages::make_fit(const Bytes& args) {
  ByteReader reader(args, "stage fit");
  const std::string toml = reader.get_string();
  const std::string which = reader.get_string();
  reader.finish();
  Job job;
  job.load_text(toml, "the coordinator's job");
  complete(job);
  const auto files = files_of(job);
  return {.program = std::make_shared<training::FitProgram>(fit_program(job, *files, which)),
          .identity = identity_of_fit(*files, which)};
}

StageProgram Stages::make_nonzeros(const Bytes& args) {
  const auto made = training_of(args);
  return {.program = with<training::NonzerosProgram>(made, nonzeros_program(made->prepared)),
          .identity = identity_of(made->job, made->prepared)};
}

StageProgram Stages::make_train(const Bytes& args) {
  const auto made = training_of(args);
  return {.program = with<training::NetworkProgram>(made, network_job(made->job, made->prepared)),
          .identity = identity_of(made->job, made->prepared)};
}

StageProgram Stages::make_evaluate(const Bytes& args) {
  const auto made = training_of(args);
  const Rows& rows = made->prepared.judged();
  return {.program = with<training::EvaluateProgram>(made, *made->prepared.model, *rows.source,
                                                     rows.numbers),
          .identity = identity_of(made->job, made->prepared)};
}

StageProgram Stages::make(const cluster::Stage& stage) {
  if (stage.kind == kFit) return make_fit(stage.args);
  if (stage.kind == kNonzeros) return make_nonzeros(stage.args);
  if (stage.kind == kTrain) return make_train(stage.args);
  if (stage.kind == kEvaluate) return make_evaluate(stage.args);
  throw ConfigError("no stage '{}' here; are both ends of one version?", stage.kind);
}

}  // namespace superstep::front_door
