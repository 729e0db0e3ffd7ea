#include "superstep/data/row_source.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "superstep/base/floating_point.h"
#include "superstep/base/team.h"
#include "superstep/data/formats/number.h"

namespace superstep::data {

/// A split with its labels translated, made when first needed.
struct RowSource::Split {
  mutable std::mutex mutex;
  mutable std::atomic<bool> ready = false;
  mutable const Records* records = nullptr;
  mutable std::vector<int32_t> classes;  // of each label code; -1 when not among the classes
  mutable std::vector<double> numbers;   // of each label code; NaN when it is text
};

RowSource::RowSource(std::shared_ptr<const DataSet> data, RowIndex index, Scaling scaling,
                     Target target)
    : data_(std::move(data)),
      index_(std::move(index)),
      scaling_(std::move(scaling)),
      target_(std::move(target)) {
  SUPERSTEP_ASSERT(scaling_.columns() == data_->schema().columns);
  SUPERSTEP_ASSERT(static_cast<int>(index_.first_row.size()) == data_->splits());
  for (int i = 0; i < data_->splits(); ++i) splits_.push_back(std::make_unique<Split>());
}

RowSource::~RowSource() = default;

const RowSource::Split& RowSource::split(int number) const {
  const Split& s = *splits_[static_cast<size_t>(number)];
  if (s.ready.load(std::memory_order_acquire)) return s;
  const std::scoped_lock lock(s.mutex);
  if (s.ready.load(std::memory_order_relaxed)) return s;
  s.records = &data_->records(number);
  s.classes.clear();
  s.numbers.clear();
  for (const std::string& label : s.records->label_names) {
    s.classes.push_back(target_.classes.index(label));
    s.numbers.push_back(parse_number(label).value_or(std::numeric_limits<double>::quiet_NaN()));
  }
  s.ready.store(true, std::memory_order_release);
  return s;
}

void RowSource::refuse_label(int number, int64_t row) const {
  const Records& records = data_->records(number);
  const auto code = static_cast<size_t>(records.label_codes[static_cast<size_t>(row)]);
  const std::string place = data_->place(number, row);
  const std::string label = config::in_quotes(records.label_names[code]);
  const std::string column = config::in_quotes(data_->schema().label);
  if (target_.task == Task::kRegress)
    throw DataError("{}: label {} holds {}, wanted a number", place, column, label);
  constexpr size_t kShown = 20;
  std::string known;
  for (size_t i = 0; i < std::min(target_.classes.names().size(), kShown); ++i)
    known += (i == 0 ? "" : ", ") + config::in_quotes(target_.classes.names()[i]);
  if (target_.classes.names().size() > kShown)
    known += fmt::format(" and {} more", target_.classes.names().size() - kShown);
  throw DataError("{}: label {} holds {}, which is none of the model's classes: {}", place, column,
                  label, known);
}

void RowSource::read(std::span<const int64_t> rows, Batch& batch) const {
  const FloatingPointScope scope;
  read_features(rows, batch, Form::kDense);
  read_labels(rows, batch);
}

void RowSource::read_sparse(std::span<const int64_t> rows, Batch& batch) const {
  const FloatingPointScope scope;
  read_features(rows, batch, Form::kSparse);
  read_labels(rows, batch);
}

void RowSource::read_features(std::span<const int64_t> rows, Batch& batch, Form form) const {
  const auto width = static_cast<size_t>(columns());
  const auto count = static_cast<int64_t>(rows.size());
  const bool sparse = form == Form::kSparse;
  batch.row_numbers.assign(rows.begin(), rows.end());
  batch.x.resize({sparse ? 1 : count, columns()});
  if (sparse) batch.sparse.start(count, columns());
  const Matrix x = batch.x.matrix();
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto [number, row] = index_.find(rows[i]);
    const Records& records = *split(number).records;
    const std::span<float> out = x.row(sparse ? 0 : static_cast<int64_t>(i));
    // The first column that does not fit; bytes always do.
    const auto take = [&](auto raw) -> int64_t {
      if (sparse) return scaling_.append(raw, batch.sparse, out);
      if constexpr (std::is_same_v<decltype(raw), std::span<const uint8_t>>) {
        scaling_.apply(raw, out);
        return -1;
      } else {
        return scaling_.apply(raw, out);
      }
    };
    const size_t begin = static_cast<size_t>(row) * width;
    int64_t wrong = -1;
    if (const auto* bytes = std::get_if<std::vector<uint8_t>>(&records.values))
      wrong = take(std::span(*bytes).subspan(begin, width));
    else if (const auto* values = std::get_if<std::vector<double>>(&records.values))
      wrong = take(std::span(*values).subspan(begin, width));
    else
      wrong = take(std::get<SparseValues>(records.values).row(row));
    if (wrong >= 0)
      throw DataError("{}: {} holds {}, which is beyond the range of a float32 when scaled",
                      data_->place(number, row), data_->schema().name(wrong),
                      records.value(row, wrong));
  }
  if (sparse) batch.x.resize({0, columns()});
}

