// k-means (Lloyd 1982) as a Program: each superstep assigns rows to their nearest centre, adds up
// the rows of every centre, and moves the centres to the means. Units of rows are fixed and their
// sums are added exactly, so the centres have the same bits on any number of workers. This file is
// the whole algorithm; main is in kmeans_main.cpp.
//
//   KMeans program(source, rows, {.clusters = 3});
//   State state = engines::run_local(program, 2, {}).run.state;   // state.shared.matrix("centres")
//
// Limits: values of at most 2^30 / rows_a_unit; a centre that no row is nearest to stays.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "superstep/base/error.h"
#include "superstep/base/rng.h"
#include "superstep/reduce/program.h"

using namespace superstep;  // an example may
using namespace superstep::reduce;

class KMeans : public Program {
 public:
  struct Options {
    int64_t clusters = 10, rounds = 50, rows_a_unit = 1024;
    uint64_t seed = 1;
  };
  KMeans(const Source& source, std::vector<int64_t> rows, Options options)
      : source_(source), rows_(std::move(rows)), options_(options) {
    if (options_.clusters < 1 || options_.clusters > std::ssize(rows_))
      throw ConfigError("clusters: wanted 1 to {} (the rows), got {}", rows_.size(),
                        options_.clusters);
  }

  // Centres begin on rows drawn by key.
  State initial() const override {
    State state;
    state.shared = ParamSet({{"centres", {options_.clusters, source_.columns()}}});
    std::vector<int64_t> order(rows_.size());
    fill_permutation(RngKey(options_.seed).fold("centres"), order);
    for (int64_t& i : order) i = rows_[static_cast<size_t>(i)];
    order.resize(static_cast<size_t>(options_.clusters));
    Batch batch;
    source_.read(order, batch);
    std::ranges::copy(batch.x.values(), state.shared.values(0).begin());
    return state;
  }

  // As many rounds as asked for, fewer when no row changes its centre: then `notes` says so.
  std::optional<Round> next(const Round* last, const State& state) const override {
    const int64_t number = last ? last->superstep + 1 : 0;
    if (number == options_.rounds || state.notes == "settled") return std::nullopt;
    Round round{.phase = "kmeans", .epoch = number, .superstep = number, .args = {}, .units = {}};
    const auto rows = static_cast<int64_t>(rows_.size());
    for (int64_t begin = 0; begin < rows; begin += options_.rows_a_unit) {
      const int64_t end = std::min(begin + options_.rows_a_unit, rows);
      round.units.push_back(
          {.id = begin / options_.rows_a_unit, .begin = begin, .end = end, .weight = end - begin});
    }
    return round;
  }

  // A sum and a count for every centre; a sum of rows may be large, so its limit is 2^30.
  UpdateSpec update_spec(const Round&) const override {
    static constexpr TensorRule kSum{Combine::kSum, 30};
    return {std::make_shared<const ParamLayout>(std::vector<ParamSpec>{
                {"sums", {options_.clusters, source_.columns()}}, {"counts", {options_.clusters}}}),
            {kSum, kSum}};
  }

  Outcome compute(const Task& task) const override {
    Batch batch;
    source_.read(std::span(rows_).subspan(static_cast<size_t>(task.unit.begin),
                                          static_cast<size_t>(task.unit.weight)),
                 batch);
    Outcome out;
    out.update = ParamSet(update_spec(task.round).layout);
    out.weight = batch.rows();
    const ConstMatrix x = batch.x.matrix(), centres = task.shared.matrix(0);
    for (int64_t r = 0; r < x.rows; ++r) {
      double nearest = std::numeric_limits<double>::infinity();
      int64_t at = 0;
      for (int64_t c = 0; c < centres.rows; ++c) {
        double distance = 0;
        for (size_t j = 0; j < x.row(r).size(); ++j) {
          const double d = x.row(r)[j] - centres.row(c)[j];
          distance += d * d;
        }
        if (distance < nearest) nearest = distance, at = c;
      }
      for (size_t j = 0; j < x.row(r).size(); ++j)
        out.update.matrix("sums").row(at)[j] += x.row(r)[j];
      out.update.values("counts")[static_cast<size_t>(at)] += 1;
    }
    return out;
  }

  Report apply(const Round&, State& state, const ExactSum& sum,
               const std::vector<Bytes>&) const override {
    double moved = 0;
    for (int64_t c = 0; c < options_.clusters; ++c) {
      const double count = sum.value(1, static_cast<size_t>(c));
      const auto centre = state.shared.matrix(0).row(c);
      for (size_t j = 0; j < centre.size() && count > 0; ++j) {
        const size_t element = static_cast<size_t>(c) * centre.size() + j;
        const auto mean = static_cast<float>(sum.value(0, element) / count);
        moved = std::max(moved, std::abs(static_cast<double>(mean) - centre[j]));
        centre[j] = mean;
      }
    }
    if (moved == 0) state.notes = "settled";
    return {.event = "superstep", .measures = {{"moved", moved}}};
  }

 private:
  const Source& source_;
  std::vector<int64_t> rows_;
  Options options_;
};
