#include <algorithm>
#include <iostream>

#include "superstep/base/floating_point.h"
#include "superstep/front_door/prepare.h"
#include "superstep/io/file.h"

namespace superstep {
namespace {

constexpr size_t kRowsAtOnce = 1024;

// A field of CSV (RFC 4180): quoted where it must be.
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

std::string header(const models::Model& model) {
  std::string line = "row";
  switch (model.target().task) {
    case data::Task::kClassify:
      line += ",predicted,probability";
      for (const std::string& name : model.target().classes.names())
        line += fmt::format(",{}", field(fmt::format("p({})", name)));
      break;
    case data::Task::kRegress:
      line += ",predicted";
      break;
    case data::Task::kNone:
      for (int64_t j = 0; j < model.network().outputs(); ++j) line += fmt::format(",h{}", j);
      break;
  }
  return line + "\n";
}

std::string line_of(const models::Model& model, int64_t number, std::span<const float> answer) {
  std::string line = std::to_string(number);
  if (model.target().task == data::Task::kClassify) {
    const auto likeliest = std::max_element(answer.begin(), answer.end());
    line += fmt::format(",{},{}", field(model.target().classes.name(likeliest - answer.begin())),
                        *likeliest);
  }
  for (const float value : answer) line += fmt::format(",{}", value);
  return line + "\n";
}

}  // namespace

int64_t predict(const std::string& model_or_run, const PredictOptions& options) {
  const auto model = models::Model::load(find_model(model_or_run));
  // The label may be there or not; where it is, nobody looks at it.
  const auto rows = front_door::open_rows(model, {.rows = options.data, .labels = {}}, {},
                                          front_door::Labels::kIgnored);

  std::unique_ptr<io::AtomicFile> file;
  if (options.out != "-") file = std::make_unique<io::AtomicFile>(options.out);
  const auto write = [&](const std::string& text) {
    if (file)
      file->write(text);
    else
      std::cout << text;
  };
  const FloatingPointScope floating_point;
  models::Predictor predictor(model);
  Batch batch;
  write(header(model));
  const std::span<const int64_t> numbers = rows.numbers;
  for (size_t begin = 0; begin < numbers.size(); begin += kRowsAtOnce) {
    const auto count = std::min(kRowsAtOnce, numbers.size() - begin);
    rows.source->read_as(model.form(), numbers.subspan(begin, count), batch);
    const ConstMatrix answers = predictor.predict(batch.features());
    std::string text;
    for (int64_t r = 0; r < answers.rows; ++r)
      text += line_of(model, batch.row_numbers[static_cast<size_t>(r)], answers.row(r));
    write(text);
  }
  if (file) file->commit();
  std::cout.flush();
  if (!std::cout) throw FileError("standard output: cannot write");
  return static_cast<int64_t>(numbers.size());
}

}  // namespace superstep
