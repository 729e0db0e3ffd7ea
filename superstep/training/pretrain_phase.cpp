#include "superstep/training/pretrain_phase.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace superstep::training {

using layers::LabelRbm;
using layers::Rbm;
using layers::Units;
using reduce::Outcome;
using reduce::Report;
using reduce::Round;
using reduce::State;
using reduce::Task;

namespace {

// Rows of each kind whose free energies are compared after an epoch.
constexpr int64_t kMostGapRows = 2048;
// Gaussian units stand for a variance of 1: a column beyond this deviation was not scaled.
constexpr double kLargestDeviation = 10;

// Free energies summed over rows: of rows to choose by, and of rows learned from.
struct Gap {
  int64_t valid_rows = 0, train_rows = 0;
  double valid = 0, train = 0;
};

}  // namespace

// Sums over rows of each visible unit and of its square. They travel as a blob and are folded in
// the order of units: their range is not known before, so they are no exact sum.
struct PretrainPhase::Moments {
  int64_t rows = 0;
  std::vector<double> sums, squares;

  explicit Moments(size_t inputs) : sums(inputs), squares(inputs) {}
  void add(const Moments& other) {
    rows += other.rows;
    for (size_t j = 0; j < sums.size(); ++j) {
      sums[j] += other.sums.at(j);
      squares[j] += other.squares.at(j);
    }
  }
  /// The sums alone.
  void add(const Features& v) {
    for (int64_t r = 0; r < v.rows(); ++r) {
      if (v.is_sparse()) {
        const auto columns = v.sparse().row_columns(r);
        const auto values = v.sparse().row_values(r);
        for (size_t i = 0; i < columns.size(); ++i)
          add(static_cast<size_t>(columns[i]), double{values[i]});
      } else {
        const auto row = v.dense().row(r);
        for (size_t j = 0; j < row.size(); ++j) add(j, double{row[j]});
      }
    }
  }
  void add(size_t j, double value) {
    sums[j] += value;
    squares[j] += value * value;
  }
  [[nodiscard]] Bytes to_bytes() const {
    ByteWriter out;
    out.put(rows);
    out.put_array(std::span<const double>(sums));
    out.put_array(std::span<const double>(squares));
    return std::move(out).take();
  }
  static Moments from_bytes(const Bytes& bytes) {
    ByteReader in(bytes, "the means of visible units");
    Moments moments(0);
    moments.rows = in.get<int64_t>();
    moments.sums = in.get_all<std::vector<double>>();
    moments.squares = in.get_all<std::vector<double>>();
    in.finish();
    return moments;
  }
};

bool PretrainPhase::is_centred(const PretrainConfig& config, const layers::Layer& layer) {
  const auto* rbm = dynamic_cast<const Rbm*>(&layer);
  return config.centering.value_or(true) && rbm != nullptr &&
         rbm->options().visible_units != Units::kSoftmax;
}

PretrainPhase::PretrainPhase(Options options)
    : Phase(options.setup),
      options_(std::move(options)),
      first_(options_.network->first(options_.layer)) {
  const layers::Layer& layer = options_.network->layer(options_.layer);
  label_rbm_ = dynamic_cast<const LabelRbm*>(&layer);
  if (label_rbm_) {
    label_divergence_ =
        std::make_unique<LabelDivergence>(*label_rbm_, first_, options_.config.cd_steps);
  } else {
    // Up-down unties the weights of a generative net; until then both directions are one.
    Rbm::Options tied = dynamic_cast<const Rbm&>(layer).options();
    tied.untied = false;
    rbm_ = std::make_unique<Rbm>(tied);
    divergence_ = std::make_unique<ContrastiveDivergence>(
        *rbm_, first_,
        ContrastiveDivergence::Options{
            .steps = options_.config.cd_steps,
            .persistent = options_.config.persistent,
            .sample_reconstruction = options_.config.sample_reconstruction,
            .sparsity_target = options_.config.sparsity_target,
            .sparsity_cost = options_.config.sparsity_cost});
  }
  // A budget beyond all rows would only make places that stay empty.
  const int64_t row_bytes = layer.inputs() * static_cast<int64_t>(sizeof(float));
  const int64_t all_bytes = setup().rows.empty() ? 0 : (setup().rows.back() + 1) * row_bytes;
  input_ = std::make_unique<LayerInput>(*options_.network, options_.layer, setup().source,
                                        std::min(options_.cache_bytes, all_bytes),
                                        label_rbm_ != nullptr, setup().form);
  if (options_.valid)
    valid_input_ = std::make_unique<LayerInput>(*options_.network, options_.layer, options_.valid,
                                                0, label_rbm_ != nullptr, setup().form);
}

PretrainPhase::~PretrainPhase() = default;

// ---- Rounds -----------------------------------------------------------------------------------

int64_t PretrainPhase::gap_rows() const {
  if (!rbm_ || !rbm_->has_free_energy()) return 0;
  return std::min({kMostGapRows, static_cast<int64_t>(options_.valid_rows.size()),
                   static_cast<int64_t>(setup().rows.size())});
}

