// Tells how a run stands while it trains: status.json, at most once a second, and status.html,
// every few seconds, in the run's folder. Both are written whole, by a thread of their own, so that
// the training waits for no disk and a long superstep is no silence.
//
//   StatusWriter status(folder, job);
//   status.on_model(...);  status.on_phase(...);  status.on_round(...);     // as a TrainListener
//   status.end("finished");                                                // the last word
//
// It never fails a run: what cannot be written is warned of once.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "superstep/cluster/run_folder.h"
#include "superstep/report/pace.h"
#include "superstep/report/status.h"
#include "superstep/report/timeline.h"
#include "superstep/superstep.h"

namespace superstep::front_door {

class StatusWriter : public TrainListener {
 public:
  /// `folder` must outlive it; a later attempt at the run silences it.
  StatusWriter(const cluster::RunFolder& folder, const Job& job);
  /// Without an end() that came before, the run has failed.
  ~StatusWriter() override;

  void on_model(const ModelSummary& model) override;
  void on_phase(const std::string& phase, int64_t epochs) override;
  void on_round(const cluster::RoundDone& done) override;
  void on_cluster(const cluster::ClusterNow& now) override;
  /// Writes both files a last time. `state`: "finished", "stopped", or "failed" with its message.
  void end(const std::string& state, const std::string& message = "");

 private:
  void work(const std::stop_token& stop);
  void write_status();
  void write_page();
  void write(const char* name, const std::string& text);
  void note_workers(const cluster::ClusterNow& now);
  void note_epoch(report::MetricLine line);
  void note(const char* what, int64_t worker, int64_t count = 1);

  const cluster::RunFolder& folder_;
  const int64_t patience_;

  std::mutex mutex_;  // guards the rest, but for what only the thread uses
  report::Status status_;
  report::Pace pace_;
  report::Timeline timeline_;
  std::vector<report::MetricLine> epochs_;  // lines that closed one: the page's curves

  report::OverTraining drawn_;  // the thread's: the pictures as it read them last ...
  size_t drawn_at_ = 0;         // ... when there were so many epochs
  bool warned_ = false;
  std::condition_variable_any ended_;
  std::jthread thread_;  // last: it ends before the rest goes
};

}  // namespace superstep::front_door
