#include <algorithm>
#include <numeric>

#include "superstep/kernels/elementwise.h"
#include "superstep/kernels/matmul.h"
#include "superstep/kernels/sparse.h"
#include "superstep/layers/rbm.h"
#include "superstep/training/learner.h"

namespace superstep::training {
namespace {

using kernels::Op;
using layers::Rbm;

// y = scale (x - offset), row by row; no offset: 0.
void shift_and_scale(ConstMatrix x, std::span<const float> offset, float scale, Matrix y) {
  if (offset.empty() && scale == 1.0F && x.data == y.data) return;
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* from = x.row(r).data();
    float* to = y.row(r).data();
    if (offset.empty())
      for (int64_t j = 0; j < x.cols; ++j) to[j] = scale * from[j];
    else
      for (int64_t j = 0; j < x.cols; ++j)
        to[j] = scale * (from[j] - offset[static_cast<size_t>(j)]);
  }
}

Matrix rows_of(Matrix m, int64_t begin, int64_t count) {
  return {m.data + begin * m.stride, count, m.cols, m.stride};
}

// The span as a column.
ConstMatrix column(std::span<const float> values) {
  return {values.data(), static_cast<int64_t>(values.size()), 1};
}

// out += v' x: one number of x a row, one of out a column.
void add_weighted_rows(ConstMatrix v, std::span<const float> x, std::span<float> out) {
  for (int64_t r = 0; r < v.rows; ++r) kernels::axpy(x[static_cast<size_t>(r)], v.row(r), out);
}
void add_weighted_rows(const SparseView& v, std::span<const float> x, std::span<float> out) {
  for (int64_t r = 0; r < v.rows; ++r) {
    const auto columns = v.row_columns(r);
    const auto values = v.row_values(r);
    for (size_t i = 0; i < columns.size(); ++i)
      out[static_cast<size_t>(columns[i])] += values[i] * x[static_cast<size_t>(r)];
  }
}

// out = v x for sparse v: one number of x a column, one of out a row.
void times_vector(const SparseView& v, std::span<const float> x, std::span<float> out) {
  for (int64_t r = 0; r < v.rows; ++r) {
    const auto columns = v.row_columns(r);
    const auto values = v.row_values(r);
    float sum = 0;
    for (size_t i = 0; i < columns.size(); ++i)
      sum += values[i] * x[static_cast<size_t>(columns[i])];
    out[static_cast<size_t>(r)] = sum;
  }
}

// The rows as they are, or with their zeros left out, in scratch.sample.
Features in_form(ConstMatrix rows, Form form, LearnerScratch& scratch) {
  if (form == Form::kDense) return rows;
  kernels::from_dense(rows, scratch.sample);
  return scratch.sample;
}

}  // namespace

Bytes Chains::to_bytes() const {
  if (states.shape().rank() == 0) return {};
  ByteWriter out;
  out.put(first);
  out.put(states.shape()[0]);
  out.put(states.shape()[1]);
  out.put_array(std::span<const float>(states.values()));
  return std::move(out).take();
}

Chains Chains::from_bytes(const Bytes& bytes) {
  Chains chains;
  if (bytes.empty()) return chains;
  ByteReader in(bytes, "the chains of a replica");
  chains.first = in.get<int64_t>();
  const auto rows = in.get<int64_t>(), hidden = in.get<int64_t>();
  chains.states = Tensor({rows, hidden});
  in.get_array(chains.states.values());
  in.finish();
  return chains;
}

// k steps of every chain from where it stood: v is a state, h the hidden mean given it. States are
// multiplied by in the form asked for.
void ContrastiveDivergence::follow_chains(const ParamSet& params, const Minibatch& minibatch,
                                          std::span<const float> row_totals, Form form, Matrix v,
                                          Matrix h, LearnerScratch& scratch) const {
  const Matrix states = scratch.chains.states.matrix();
  std::vector<int64_t> numbers(static_cast<size_t>(states.rows));
  std::iota(numbers.begin(), numbers.end(), scratch.chains.first);
  scratch.d.resize({states.rows, rbm_.inputs()});
  const Matrix mean = scratch.d.matrix();
  // Counts have a total; a chain takes that of the row it stands beside.
  std::vector<float> totals;
  for (size_t c = 0; c < numbers.size() && !row_totals.empty(); ++c)
    totals.push_back(row_totals[c % row_totals.size()]);
  for (int64_t step = 0; step < options_.steps; ++step) {
    const RngKey key = minibatch.step_key.fold("chain").fold(static_cast<uint64_t>(step));
    rbm_.visible_mean(params, first_, states, mean, scratch.context, totals);
    rbm_.sample_visible(mean, key.fold("visible"), numbers, v);
    rbm_.hidden_mean_and_sample(params, first_, in_form(v, form, scratch), key.fold("hidden"),
                                numbers, h, states, scratch.context);
  }
}