Round PretrainPhase::first_round() const {
  Round round{.phase = name(), .epoch = 0, .superstep = 0, .args = Bytes(kMeans), .units = {}};
  for (int64_t r = 0; r < setup().replicas; ++r)
    round.units.push_back(
        {.id = r, .begin = 0, .end = batches(r), .weight = dealing().rows(static_cast<int>(r))});
  return round;
}

std::optional<Round> PretrainPhase::next(const Round& last, const Notes&) const {
  if (last.args == kMeans) return train_round(0, 0);
  if (last.args == kTrain) {
    if (auto round = next_in_epoch(last)) return round;
    if (gap_rows() > 0) return rows_round(kGap, last.epoch, 2 * gap_rows());
  }
  if (last.epoch + 1 == config().epochs) return std::nullopt;
  return train_round(last.epoch + 1, 0);
}

double PretrainPhase::momentum(int64_t epoch) const {
  return epoch < options_.config.initial_epochs ? options_.config.initial_momentum
                                                : config().momentum;
}

// ---- What a replica computes ------------------------------------------------------------------

Outcome PretrainPhase::compute(const Task& task, Scratch& scratch) const {
  if (task.round.args == kMeans) return compute_means(task, scratch);
  if (task.round.args == kGap) return compute_gap(task, scratch);
  return compute_train(task, scratch);
}

void PretrainPhase::begin_unit(Replica& replica) const {
  replica.reader.emplace(input_->reader(replica.task.shared, replica.scratch.learner.context));
  if (!options_.config.persistent) return;
  Chains& chains = replica.scratch.learner.chains;
  chains = Chains::from_bytes(replica.task.private_state);
  chains.first = replica.task.unit.id * batch();
}

void PretrainPhase::read(std::span<const int64_t> rows, Replica& replica) const {
  replica.reader->read(rows, replica.scratch.batch);
}

Tally PretrainPhase::gradient(const Minibatch& minibatch, Replica& replica, GradSink& sink) const {
  Scratch& scratch = replica.scratch;
  if (label_divergence_)
    return label_divergence_->gradient(scratch.params, minibatch, sink, scratch.learner);
  ContrastiveDivergence::Offsets offsets;
  if (is_centred()) {
    offsets.visible = replica.task.shared.values(visible_offset(options_.layer));
    offsets.hidden = replica.task.shared.values(hidden_offset(options_.layer));
  }
  return divergence_->gradient(scratch.params, minibatch, offsets, replica.activity, sink,
                               scratch.learner);
}

Bytes PretrainPhase::private_state(const Replica& replica) const {
  return options_.config.persistent ? replica.scratch.learner.chains.to_bytes() : Bytes();
}

Outcome PretrainPhase::compute_means(const Task& task, Scratch& scratch) const {
  LayerInput::Reader reader = input_->reader(task.shared, scratch.learner.context);
  const auto order = order_of(task.unit.id, 0, scratch);
  const auto inputs = static_cast<size_t>(options_.network->layer(options_.layer).inputs());
  Moments moments(inputs);
  for (int64_t b = task.unit.begin; b < task.unit.end && !task.progress.stopped(); ++b) {
    const auto begin = static_cast<size_t>(b * batch());
    const auto count = std::min(static_cast<size_t>(batch()), order.size() - begin);
    reader.read(order.subspan(begin, count), scratch.batch);
    moments.add(scratch.batch.features());
    task.progress.beat();
  }
  moments.rows = static_cast<int64_t>(order.size());
  return {.update = {}, .weight = moments.rows, .blob = moments.to_bytes(), .private_state = {}};
}

// Units below gap_rows() are rows to choose by, the others the first rows that were learned from.
Outcome PretrainPhase::compute_gap(const Task& task, Scratch& scratch) const {
  Gap gap;
  const auto add = [&](LayerInput& input, std::span<const int64_t> rows, int64_t begin, int64_t end,
                       int64_t& count, double& sum) {
    if (begin >= end) return;
    const auto part = rows.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    LayerInput::Reader reader = input.reader(task.shared, scratch.learner.context);
    reader.read(part, scratch.batch);
    std::vector<double> energies(part.size());
    rbm_->free_energy(task.shared, first_, scratch.batch.features(), energies,
                      scratch.learner.context);
    for (const double energy : energies) sum += energy;
    count += static_cast<int64_t>(part.size());
  };
  const int64_t n = gap_rows();
  const int64_t begin = task.unit.begin, end = task.unit.end;
  add(*valid_input_, options_.valid_rows, begin, std::min(end, n), gap.valid_rows, gap.valid);
  add(*input_, setup().rows, std::max(begin, n) - n, end - n, gap.train_rows, gap.train);
  ByteWriter out;
  out.put(gap);
  // The unit may have the number of a replica: whose chains then go on after this round.
  return {.update = {},
          .weight = end - begin,
          .blob = std::move(out).take(),
          .private_state = task.private_state};
}

// ---- How the state moves ----------------------------------------------------------------------

