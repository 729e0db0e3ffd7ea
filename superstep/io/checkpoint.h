// A folder of checkpoints, of which the newest whole one counts.
//
//   io::CheckpointFolder folder("runs/digits/1/checkpoints");
//   folder.write(superstep, attempt, checkpoint);
//   if (auto found = folder.newest()) resume(found->checkpoint);
//
// A checkpoint is two files: `checkpoint-<number>-<attempt>.safetensors`, written and synced first,
// and `checkpoint-<number>-<attempt>.json`, the manifest, which appears last by rename. A reader
// believes only a manifest whose file has the size and the digest that it states; where one does
// not, it says so and takes the next older one. After a write the oldest beyond `keep` go. Where
// there is no room, write throws FileError and the older ones stay. Limits: one writer at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "superstep/base/bytes.h"
#include "superstep/tensor/param_set.h"

namespace superstep::io {

/// Named groups of tensors and byte strings; what they mean is the caller's. Names of sets differ.
struct Checkpoint {
  std::vector<std::pair<std::string, ParamSet>> sets;
  std::map<std::string, Bytes> blobs;

  /// The set or blob of this name; DataError when there is none.
  [[nodiscard]] const ParamSet& set(const std::string& name) const;
  [[nodiscard]] const Bytes& blob(const std::string& name) const;
};

class CheckpointFolder {
 public:
  /// Makes the folder at the first write. keep: at least 1.
  explicit CheckpointFolder(std::string path, int keep = 3);

  /// `number` grows with the run (the superstep), `attempt` with each coordinator; a pair that is
  /// there already is replaced. Throws FileError.
  void write(int64_t number, int64_t attempt, const Checkpoint& checkpoint);

  struct Found {
    int64_t number = 0, attempt = 0;
    Checkpoint checkpoint;
  };
  /// The whole one with the highest attempt, and in it the highest number; nullopt when there is
  /// none.
  [[nodiscard]] std::optional<Found> newest() const;

 private:
  std::string path_;
  int keep_;
};

}  // namespace superstep::io
