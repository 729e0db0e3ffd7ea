#include "superstep/cluster/transport/shared_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "superstep/base/certificates.h"

namespace superstep::cluster::transport {
namespace {

// The key comes first; floats begin at a cache line.
constexpr size_t kHead = 64;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW;

size_t bytes_of(size_t floats) { return kHead + floats * sizeof(float); }

}  // namespace

std::shared_ptr<SharedMemory> SharedMemory::make(std::string_view key, size_t floats) {
  if (key.empty() || key.size() > kHead) return nullptr;
  const int descriptor = memfd_create("superstep", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return nullptr;
  // Taken now: memory that runs out later would be a signal in the middle of a copy.
  if (ftruncate(descriptor, static_cast<off_t>(bytes_of(floats))) != 0 ||
      posix_fallocate(descriptor, 0, static_cast<off_t>(bytes_of(floats))) != 0 ||
      fcntl(descriptor, F_ADD_SEALS, kSeals) != 0) {
    close(descriptor);
    return nullptr;
  }
  auto memory = map(descriptor, floats);
  if (memory) std::memcpy(memory->begin_, key.data(), key.size());
  return memory;
}

std::shared_ptr<SharedMemory> SharedMemory::map(int descriptor, size_t floats) {
  const size_t bytes = bytes_of(floats);
  void* begin = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (begin == MAP_FAILED) {
    close(descriptor);
    return nullptr;
  }
  return std::shared_ptr<SharedMemory>(new SharedMemory(descriptor, begin, bytes));
}

SharedMemory::~SharedMemory() {
  munmap(begin_, bytes_);
  close(descriptor_);
}

std::span<float> SharedMemory::floats() const {
  return {reinterpret_cast<float*>(static_cast<char*>(begin_) + kHead),
          (bytes_ - kHead) / sizeof(float)};
}

Neighbour::Neighbour(int64_t process, Bytes key)
    : key_(std::move(key)),
      folder_(process > 0 ? open(fmt::format("/proc/{}", process).c_str(),
                                 O_PATH | O_DIRECTORY | O_CLOEXEC)
                          : -1) {}

Neighbour::~Neighbour() {
  if (folder_ >= 0) close(folder_);
}

std::shared_ptr<SharedMemory> Neighbour::memory(int64_t number, size_t floats) {
  if (folder_ < 0 || number < 0 || key_.empty() || key_.size() > kHead) return nullptr;
  const int descriptor = openat(folder_, fmt::format("fd/{}", number).c_str(),
                                O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return nullptr;
  struct stat about {};
  // Only memory has seals, and without them it might become shorter than what is mapped.
  const int seals = fcntl(descriptor, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals || fstat(descriptor, &about) != 0 ||
      about.st_size != static_cast<off_t>(bytes_of(floats))) {
    close(descriptor);
    return nullptr;
  }
  const std::scoped_lock lock(mutex_);
  const auto known = std::ranges::find_if(found_, [&](const Found& found) {
    return found.device == about.st_dev && found.file == about.st_ino;
  });
  if (known != found_.end()) {
    close(descriptor);
    return known->memory;
  }
  auto memory = SharedMemory::map(descriptor, floats);
  if (!memory ||
      !same_secret(std::string_view(static_cast<const char*>(memory->begin_), key_.size()), key_))
    return nullptr;
  if (found_.size() == kMost) found_.erase(found_.begin());
  found_.push_back({about.st_dev, about.st_ino, memory});
  return memory;
}

void Neighbour::forget() {
  const std::scoped_lock lock(mutex_);
  found_.clear();
}

}  // namespace superstep::cluster::transport