Report PretrainPhase::apply(const Round& round, State& state, const reduce::ExactSum& sum,
                            const std::vector<Bytes>& blobs) const {
  Notes notes = Notes::from(state.notes);
  Report report;
  const auto measure = [&](std::string name, double value) {
    report.measures.emplace_back(std::move(name), value);
  };
  const auto measure_tally = [&](const Tally& tally) {
    measure("rows", static_cast<double>(tally.rows));
    measure("loss", tally.rows == 0 ? 0 : tally.loss / static_cast<double>(tally.rows));
  };

  if (round.args == kMeans) {
    Moments moments(static_cast<size_t>(options_.network->layer(options_.layer).inputs()));
    for (const Bytes& blob : blobs) moments.add(Moments::from_bytes(blob));
    apply_means(state, moments);
    measure("rows", static_cast<double>(moments.rows));
    return report;
  }
  Tally tally;
  if (round.args == kTrain) {
    apply_train(round, state, sum);
    tally = sum_of_tallies(blobs);
    notes.epoch += tally;
  }
  if (round.args == kGap || (ends_epoch(round) && gap_rows() == 0)) {
    const bool last = !next(round, notes);
    report.event = last ? "phase" : "epoch";
    measure_tally(notes.epoch);
    if (round.args == kGap) {
      Gap gap;
      for (const Bytes& blob : blobs) {
        const auto part = ByteReader(blob, "free energies").get<Gap>();
        gap.valid_rows += part.valid_rows;
        gap.train_rows += part.train_rows;
        gap.valid += part.valid;
        gap.train += part.train;
      }
      const double train = gap.train / static_cast<double>(gap.train_rows);
      const double valid = gap.valid / static_cast<double>(gap.valid_rows);
      measure("free_energy", train);
      measure("valid_free_energy", valid);
      measure("free_energy_gap", valid - train);
    }
    notes.epoch = {};
    notes.epochs = round.epoch + 1;
    if (last) {
      reset(state);
      const Rbm* rbm =
          rbm_ ? dynamic_cast<const Rbm*>(&options_.network->layer(options_.layer)) : nullptr;
      if (rbm && rbm->options().untied)
        std::ranges::copy(std::as_const(state.shared).values(first_ + Rbm::kWeight),
                          state.shared.values(first_ + Rbm::kGenerativeWeight).begin());
    }
  } else {
    measure_tally(tally);
  }
  state.notes = notes.to_bytes();
  return report;
}

void PretrainPhase::apply_means(State& state, const Moments& moments) const {
  const auto rows = static_cast<double>(moments.rows);
  std::vector<double> mean = moments.sums, square = moments.squares;
  const size_t inputs = mean.size();
  for (double& m : mean) m /= rows;
  for (double& s : square) s /= rows;
  if (rbm_ && (rbm_->options().visible_units == Units::kGaussian ||
               rbm_->options().visible_units == Units::kLinear))
    refuse_unscaled(mean, square);
  if (!options_.started) {
    const auto bias = state.shared.values(first_ + Rbm::kVisibleBias);  // LabelRbm's as well
    static_assert(int{Rbm::kVisibleBias} == int{LabelRbm::kVisibleBias});
    static const Rbm kBinary({.visible = 1, .hidden = 1});
    const Rbm& rbm = rbm_ ? *rbm_ : kBinary;
    double total = 1;
    if (rbm.options().visible_units == Units::kSoftmax) {
      total = 0;
      for (const double m : mean) total += m;
    }
    for (size_t j = 0; j < inputs; ++j)
      bias[j] = rbm.initial_visible_bias(total > 0 ? mean[j] / total : mean[j]);
  }
  if (!is_centred()) return;
  const auto visible = state.shared.values(visible_offset(options_.layer));
  for (size_t j = 0; j < inputs; ++j) visible[j] = static_cast<float>(mean[j]);
  // What a hidden unit of no input is active by.
  const auto hidden = state.shared.values(hidden_offset(options_.layer));
  const Units units = rbm_->options().hidden_units;
  std::ranges::fill(hidden, units == Units::kBinary    ? 0.5F
                            : units == Units::kSoftmax ? 1.0F / static_cast<float>(hidden.size())
                                                       : 0.0F);
}

void PretrainPhase::refuse_unscaled(std::span<const double> mean,
                                    std::span<const double> square) const {
  if (options_.layer > 0) return;
  for (size_t j = 0; j < mean.size(); ++j) {
    const double deviation = std::sqrt(std::max(0.0, square[j] - mean[j] * mean[j]));
    if (deviation <= kLargestDeviation && std::fabs(mean[j]) <= kLargestDeviation) continue;
    throw ConfigError(
        "column {} has mean {:.4g} and deviation {:.4g}, but {} visible units stand for values "
        "near 0 with a deviation of 1: set data.scale = \"standardise\"",
        options_.columns.empty() ? std::to_string(j) : "'" + options_.columns[j] + "'", mean[j],
        deviation, layers::to_string(rbm_->options().visible_units));
  }
}

}  // namespace superstep::training
