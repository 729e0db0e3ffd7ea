// For tests of who computes what: a Program of sums of whole numbers, whose end is known.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "superstep/reduce/program.h"

namespace superstep::cluster::testing {

/// `supersteps` rounds of `units` units. In superstep s unit u adds to element i the number
/// s + u * i + n, with n the units of this id so far (its private state), so that the end is
///
///   sum over s, u of (s + u i + s) = R (R - 1) U + R i U (U - 1) / 2
class Sums : public reduce::Program {
 public:
  static constexpr int64_t kElements = 40;
  int64_t units = 8, supersteps = 6;
  /// Called in every compute; may throw, or spoil the outcome.
  std::function<void(const reduce::Task&, reduce::Outcome&)> spoil;

  [[nodiscard]] reduce::State initial() const override {
    return {.shared = ParamSet(layout_), .outer = ParamSet(), .notes = {}};
  }
  [[nodiscard]] std::optional<reduce::Round> next(const reduce::Round* last,
                                                  const reduce::State&) const override {
    const int64_t superstep = last ? last->superstep + 1 : 0;
    if (superstep == supersteps) return std::nullopt;
    reduce::Round round{
        .phase = "sums", .epoch = superstep / 3, .superstep = superstep, .args = {}, .units = {}};
    for (int64_t u = 0; u < units; ++u)
      round.units.push_back({.id = u, .begin = u, .end = u + 1, .weight = 1});
    return round;
  }
  [[nodiscard]] reduce::UpdateSpec update_spec(const reduce::Round&) const override {
    return {layout_, {{reduce::Combine::kSum, 20}}};
  }
  [[nodiscard]] reduce::Outcome compute(const reduce::Task& task) const override {
    int64_t before = 0;
    if (!task.private_state.empty())
      before = ByteReader(task.private_state, "a count").get<int64_t>();
    reduce::Outcome outcome{
        .update = task.scratch.update(layout_), .weight = 1, .blob = {}, .private_state = {}};
    for (int64_t i = 0; i < kElements; ++i)
      outcome.update.values(0)[static_cast<size_t>(i)] =
          static_cast<float>(task.round.superstep + task.unit.id * i + before);
    outcome.blob = std::to_string(task.unit.id) + ";";
    ByteWriter count;
    count.put(before + 1);
    outcome.private_state = std::move(count).take();
    task.progress.beat();
    if (spoil) spoil(task, outcome);
    return outcome;
  }
  reduce::Report apply(const reduce::Round& round, reduce::State& state,
                       const reduce::ExactSum& sum,
                       const std::vector<Bytes>& blobs) const override {
    for (size_t i = 0; i < kElements; ++i)
      state.shared.values(0)[i] += static_cast<float>(sum.value(0, i));
    for (const Bytes& blob : blobs) state.notes += blob;
    return {.event = round.superstep % 3 == 2 ? "epoch" : "superstep",
            .measures = {{"rows", static_cast<double>(sum.count())}, {"loss", 0.5}}};
  }

  [[nodiscard]] double wanted(int64_t i) const {
    return static_cast<double>(supersteps * (supersteps - 1) * units +
                               supersteps * i * units * (units - 1) / 2);
  }
  /// Checks the whole of the end: sums, and blobs in the order of the units.
  void expect_end(const reduce::State& state) const {
    for (int64_t i = 0; i < kElements; ++i)
      EXPECT_EQ(static_cast<double>(state.shared.values(0)[static_cast<size_t>(i)]), wanted(i))
          << i;
    std::string blobs;
    for (int64_t s = 0; s < supersteps; ++s)
      for (int64_t u = 0; u < units; ++u) blobs += std::to_string(u) + ";";
    EXPECT_EQ(state.notes, blobs);
  }

 private:
  std::shared_ptr<const ParamLayout> layout_ =
      std::make_shared<const ParamLayout>(std::vector<ParamSpec>{{"sums", {kElements}}});
};

/// A path for a run, free at first and gone after the test.
class RunPath {
 public:
  RunPath() {
    std::string name = ::testing::TempDir() + "superstep-run-XXXXXX";
    root_ = mkdtemp(name.data());
  }
  ~RunPath() { std::filesystem::remove_all(root_); }
  RunPath(const RunPath&) = delete;
  RunPath& operator=(const RunPath&) = delete;

  [[nodiscard]] std::string run() const { return root_ + "/run"; }
  /// The lines of the run's metrics.jsonl.
  [[nodiscard]] std::vector<std::string> metrics() const {
    std::ifstream file(run() + "/metrics.jsonl");
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }

 private:
  std::string root_;
};

}  // namespace superstep::cluster::testing