void RowSource::read_labels(std::span<const int64_t> rows, Batch& batch) const {
  const bool labelled = data_->schema().has_label();
  const bool classify = labelled && target_.task == Task::kClassify;
  const bool regress = labelled && target_.task == Task::kRegress;
  batch.labels.resize(classify ? rows.size() : 0);
  if (regress)
    batch.targets.resize({static_cast<int64_t>(rows.size()), 1});
  else
    batch.targets = Tensor();
  if (!classify && !regress) return;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto [number, row] = index_.find(rows[i]);
    const Split& from = split(number);
    const auto code = static_cast<size_t>(from.records->label_codes[static_cast<size_t>(row)]);
    if (classify) {
      batch.labels[i] = from.classes[code];
      if (batch.labels[i] < 0) refuse_label(number, row);
    } else {
      const auto y = static_cast<float>((from.numbers[code] - target_.mean) / target_.deviation);
      if (!std::isfinite(y)) refuse_label(number, row);
      batch.targets.values()[i] = y;
    }
  }
}

MatrixSource::MatrixSource(Tensor x, std::vector<int32_t> labels, Tensor targets)
    : x_(std::move(x)), labels_(std::move(labels)), targets_(std::move(targets)) {
  check_counts();
}

MatrixSource::MatrixSource(SparseMatrix x, std::vector<int32_t> labels, Tensor targets)
    : sparse_(std::move(x)), labels_(std::move(labels)), targets_(std::move(targets)) {
  check_counts();
}

void MatrixSource::check_counts() const {
  if (!labels_.empty() && static_cast<int64_t>(labels_.size()) != rows())
    throw ConfigError("{} rows and {} labels", rows(), labels_.size());
  if (!targets_.values().empty() && targets_.matrix().rows != rows())
    throw ConfigError("{} rows and {} rows of targets", rows(), targets_.matrix().rows);
}

void MatrixSource::read(std::span<const int64_t> rows, Batch& batch) const {
  batch.x.resize({static_cast<int64_t>(rows.size()), columns()});
  const Matrix x = batch.x.matrix();
  constexpr int64_t kFewestElements = 16'384;
  split(x.rows, {.fewest = kFewestElements / std::max<int64_t>(x.cols, 1)}, [&](const Part& part) {
    for (int64_t i = part.begin; i < part.end; ++i) {
      const int64_t from = rows[static_cast<size_t>(i)];
      SUPERSTEP_ASSERT(from >= 0 && from < this->rows());
      const std::span<float> to = x.row(i);
      if (!sparse_) {
        std::ranges::copy(x_.matrix().row(from), to.begin());
        continue;
      }
      std::ranges::fill(to, 0.0F);
      const SparseView row = sparse_->view().slice(from, 1);
      for (int64_t k = row.offsets[0]; k < row.offsets[1]; ++k)
        to[static_cast<size_t>(row.columns[k])] = row.values[k];
    }
  });
  read_answers(rows, batch);
}

void MatrixSource::read_sparse(std::span<const int64_t> rows, Batch& batch) const {
  if (!sparse_) return Source::read_sparse(rows, batch);
  batch.x.resize({0, columns()});
  batch.sparse.assign_rows(sparse_->view(), rows);
  read_answers(rows, batch);
}

// Numbers, labels and targets of the rows.
void MatrixSource::read_answers(std::span<const int64_t> rows, Batch& batch) const {
  batch.row_numbers.assign(rows.begin(), rows.end());
  batch.labels.clear();
  if (!labels_.empty())
    for (const int64_t row : rows) batch.labels.push_back(labels_[static_cast<size_t>(row)]);
  if (targets_.values().empty()) {
    batch.targets = Tensor();
    return;
  }
  batch.targets.resize({static_cast<int64_t>(rows.size()), targets_.matrix().cols});
  for (size_t i = 0; i < rows.size(); ++i)
    std::ranges::copy(targets_.matrix().row(rows[i]),
                      batch.targets.matrix().row(static_cast<int64_t>(i)).begin());
}

}  // namespace superstep::data
