#include "superstep/cluster/transport/shared_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstring>

namespace superstep::cluster::transport {

namespace {

constexpr size_t kHead = 64;
constexpr size_t kLongestKey = 48;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW;

bool is_key(std::string_view key) { return !key.empty() && key.size() <= kLongestKey; }
Bytes padded(std::string_view key) { return Bytes(key) + Bytes(kLongestKey - key.size(), '\0'); }
size_t bytes_of(size_t floats) { return kHead + floats * sizeof(float); }

// "descriptor.serial"; negative where it is no such name.
std::pair<int, int64_t> parse(std::string_view name) {
  int descriptor = -1;
  int64_t serial = -1;
  const char* const end = name.data() + name.size();
  const auto first = std::from_chars(name.data(), end, descriptor);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return {-1, -1};
  const auto second = std::from_chars(first.ptr + 1, end, serial);
  if (second.ec != std::errc() || second.ptr != end) return {-1, -1};
  return {descriptor, serial};
}

}  // namespace

// What comes before the floats.
struct alignas(kHead) SharedMemory::Head {
  std::array<char, kLongestKey> key;  // padded
  int64_t serial;                     // from 1
};

std::shared_ptr<SharedMemory> SharedMemory::make(std::string_view key, size_t floats) {
  static_assert(sizeof(Head) == kHead);
  static std::atomic<int64_t> made = 0;
  if (!is_key(key)) return nullptr;
  const int descriptor = memfd_create("superstep", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return nullptr;
  // Taken now: memory that runs out later would be a signal in the middle of a copy.
  if (ftruncate(descriptor, static_cast<off_t>(bytes_of(floats))) != 0 ||
      posix_fallocate(descriptor, 0, static_cast<off_t>(bytes_of(floats))) != 0 ||
      fcntl(descriptor, F_ADD_SEALS, kSeals) != 0) {
    close(descriptor);
    return nullptr;
  }
  auto memory = map(descriptor, floats, PROT_READ | PROT_WRITE);
  if (!memory) return nullptr;
  std::ranges::copy(key, memory->head().key.begin());
  memory->head().serial = ++made;
  return memory;
}

std::shared_ptr<SharedMemory> SharedMemory::map(int descriptor, size_t floats, int protection) {
  const size_t bytes = bytes_of(floats);
  void* begin = mmap(nullptr, bytes, protection, MAP_SHARED, descriptor, 0);
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

SharedMemory::Head& SharedMemory::head() const { return *static_cast<Head*>(begin_); }

std::string SharedMemory::name() const { return fmt::format("{}.{}", descriptor_, head().serial); }

std::span<float> SharedMemory::floats() const {
  return {reinterpret_cast<float*>(static_cast<char*>(begin_) + kHead),
          (bytes_ - kHead) / sizeof(float)};
}

ParamSet SharedTensors::make(const std::shared_ptr<const ParamLayout>& layout) {
  const auto memory = SharedMemory::make(key_, layout->flat_size());
  if (!memory) return ParamSet(layout);
  const std::scoped_lock lock(mutex_);
  std::erase_if(made_, [](const auto& made) { return made.expired(); });
  made_.push_back(memory);
  return {layout, std::shared_ptr<float>(memory, memory->floats().data())};
}

std::string SharedTensors::name_of(const ParamSet& params) {
  const std::scoped_lock lock(mutex_);
  for (const auto& made : made_)
    if (const auto memory = made.lock(); memory && memory->floats().data() == params.flat().data())
      return memory->name();
  return {};
}

Neighbour::Neighbour(int64_t process, Bytes key)
    : key_(std::move(key)),
      folder_(process > 0
                  ? open(fmt::format("/proc/{}", process).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)
                  : -1) {}

Neighbour::~Neighbour() {
  if (folder_ >= 0) close(folder_);
}

std::shared_ptr<SharedMemory> Neighbour::memory(std::string_view name, size_t floats) {
  const auto [number, serial] = parse(name);
  if (folder_ < 0 || number < 0 || serial < 1 || !is_key(key_)) return nullptr;
  const std::scoped_lock lock(mutex_);
  const auto known =
      std::ranges::find_if(found_, [&](const auto& found) { return found.first == name; });
  if (known != found_.end())
    return known->second->floats().size() == floats ? known->second : nullptr;
  const int descriptor = openat(folder_, fmt::format("fd/{}", number).c_str(),
                                O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return nullptr;
  struct stat about {};
  // Only memory has seals, and without them it might become shorter than what is mapped.
  const int seals = fcntl(descriptor, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals || fstat(descriptor, &about) != 0 ||
      about.st_size != static_cast<off_t>(bytes_of(floats))) {
    close(descriptor);
    return nullptr;
  }
  auto memory = SharedMemory::map(descriptor, floats, PROT_READ);
  if (!memory) return nullptr;
  const SharedMemory::Head& head = memory->head();
  if (head.serial != serial || !same_secret({head.key.data(), head.key.size()}, padded(key_)))
    return nullptr;
  if (found_.size() == kMost) found_.erase(found_.begin());
  found_.emplace_back(name, memory);
  return memory;
}

std::optional<ParamSet> Neighbour::tensors(std::string_view name,
                                           const std::shared_ptr<const ParamLayout>& layout) {
  const auto memory = this->memory(name, layout->flat_size());
  if (!memory) return std::nullopt;
  return ParamSet(layout, std::shared_ptr<float>(memory, memory->floats().data()));
}

void Neighbour::forget() {
  const std::scoped_lock lock(mutex_);
  found_.clear();
}

}  // namespace superstep::cluster::transport
