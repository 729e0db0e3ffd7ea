// What an engine and its child, the coordinator, say to each other: one JSON object a line, over
// the child's standard input and output; the key "event" says what it is. docs/pipe-protocol.md.
#pragma once

#include <iosfwd>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "superstep/superstep.h"

namespace superstep::front_door {

/// Tells what a training does, line by line. May be used by many threads.
class PipeTeller : public TrainListener {
 public:
  explicit PipeTeller(std::ostream& out) : out_(out) {}
  void on_data(const DataSummary& data) override;
  void on_run(const std::string& folder) override;
  void on_model(const ModelSummary& model) override;
  void on_phase(const std::string& phase, int64_t epochs) override;
  void on_round(const cluster::RoundDone& done) override;
  void listening(const std::string& address);
  /// Says how many workers there should be. On yarn, where a container is dear, never more than can
  /// have a replica: that is said once the model is known, and until then one is wanted at least.
  void want_for(const engines::EngineConfig& engine);
  void done(const TrainResult& result);
  void failed(const std::exception& error);

 private:
  void say(std::string_view line);
  void want(int64_t workers);

  std::ostream& out_;
  std::mutex mutex_;
  std::optional<engines::EngineConfig> engine_;
  double told_ = 0;  // when a superstep was told of last, in seconds of the monotonic clock
};

/// Passes an event of the kinds that a listener hears on to it; false for any other.
bool hear(const std::string& event, TrainListener& listener);
/// What PipeTeller::done() told.
TrainResult result_of(const std::string& event);
/// Throws what PipeTeller::failed() told, as the type that it was; returns where it is another
/// event.
void throw_failure(const std::string& event);

}  // namespace superstep::front_door
