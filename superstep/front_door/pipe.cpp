#include "superstep/front_door/pipe.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <ostream>

namespace superstep {

// Beside the types, where the library of JSON looks for them.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DataSummary, train_rows, valid_rows, test_rows, unlabelled_rows,
                                   bad_records, columns, classes, classes_may_be_numbers,
                                   valid_from_train, test_from_train)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ModelSummary, kind, shape, numbers, replicas, threads, isa,
                                   phases, resumed, superstep)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrainResult, finished, run, model, report, sha256, metrics_rows,
                                   best_epoch, epochs, reproducible, first_superstep, supersteps,
                                   units_by_lane)

namespace front_door {
namespace {

using Json = nlohmann::json;

// The kinds of error that mean something to whoever called: see base/error.h.
const char* kind_of(const std::exception& error) {
  if (dynamic_cast<const ConfigError*>(&error)) return "config";
  if (dynamic_cast<const DataError*>(&error)) return "data";
  if (dynamic_cast<const FileError*>(&error)) return "file";
  if (dynamic_cast<const NumericError*>(&error)) return "numeric";
  return "error";
}

std::string line(const Json& event) {
  return event.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void PipeTeller::say(std::string_view line) {
  const std::lock_guard lock(mutex_);
  out_ << line << std::endl;
}

void PipeTeller::on_data(const DataSummary& data) {
  say(line({{"event", "data"}, {"data", Json(data)}}));
}

void PipeTeller::on_model(const ModelSummary& model) {
  say(line({{"event", "model"}, {"model", Json(model)}}));
  if (!engine_ || engine_->kind != "yarn") return;
  const int64_t most = (model.replicas + engine_->threads - 1) / engine_->threads;
  want(engine_->workers == 0 ? most : std::min(most, engine_->workers));
}

void PipeTeller::on_phase(const std::string& phase, int64_t epochs) {
  say(line({{"event", "phase"}, {"phase", phase}, {"epochs", epochs}}));
}

void PipeTeller::on_round(const cluster::RoundDone& done) {
  // Nobody reads faster than this, and a superstep may take less than a millisecond.
  constexpr double kEvery = 0.1;
  const double now =
      std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  if (done.report.event == "superstep" && now - told_ < kEvery) return;
  told_ = now;
  say(line({{"event", "round"},
            {"closes", done.report.event},
            {"phase", done.round.phase},
            {"epoch", done.round.epoch},
            {"superstep", done.round.superstep},
            {"measures", Json(std::map<std::string, double>(done.report.measures.begin(),
                                                            done.report.measures.end()))},
            {"seconds", done.seconds},
            {"compute_seconds", done.compute_seconds},
            {"lanes", done.lanes},
            {"bytes_in", done.bytes_in},
            {"bytes_out", done.bytes_out}}));
}

void PipeTeller::listening(const std::string& address) {
  say(line({{"event", "listening"}, {"address", address}}));
}

void PipeTeller::want(int64_t workers) { say(line({{"event", "want"}, {"workers", workers}})); }

void PipeTeller::want_for(const engines::EngineConfig& engine) {
  engine_ = engine;
  want(engine.kind == "yarn" ? std::max<int64_t>(1, engine.workers) : engine.workers);
}

void PipeTeller::on_run(const std::string& folder) {
  say(line({{"event", "run"}, {"folder", folder}}));
}

void PipeTeller::done(const TrainResult& result) {
  say(line({{"event", "done"},
            {"result", Json(result)},
            {"metrics", Json::parse(result.metrics.to_json())}}));
}

void PipeTeller::failed(const std::exception& error) {
  say(line({{"event", "failed"}, {"kind", kind_of(error)}, {"message", error.what()}}));
}

bool hear(const std::string& text, TrainListener& listener) {
  const Json event = Json::parse(text);
  const auto name = event.at("event").get<std::string>();
  if (name == "data") {
    listener.on_data(event.at("data").get<DataSummary>());
  } else if (name == "model") {
    listener.on_model(event.at("model").get<ModelSummary>());
  } else if (name == "phase") {
    listener.on_phase(event.at("phase").get<std::string>(), event.at("epochs").get<int64_t>());
  } else if (name == "round") {
    reduce::Round round;
    round.phase = event.at("phase").get<std::string>();
    round.epoch = event.at("epoch").get<int64_t>();
    round.superstep = event.at("superstep").get<int64_t>();
    reduce::Report report{.event = event.at("closes").get<std::string>(), .measures = {}};
    // A value that is not finite is null in JSON.
    for (const auto& [key, value] : event.at("measures").items())
      if (value.is_number()) report.measures.emplace_back(key, value.get<double>());
    listener.on_round({.round = round,
                       .report = report,
                       .state = {},
                       .seconds = event.at("seconds").get<double>(),
                       .compute_seconds = event.at("compute_seconds").get<double>(),
                       .lanes = event.at("lanes").get<int>(),
                       .bytes_in = event.at("bytes_in").get<int64_t>(),
                       .bytes_out = event.at("bytes_out").get<int64_t>()});
  } else {
    return false;
  }
  return true;
}

TrainResult result_of(const std::string& text) {
  const Json event = Json::parse(text);
  auto result = event.at("result").get<TrainResult>();
  result.metrics = training::Metrics::from_json(event.at("metrics").dump());
  return result;
}

void throw_failure(const std::string& text) {
  const Json event = Json::parse(text);
  if (event.at("event") != "failed") return;
  const auto kind = event.at("kind").get<std::string>();
  const auto message = event.at("message").get<std::string>();
  if (kind == "config") throw ConfigError("{}", message);
  if (kind == "data") throw DataError("{}", message);
  if (kind == "file") throw FileError("{}", message);
  if (kind == "numeric") throw NumericError("{}", message);
  throw Error(message);
}

}  // namespace front_door
}  // namespace superstep
