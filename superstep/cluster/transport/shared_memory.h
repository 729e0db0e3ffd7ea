// Floats that two processes of one machine both see, where the network would copy them four times.
//
//   worker                                          coordinator
//     auto memory = SharedMemory::make(key, n);
//     ... says getpid(), memory->number(), key ...    Neighbour worker(process, key);
//                                                     auto same = worker.memory(number, n);
//
// The memory lies in no folder (memfd_create(2)) and is gone with the last process that maps it,
// however that ends. Its size is sealed, so that neither end can pull it from under the other. It
// begins with a key that only its maker can have told: on another machine, in another namespace of
// processes, or under another user the same numbers lead nowhere, or to what has another key.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "superstep/base/bytes.h"

namespace superstep::cluster::transport {

class SharedMemory {
 public:
  /// New memory of this process, zeros; null where the system has none to give. `key` is of
  /// make_secret().
  static std::shared_ptr<SharedMemory> make(std::string_view key, size_t floats);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// What another process finds it by: a descriptor of this one.
  [[nodiscard]] int number() const { return descriptor_; }
  [[nodiscard]] std::span<float> floats() const;

 private:
  friend class Neighbour;
  SharedMemory(int descriptor, void* begin, size_t bytes)
      : descriptor_(descriptor), begin_(begin), bytes_(bytes) {}
  /// Takes the descriptor; null where it cannot be mapped.
  static std::shared_ptr<SharedMemory> map(int descriptor, size_t floats);

  int descriptor_;
  void* begin_;
  size_t bytes_;
};

/// Another process, as far as it shares memory. Safe from many threads.
class Neighbour {
 public:
  /// The process of this number as it is now: never one that gets its number later.
  Neighbour(int64_t process, Bytes key);
  ~Neighbour();
  Neighbour(const Neighbour&) = delete;
  Neighbour& operator=(const Neighbour&) = delete;

  /// The memory of this number in that process; null where there is none of this key and size, or
  /// it cannot be reached. What was found once stays mapped, the last few of them.
  std::shared_ptr<SharedMemory> memory(int64_t number, size_t floats);
  /// Lets go of all that nobody uses.
  void forget();

 private:
  struct Found {
    uint64_t device, file;
    std::shared_ptr<SharedMemory> memory;
  };
  static constexpr size_t kMost = 16;
  const Bytes key_;
  int folder_;
  std::mutex mutex_;
  std::vector<Found> found_;  // the oldest first
};

}  // namespace superstep::cluster::transport
