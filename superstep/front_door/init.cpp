#include "superstep/data/row_index.h"
#include "superstep/front_door/job.h"
#include "superstep/io/file.h"
#include "superstep/superstep.h"

namespace superstep {

std::string init_job(const std::string& path, const std::string& label) {
  Job job;
  job.use_data(path, label);
  const auto rows = data::DataSet::open(job.data.train, job.data);
  const data::Schema& schema = rows->schema();
  const auto index = data::RowIndex::of(*rows);
  const auto target = data::infer_target(index, schema);

  std::string features;
  constexpr int64_t kNamed = 8;
  for (int64_t c = 0; c < std::min(schema.columns, kNamed); ++c)
    features += (c ? ", " : "") + schema.name(c);
  if (schema.columns > kNamed) features += ", ...";
  std::string learned = "nothing: name the label's column, or train an rbm";
  if (target.task == data::Task::kClassify) {
    learned = fmt::format("'{}', one of {} classes:", target.label, target.classes.size());
    for (int64_t c = 0; c < std::min(target.classes.size(), kNamed); ++c)
      learned += " " + target.classes.name(c);
    if (target.classes.size() > kNamed) learned += " ...";
  } else if (target.task == data::Task::kRegress) {
    learned = fmt::format("'{}', a number", target.label);
  } else {
    job.model.kind = "rbm";
  }
  return fmt::format(
             "# {}: {} rows of {} columns ({})\n"
             "# to be learned: {}\n"
             "# Train with: superstep train THIS_FILE\n\n",
             path, index.rows, schema.columns, features, learned) +
         job.document.to_toml();
}

void write_job(const std::string& path, const std::string& text) { io::write_file(path, text); }

}  // namespace superstep
