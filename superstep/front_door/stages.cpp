#include "superstep/front_door/stages.h"

#include "superstep/kernels/isa.h"

namespace superstep::front_door {
namespace {

constexpr const char* kTrain = "train";

// Products of different vector instructions differ in their last bits.
void check_isa(const std::string& coordinators) {
  const std::string ours(kernels::isa_name(kernels::isa()));
  if (ours != coordinators)
    throw ConfigError(
        "numerics.isa: this machine computes with {}, the coordinator's with {}; pin one that both "
        "have, such as numerics.isa = \"avx2\"",
        ours, coordinators);
}

StageProgram make_train(std::string_view args) {
  struct Training {
    Job job;
    Prepared prepared;
    std::optional<training::NetworkProgram> program;
  };
  ByteReader reader(args, "stage train");
  const std::string toml = reader.get_string();
  const Bytes known = reader.get_string();
  const std::string isa = reader.get_string();
  reader.finish();
  auto training = std::make_shared<Training>();
  training->job.load_text(toml, "the coordinator's job");
  training->job.numerics.use();
  check_isa(isa);
  training->prepared = prepare(training->job, &known);
  training->program.emplace(network_job(training->job, training->prepared));
  return {.program = {training, &*training->program},
          .identity = identity_of(training->job, training->prepared)};
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

cluster::Stage train_stage(const Job& job, const Prepared& prepared) {
  ByteWriter args;
  args.put_string(job.document.to_toml(/*with_comments=*/false));
  args.put_string(prepared.identity);
  args.put_string(kernels::isa_name(kernels::isa()));
  return {.kind = kTrain, .args = std::move(args).take()};
}

StageProgram make_program(const cluster::Stage& stage) {
  if (stage.kind == kTrain) return make_train(stage.args);
  throw ConfigError("no stage '{}' here, only {}; are both ends of one version?", stage.kind,
                    kTrain);
}

}  // namespace superstep::front_door