// With A the visible and B the hidden sides of the data (weight s = -1 / rows) and of the
// reconstructions or chains (s = 1 / their number), less the offsets mu and lambda:
//   dW = A' B,  db = A' (s - B lambda),  dc = B' (1 - A mu)
// which for no offsets is the plain -(v0' h0 - v1' h1) / rows and so on, and otherwise the centred
// gradient written for plain parameters (Melchior, Fischer and Wiskott 2016, section 3.1).
//
// Visible sides whose zeros are left out stay so: with V these rows as they are, A = V - 1 mu',
// their part of dW is V' B - mu (1' B), and so on. The last term goes into the product of the other
// rows, as one row more of A (mu) and of B (minus the sum of the rows of B). They are the data
// where these are sparse, and then the reconstructions or chains as well where those are states of
// binary or softmax units, which are mostly zeros too.
Tally ContrastiveDivergence::gradient(const ParamSet& params, const Minibatch& minibatch,
                                      const Offsets& offsets, std::span<double> activity,
                                      GradSink& sink, LearnerScratch& scratch) const {
  const Features v0 = minibatch.batch.features();
  const int64_t n = v0.rows();
  const bool begin = options_.persistent && scratch.chains.states.shape().rank() == 0;
  const int64_t m = options_.persistent && !begin ? scratch.chains.states.shape()[0] : n;
  auto& context = scratch.context;
  const layers::Units units = rbm_.options().visible_units;
  const bool counts = units == layers::Units::kSoftmax;

  const bool sparse = v0.is_sparse();
  const bool sampled = options_.persistent || options_.sample_reconstruction;
  const Form state_form =
      sparse && (counts || units == layers::Units::kBinary) ? Form::kSparse : Form::kDense;
  const bool sparse_states = sampled && state_form == Form::kSparse;
  const int64_t held = sparse_states ? n + m : sparse ? n : 0;  // of the rows of A, without zeros
  const int64_t written = n + m - held;                         // and those written out
  const int64_t extra = sparse && !offsets.visible.empty() ? 1 : 0;
  scratch.a.resize({(sparse ? 0 : n) + m + extra, rbm_.inputs()});
  scratch.b.resize({n + m + extra, rbm_.outputs()});
  scratch.c.resize({n, rbm_.outputs()});
  scratch.d.resize({n, rbm_.inputs()});
  const Matrix a = scratch.a.matrix(), sample = scratch.c.matrix(), means = scratch.d.matrix();
  const Matrix b = scratch.b.matrix().head(n + m);
  const Matrix v1 = rows_of(a, sparse ? 0 : n, m), h0 = b.head(n), h1 = rows_of(b, n, m);

  std::vector<float> totals(counts ? static_cast<size_t>(n) : 0);
  if (counts) layers::row_totals(v0, totals);

  const auto& row_numbers = minibatch.batch.row_numbers;
  rbm_.hidden_mean_and_sample(params, first_, v0, minibatch.key.fold("hidden"), row_numbers, h0,
                              sample, context);
  Tally tally{.rows = n};
  // Where the reconstruction is not what is learned from, it goes where there is room.
  const Matrix reconstruction = sampled ? means : v1;
  rbm_.visible_mean(params, first_, sample, reconstruction, context, totals);
  tally.loss = kernels::squared_distance_of(v0, reconstruction);
  if (options_.persistent) {
    if (begin) scratch.chains.states = scratch.c;
    follow_chains(params, minibatch, totals, state_form, v1, h1, scratch);
  } else {
    const auto key = [&](int64_t step) {
      return minibatch.key.fold("step").fold(static_cast<uint64_t>(step));
    };
    const Matrix state = sampled ? v1 : means;
    for (int64_t step = 1; step < options_.steps; ++step) {
      rbm_.sample_visible(reconstruction, key(step).fold("visible"), row_numbers, state);
      rbm_.hidden_mean_and_sample(params, first_, in_form(state, state_form, scratch),
                                  key(step).fold("hidden"), row_numbers, h1, sample, context);
      rbm_.visible_mean(params, first_, sample, reconstruction, context, totals);
    }
    if (sampled) rbm_.sample_visible(means, key(options_.steps).fold("visible"), row_numbers, v1);
    rbm_.hidden_mean(params, first_, in_form(v1, sampled ? state_form : Form::kDense, scratch), h1,
                     context);
  }
  if (sparse_states) {
    scratch.stacked.start(n + m, rbm_.inputs());
    scratch.stacked.append_rows(v0.sparse());
    scratch.stacked.append_rows(scratch.sample);
  }
  const SparseView without_zeros = sparse_states ? scratch.stacked.view()
                                   : sparse      ? v0.sparse()
                                                 : SparseView{};
  const Matrix written_out = rows_of(a, sparse_states ? m : 0, written + extra);

  // The pull toward sparse hidden units (Hinton 2010, section 11): the cross-entropy of target p
  // and mean activation q has the gradient q - p at a unit's input, which is one more offset.
  scratch.e.resize({2, rbm_.outputs()});
  const auto mean = scratch.e.matrix().row(0), h0_offset = scratch.e.matrix().row(1);
  std::span<const float> data_offset = offsets.hidden;
  if (options_.sparsity_target > 0 || !activity.empty()) {
    kernels::column_sums(h0, mean);
    for (size_t j = 0; j < activity.size(); ++j) activity[j] += double{mean[j]};
  }
  if (options_.sparsity_target > 0) {
    for (size_t j = 0; j < mean.size(); ++j) {
      const double pull = options_.sparsity_cost *
                          (double{mean[j]} / static_cast<double>(n) - options_.sparsity_target);
      h0_offset[j] = (offsets.hidden.empty() ? 0.0F : offsets.hidden[j]) + static_cast<float>(pull);
    }
    data_offset = h0_offset;
  }
  const float s0 = -1.0F / static_cast<float>(n), s1 = 1.0F / static_cast<float>(m);
  if (!sparse) shift_and_scale(v0.dense(), offsets.visible, 1, a.head(n));
  if (!sparse_states) shift_and_scale(v1, offsets.visible, 1, v1);
  shift_and_scale(h0, data_offset, s0, h0);
  shift_and_scale(h1, offsets.hidden, s1, h1);

  scratch.f.resize({2 * (n + m) + rbm_.inputs() + rbm_.outputs()});
  const auto vectors = scratch.f.values();
  const auto of_rows = vectors.first(static_cast<size_t>(n + m));
  const auto product = vectors.subspan(of_rows.size(), of_rows.size());
  const auto visible_gradient =
      vectors.subspan(2 * of_rows.size(), static_cast<size_t>(rbm_.inputs()));
  const auto hidden_gradient = vectors.last(static_cast<size_t>(rbm_.outputs()));
  // y = rows x, one number of x a column, one of y a row.
  const auto times = [&](Matrix rows, std::span<const float> x, std::span<float> y) {
    kernels::matmul(context, rows, Op::kPlain, column(x), Op::kPlain,
                    Matrix(y.data(), static_cast<int64_t>(y.size()), 1), 0);
  };
  // The parts of x, one number a row of A, that go with its two kinds of rows.
  const auto of_held = [&](std::span<float> x) { return x.first(static_cast<size_t>(held)); };
  const auto of_written = [&](std::span<float> x) { return x.last(static_cast<size_t>(written)); };
  const Matrix rest = written_out.head(written);

  for (size_t r = 0; r < of_rows.size(); ++r) of_rows[r] = r < static_cast<size_t>(n) ? s0 : s1;
  if (!offsets.hidden.empty()) {
    times(b, offsets.hidden, product);
    for (size_t r = 0; r < of_rows.size(); ++r) of_rows[r] -= product[r];
  }
  std::ranges::fill(visible_gradient, 0.0F);
  add_weighted_rows(rest, of_written(of_rows), visible_gradient);
  add_weighted_rows(without_zeros, of_held(of_rows), visible_gradient);
  if (extra > 0) {
    const auto weights = of_held(of_rows);
    kernels::axpy(-std::accumulate(weights.begin(), weights.end(), 0.0F), offsets.visible,
                  visible_gradient);
  }
  for (size_t r = 0; r < of_rows.size(); ++r) {
    const size_t row =
        r < static_cast<size_t>(n) ? r : (r - static_cast<size_t>(n)) % static_cast<size_t>(n);
    of_rows[r] = counts ? totals[row] : 1.0F;
  }
  if (!offsets.visible.empty()) {
    if (written > 0) times(rest, offsets.visible, of_written(product));
    times_vector(without_zeros, offsets.visible, product);
    if (extra > 0) {
      float square = 0;
      for (const float mu : offsets.visible) square += mu * mu;
      for (float& value : of_held(product)) value -= square;
    }
    for (size_t r = 0; r < of_rows.size(); ++r) of_rows[r] -= product[r];
  }
  std::ranges::fill(hidden_gradient, 0.0F);
  add_weighted_rows(b, of_rows, hidden_gradient);

  sink.add(first_ + Rbm::kVisibleBias, visible_gradient);
  sink.add(first_ + Rbm::kBias, hidden_gradient);
  const Matrix b_held = b.head(held);
  if (extra > 0) {
    std::ranges::copy(offsets.visible, written_out.row(written).begin());
    const auto sums = scratch.b.matrix().row(n + m);
    kernels::column_sums(b_held, sums);
    for (float& value : sums) value = -value;
  }
  if (held > 0) sink.add_sparse_product(first_ + Rbm::kWeight, without_zeros, b_held);
  if (written + extra > 0)
    sink.add_product(first_ + Rbm::kWeight, written_out,
                     rows_of(scratch.b.matrix(), held, written + extra));
  return tally;
}

}  // namespace superstep::training
