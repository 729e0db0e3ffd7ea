#include "superstep/training/layer_input.h"

#include <algorithm>

#include "superstep/base/hash.h"

namespace superstep::training {
namespace {

constexpr int64_t kBlockRows = 256;  // memory is taken in blocks of so many rows

enum Place : uint8_t { kEmpty, kBeingWritten, kThere };

Digest digest_below(const models::Network& network, int layer, const ParamSet& params) {
  Digest all;
  for (int t = 0; t < network.first(layer); ++t) {
    const auto values = params.values(t);
    all = combine(all, digest(values.data(), values.size_bytes()));
  }
  return all;
}

}  // namespace

// The activations of rows 0 to count - 1 under one state of the layers below.
struct LayerInput::Kept {
  Kept(Digest below_layer, int64_t count, int64_t width)
      : below(below_layer),
        columns(width),
        places(static_cast<size_t>(count)),
        blocks(static_cast<size_t>((count + kBlockRows - 1) / kBlockRows)) {}

  Digest below;
  int64_t columns;
  std::vector<std::atomic<uint8_t>> places;
  std::vector<std::unique_ptr<float[]>> blocks;
  std::mutex mutex;

  [[nodiscard]] bool holds(int64_t row) const {
    return row < static_cast<int64_t>(places.size()) &&
           places[static_cast<size_t>(row)].load(std::memory_order_acquire) == kThere;
  }
  [[nodiscard]] std::span<float> row(int64_t number) const {
    return {blocks[static_cast<size_t>(number / kBlockRows)].get() + number % kBlockRows * columns,
            static_cast<size_t>(columns)};
  }
  void keep(int64_t number, std::span<const float> values) {
    if (number >= static_cast<int64_t>(places.size())) return;
    uint8_t empty = kEmpty;
    auto& place = places[static_cast<size_t>(number)];
    if (!place.compare_exchange_strong(empty, kBeingWritten)) return;
    {
      const std::scoped_lock lock(mutex);
      auto& block = blocks[static_cast<size_t>(number / kBlockRows)];
      if (!block)
        block = std::make_unique_for_overwrite<float[]>(static_cast<size_t>(kBlockRows * columns));
    }
    std::ranges::copy(values, row(number).begin());
    place.store(kThere, std::memory_order_release);
  }
};

LayerInput::LayerInput(const models::Network& network, int layer,
                       std::shared_ptr<const Source> source, int64_t budget, bool labels, Form form)
    : network_(network),
      layer_(layer),
      source_(std::move(source)),
      most_rows_(budget / (network.layer(layer).inputs() * static_cast<int64_t>(sizeof(float)))),
      labels_(labels),
      form_(form) {}

LayerInput::~LayerInput() = default;

LayerInput::Reader LayerInput::reader(const ParamSet& params, kernels::Context& context) {
  if (layer_ == 0) return {*this, nullptr, params, context};
  const Digest below = digest_below(network_, layer_, params);
  const std::scoped_lock lock(mutex_);
  if (!kept_ || kept_->below != below)
    kept_ = std::make_shared<Kept>(below, most_rows_, network_.layer(layer_).inputs());
  return {*this, kept_, params, context};
}

void LayerInput::forget() {
  const std::scoped_lock lock(mutex_);
  kept_.reset();
}

void LayerInput::Reader::read(std::span<const int64_t> rows, Batch& batch) {
  if (!kept_) return input_.source_->read_as(input_.form_, rows, batch);
  missing_rows_.clear();
  for (const int64_t row : rows)
    if (!kept_->holds(row)) missing_rows_.push_back(row);
  const auto count = static_cast<int64_t>(missing_rows_.size());
  input_.hits_ += static_cast<int64_t>(rows.size()) - count;

  if (input_.labels_)
    input_.source_->read(rows, batch);
  else
    batch.row_numbers.assign(rows.begin(), rows.end());

  // Rows that are computed now, and kept where there is room.
  ConstMatrix computed;
  if (count > 0) {
    input_.source_->read_as(input_.form_, missing_rows_, missing_);
    const layers::Pass pass{layers::Mode::kEvaluate, RngKey(0), missing_rows_, context_};
    computed = input_.network_.forward(params_, missing_.features(), input_.layer_, work_, pass);
    for (int64_t r = 0; r < count; ++r)
      kept_->keep(missing_rows_[static_cast<size_t>(r)], computed.row(r));
  }
  // missing_rows_ is in the order of rows, so one walk puts both together.
  batch.x.resize({static_cast<int64_t>(rows.size()), kept_->columns});
  const Matrix x = batch.x.matrix();
  size_t next = 0;
  for (size_t r = 0; r < rows.size(); ++r) {
    const bool is_missing = next < missing_rows_.size() && missing_rows_[next] == rows[r];
    const std::span<const float> from =
        is_missing ? computed.row(static_cast<int64_t>(next++)) : kept_->row(rows[r]);
    std::ranges::copy(from, x.row(static_cast<int64_t>(r)).begin());
  }
}

}  // namespace superstep::training
