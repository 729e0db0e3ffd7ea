// Floats that two processes of one machine both see, where the network would copy them. One makes
// and writes them, the other reads.
//
//   worker                                          coordinator
//     auto memory = SharedMemory::make(key, n);
//     ... says getpid(), key, memory->name() ...      Neighbour worker(process, key);
//                                                     auto same = worker.memory(name, n);
//
// The memory lies in no folder (memfd_create(2)) and is gone with the last process that maps it,
// however that ends. Its size is sealed, so that neither end can pull it from under the other. It
// begins with a key that only its maker can have told: on another machine, in another namespace of
// processes, or under another user the same name leads nowhere, or to what has another key. A name
// is never used twice with one key: who comes late does not reach what came after.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "superstep/base/bytes.h"
#include "superstep/base/certificates.h"
#include "superstep/tensor/param_set.h"

namespace superstep::cluster::transport {

class SharedMemory {
 public:
  /// New memory of this process, zeros; null where the system has none to give. `key` is of
  /// make_secret().
  static std::shared_ptr<SharedMemory> make(std::string_view key, size_t floats);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// What another process finds it by: a descriptor of this one, and a serial number.
  [[nodiscard]] std::string name() const;
  /// To be written by their maker alone: elsewhere they are mapped to be read.
  [[nodiscard]] std::span<float> floats() const;

 private:
  friend class Neighbour;
  struct Head;
  SharedMemory(int descriptor, void* begin, size_t bytes)
      : descriptor_(descriptor), begin_(begin), bytes_(bytes) {}
  /// Takes the descriptor; null where it cannot be mapped.
  static std::shared_ptr<SharedMemory> map(int descriptor, size_t floats, int protection);
  [[nodiscard]] Head& head() const;

  int descriptor_;
  void* begin_;
  size_t bytes_;
};

/// Tensors of this process that a neighbour sees, too. Safe from many threads.
class SharedTensors {
 public:
  [[nodiscard]] const Bytes& key() const { return key_; }
  /// Zeros in memory that can be shared, or in other memory where there is none.
  ParamSet make(const std::shared_ptr<const ParamLayout>& layout);
  /// The name of the memory that these lie in; "": in none that make() made.
  [[nodiscard]] std::string name_of(const ParamSet& params);

 private:
  const Bytes key_ = make_secret();
  std::mutex mutex_;
  std::vector<std::weak_ptr<SharedMemory>> made_;
};

/// Another process, as far as it shares memory. Safe from many threads.
class Neighbour {
 public:
  /// The process of this number as it is now: never one that gets its number later.
  Neighbour(int64_t process, Bytes key);
  ~Neighbour();
  Neighbour(const Neighbour&) = delete;
  Neighbour& operator=(const Neighbour&) = delete;

  /// The memory of this name in that process, to be read; null where there is none of this key and
  /// size, or it cannot be reached. What was found once stays mapped, the last few of them.
  std::shared_ptr<SharedMemory> memory(std::string_view name, size_t floats);
  /// The tensors that lie there, or none, as with memory().
  std::optional<ParamSet> tensors(std::string_view name,
                                  const std::shared_ptr<const ParamLayout>& layout);
  /// Lets go of what was found, but for what is being used.
  void forget();

 private:
  static constexpr size_t kMost = 64;
  const Bytes key_;
  int folder_;
  std::mutex mutex_;
  std::vector<std::pair<std::string, std::shared_ptr<SharedMemory>>> found_;  // the oldest first
};

}  // namespace superstep::cluster::transport
