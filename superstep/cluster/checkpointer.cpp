#include "superstep/cluster/checkpointer.h"

#include <time.h>

#include <algorithm>
#include <chrono>

#include "superstep/base/log.h"

namespace superstep::cluster {
namespace {

using std::chrono::steady_clock;

double clock_seconds() {
  return std::chrono::duration<double>(steady_clock::now().time_since_epoch()).count();
}

// A checkpoint may take this share of the time.
constexpr double kShareOfTime = 0.02;

// What a thread has computed so far. A write that waits for its disk, or for a process that was
// stopped, takes nothing from the training, and must not put off the next one.
double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

Bytes pack_private_states(const std::map<int64_t, Bytes>& states) {
  ByteWriter out;
  out.put(static_cast<uint64_t>(states.size()));
  for (const auto& [id, bytes] : states) {
    out.put(id);
    out.put_string(bytes);
  }
  return std::move(out).take();
}

std::map<int64_t, Bytes> unpack_private_states(const Bytes& bytes) {
  ByteReader in(bytes, "the private states of a checkpoint");
  std::map<int64_t, Bytes> states;
  for (auto left = in.get<uint64_t>(); left > 0; --left) {
    const auto id = in.get<int64_t>();
    states[id] = in.get_string();
  }
  in.finish();
  return states;
}

}  // namespace

std::optional<Resume> newest_checkpoint(const RunFolder& folder, const Bytes& job) {
  const auto found = io::CheckpointFolder(folder.file("checkpoints")).newest();
  if (!found) return std::nullopt;
  const io::Checkpoint& checkpoint = found->checkpoint;
  if (checkpoint.blob("job") != job)
    throw ConfigError(
        "{}: the job or its data are not those that this run began with; start a new run, or undo "
        "the change",
        folder.path());
  Resume resume{.state = {.shared = checkpoint.set("shared"),
                          .outer = checkpoint.set("outer"),
                          .notes = checkpoint.blob("notes")},
                .private_states = unpack_private_states(checkpoint.blob("private")),
                .last = reduce::round_from_bytes(checkpoint.blob("round")),
                .metrics_size = 0};
  resume.metrics_size = ByteReader(checkpoint.blob("metrics_size"), "a checkpoint").get<int64_t>();
  return resume;
}

Checkpointer::Checkpointer(RunFolder& folder, Bytes job, double seconds)
    : folder_(folder),
      job_(std::move(job)),
      seconds_(seconds),
      store_(folder.file("checkpoints")),
      next_time_(clock_seconds() + seconds) {}

Checkpointer::~Checkpointer() {
  if (writing_.valid()) writing_.wait();
}

io::Checkpoint Checkpointer::pack(const reduce::State& state,
                                  const std::map<int64_t, Bytes>& private_states,
                                  const reduce::Round& last) {
  ByteWriter metrics_size;
  metrics_size.put(folder_.metrics_size());
  return {.sets = {{"shared", state.shared}, {"outer", state.outer}},
          .blobs = {{"job", job_},
                    {"notes", state.notes},
                    {"private", pack_private_states(private_states)},
                    {"round", reduce::to_bytes(last)},
                    {"metrics_size", std::move(metrics_size).take()}}};
}

void Checkpointer::write_bytes(const io::Checkpoint& checkpoint, int64_t number) {
  folder_.check_claim();
  folder_.send_metrics();  // it states how much of them belongs to it
  store_.write(number, folder_.attempt(), checkpoint);
}

void Checkpointer::offer(const reduce::State& state, const std::map<int64_t, Bytes>& private_states,
                         const reduce::Round& last) {
  if (writing_.valid()) {
    if (writing_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
    const double cost = writing_.get();
    next_time_ = clock_seconds() + std::max(seconds_, cost / kShareOfTime);
  }
  if (clock_seconds() < next_time_) return;
  const double begun = processor_seconds();
  auto checkpoint = pack(state, private_states, last);
  writing_ = std::async(
      std::launch::async, [this, checkpoint = std::move(checkpoint),
                           packed = processor_seconds() - begun, number = last.superstep] {
        const double started = processor_seconds();
        try {
          write_bytes(checkpoint, number);
        } catch (const Error& error) {
          log::warning("no checkpoint at superstep {}: {}; training goes on", number, error.what());
        }
        return packed + processor_seconds() - started;
      });
}

void Checkpointer::write(const reduce::State& state, const std::map<int64_t, Bytes>& private_states,
                         const reduce::Round& last) {
  if (writing_.valid()) writing_.get();
  write_bytes(pack(state, private_states, last), last.superstep);
}

}  // namespace superstep::cluster
