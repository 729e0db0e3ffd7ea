#include "superstep/report/status.h"

#include <cmath>
#include <concepts>
#include <nlohmann/json.hpp>

#include "superstep/base/error.h"

namespace superstep::report {

using Json = nlohmann::ordered_json;

namespace {

constexpr int64_t kVersion = 1;

// A field that the first programs of this version did not write yet.
constexpr bool kLater = true;

// Each list of fields serves both ways: f(name, field) writes the field or reads it.

template <class T, class F>
requires std::same_as<std::remove_const_t<T>, WorkerStatus>
void fields(T& worker, F f) {
  f("worker", worker.worker);
  f("host", worker.host);
  f("threads", worker.threads);
  f("here", worker.here);
  f("replicas", worker.replicas);
  f("units", worker.units);
  f("compute_seconds", worker.compute_seconds);
  f("read_here", worker.read_here, kLater);
  f("read_elsewhere", worker.read_elsewhere, kLater);
  f("heard", worker.heard);
  f("busy", worker.busy);
}

template <class T, class F>
requires std::same_as<std::remove_const_t<T>, StatusEvent>
void fields(T& event, F f) {
  f("time", event.time);
  f("what", event.what);
  f("worker", event.worker);
  f("count", event.count);
}

template <class T, class F>
requires std::same_as<std::remove_const_t<T>, Status>
void fields(T& status, F f) {
  f("state", status.state);
  f("message", status.message);
  f("job", status.job);
  f("run", status.run);
  f("host", status.host);
  f("process", status.process);
  f("attempt", status.attempt);
  f("started", status.started);
  f("updated", status.updated);
  f("model", status.model);
  f("replicas", status.replicas);
  f("phase", status.phase);
  f("epoch", status.epoch);
  f("epochs", status.epochs);
  f("superstep", status.superstep);
  f("measures", status.measures);
  f("rows", status.rows);
  f("rows_per_second", status.rows_per_second);
  f("seconds", status.seconds);
  f("compute_seconds", status.compute_seconds);
  f("wait_seconds", status.wait_seconds);
  f("transfer_seconds", status.transfer_seconds);
  f("bytes_in", status.bytes_in);
  f("bytes_out", status.bytes_out);
  f("read_here", status.read_here, kLater);
  f("read_elsewhere", status.read_elsewhere, kLater);
  f("phase_seconds_left", status.phase_seconds_left);
  f("may_stop_early", status.may_stop_early);
  f("leases", status.leases);
  f("workers_lost", status.workers_lost);
  f("workers", status.workers);
  f("bin_seconds", status.bin_seconds);
  f("events", status.events);
}

void write(Json& json, const std::optional<double>& value) {
  if (value) json = *value;
}
void write(Json& json, const auto& value) { json = value; }

void read(const Json& json, std::optional<double>& value) {
  if (!json.is_null()) value = json.get<double>();
}
// JSON has no numbers that are not finite: a loss that ran away is null there.
void read(const Json& json, std::map<std::string, double>& values) {
  for (const auto& [name, value] : json.items())
    values[name] = value.is_null() ? std::nan("") : value.get<double>();
}
void read(const Json& json, auto& value) { json.get_to(value); }

void write_fields(Json& json, const auto& whole) {
  fields(whole,
         [&](const char* name, const auto& value, bool = false) { write(json[name], value); });
}
void read_fields(const Json& json, auto& whole) {
  fields(whole, [&](const char* name, auto& value, bool later = false) {
    if (!later || json.contains(name)) read(json.at(name), value);
  });
}

}  // namespace

// Beside the types, where the library of JSON looks for them.
static void to_json(Json& json, const WorkerStatus& worker) { write_fields(json, worker); }
static void to_json(Json& json, const StatusEvent& event) { write_fields(json, event); }
static void from_json(const Json& json, WorkerStatus& worker) { read_fields(json, worker); }
static void from_json(const Json& json, StatusEvent& event) { read_fields(json, event); }

std::string status_json(const Status& status) {
  Json json = {{"version", kVersion}};
  write_fields(json, status);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Status status_from_json(std::string_view text, std::string_view name) {
  try {
    const Json json = Json::parse(text);
    const auto version = json.at("version").get<int64_t>();
    if (version != kVersion)
      throw DataError(
          "{}: status of version {}, this program reads version {}; use the one that runs "
          "the job",
          name, version, kVersion);
    Status status;
    read_fields(json, status);
    return status;
  } catch (const Json::exception& error) {
    throw DataError("{}: not the status of a run, or cut short ({})", name, error.what());
  }
}

}  // namespace superstep::report
