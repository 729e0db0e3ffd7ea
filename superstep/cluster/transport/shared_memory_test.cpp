// Memory between real processes: what one writes the other reads, and nothing else is reached.
#include "superstep/cluster/transport/shared_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "superstep/base/certificates.h"

namespace superstep::cluster::transport {
namespace {

constexpr size_t kFloats = 5000;

int number_in(const std::string& name) { return std::stoi(name); }

TEST(SharedMemory, IsSeenByAnotherProcess) {
  const Bytes key = make_secret();
  const auto memory = SharedMemory::make(key, kFloats);
  ASSERT_TRUE(memory);
  ASSERT_EQ(memory->floats().size(), kFloats);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory->floats().data()) % 64, 0U);
  EXPECT_EQ(std::ranges::count(memory->floats(), 0.0F), kFloats);
  memory->floats()[17] = 4;
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    // It has inherited memory and descriptor; another way in must lead to the same.
    Neighbour neighbour(parent, key);
    const auto same = neighbour.memory(memory->name(), kFloats);
    if (!same || same->floats().data() == memory->floats().data()) _exit(1);
    if (same->floats()[17] != 4) _exit(2);
    memory->floats()[kFloats - 1] = 5;
    _exit(same->floats()[kFloats - 1] == 5 ? 0 : 3);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(memory->floats()[kFloats - 1], 5);
}

TEST(SharedMemory, IsMappedOnceAsLongAsItIsTheSame) {
  const Bytes key = make_secret();
  Neighbour neighbour(getpid(), key);
  auto memory = SharedMemory::make(key, kFloats);
  memory->floats()[0] = 2;
  const std::string name = memory->name();
  const auto first = neighbour.memory(name, kFloats);
  ASSERT_TRUE(first);
  EXPECT_EQ(neighbour.memory(name, kFloats), first);
  EXPECT_FALSE(neighbour.memory(name, kFloats - 1));
  memory.reset();  // and another gets the descriptor
  memory = SharedMemory::make(key, kFloats);
  ASSERT_EQ(number_in(memory->name()), number_in(name));
  ASSERT_NE(memory->name(), name);
  memory->floats()[0] = 1;
  EXPECT_EQ(first->floats()[0], 2);  // what is mapped stays, for whoever still reads it
  const auto second = neighbour.memory(memory->name(), kFloats);
  ASSERT_TRUE(second);
  EXPECT_NE(second, first);
  EXPECT_EQ(second->floats()[0], 1);
  neighbour.forget();
  EXPECT_FALSE(neighbour.memory(name, kFloats));  // who comes late does not reach the other
  EXPECT_NE(neighbour.memory(memory->name(), kFloats), second);
}

TEST(SharedMemory, IsFoundByItsKeyAndSizeAlone) {
  const Bytes key = make_secret();
  const auto memory = SharedMemory::make(key, kFloats);
  const std::string name = memory->name();
  EXPECT_TRUE(Neighbour(getpid(), key).memory(name, kFloats));
  EXPECT_FALSE(Neighbour(getpid(), make_secret()).memory(name, kFloats));
  EXPECT_FALSE(Neighbour(getpid(), key.substr(1)).memory(name, kFloats));
  EXPECT_FALSE(Neighbour(getpid(), key.substr(0, 31)).memory(name, kFloats));
  EXPECT_FALSE(Neighbour(getpid(), "").memory(name, kFloats));
  EXPECT_FALSE(Neighbour(getpid(), Bytes(49, 'x')).memory(name, kFloats));
  EXPECT_FALSE(Neighbour(getpid(), key).memory(name, kFloats - 1));
  EXPECT_FALSE(Neighbour(getpid(), key).memory(name, kFloats + 1));
  EXPECT_FALSE(Neighbour(getpid(), key).memory(name, SIZE_MAX / 8));
  for (const std::string& other :
       {std::string(), std::string("."), std::string("-1.1"), name + "0", name + ".1", "x" + name,
        std::to_string(number_in(name)), "99999999999." + name})
    EXPECT_FALSE(Neighbour(getpid(), key).memory(other, kFloats)) << other;
  for (const int64_t nobody : {int64_t{0}, int64_t{-1}, INT64_MAX})
    EXPECT_FALSE(Neighbour(nobody, key).memory(name, kFloats));
  EXPECT_FALSE(SharedMemory::make("", kFloats));
  EXPECT_FALSE(SharedMemory::make(Bytes(49, 'x'), kFloats));
}

TEST(SharedMemory, IsNoOtherFile) {
  const Bytes key = make_secret();
  Bytes head = key + Bytes(64 - key.size(), '\0');
  head[48] = 1;  // the serial number
  Neighbour neighbour(getpid(), key);
  const auto expect_refused = [&](int descriptor) {
    ASSERT_GE(descriptor, 0);
    ASSERT_EQ(write(descriptor, head.data(), head.size()), static_cast<ssize_t>(head.size()));
    EXPECT_FALSE(neighbour.memory(std::to_string(descriptor) + ".1", 0));
    close(descriptor);
  };
  expect_refused(open(::testing::TempDir().c_str(), O_TMPFILE | O_RDWR, 0600));
  expect_refused(memfd_create("unsealed", MFD_ALLOW_SEALING));
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  EXPECT_FALSE(neighbour.memory(std::to_string(pipe[0]) + ".1", 0));
  for (const int end : pipe) close(end);
}

TEST(SharedMemory, KeepsItsSize) {
  const auto memory = SharedMemory::make(make_secret(), kFloats);
  for (const off_t size : {0, 1 << 20}) {
    EXPECT_EQ(ftruncate(number_in(memory->name()), size), -1);
    EXPECT_EQ(errno, EPERM);
  }
}

TEST(SharedMemory, IsWrittenByItsMakerAlone) {
  const Bytes key = make_secret();
  const auto memory = SharedMemory::make(key, kFloats);
  const auto same = Neighbour(getpid(), key).memory(memory->name(), kFloats);
  ASSERT_TRUE(same);
  EXPECT_DEATH(same->floats()[0] = 1, "");
  EXPECT_EQ(mprotect(same->floats().data() - 16, 4096, PROT_READ | PROT_WRITE), -1);
}

TEST(SharedTensors, AreFoundByTheirName) {
  const auto layout = std::make_shared<const ParamLayout>(std::vector<ParamSpec>{{"w", {2, 3}}});
  const auto other = std::make_shared<const ParamLayout>(std::vector<ParamSpec>{{"w", {20, 3}}});
  SharedTensors tensors;
  ParamSet made = tensors.make(layout);
  std::ranges::fill(made.values(0), 3.0F);
  EXPECT_EQ(tensors.name_of(ParamSet(layout)), "");
  EXPECT_EQ(tensors.name_of(ParamSet(made)), "");  // a copy has its own memory
  Neighbour neighbour(getpid(), tensors.key());
  const auto found = neighbour.tensors(tensors.name_of(made), layout);
  ASSERT_TRUE(found);
  EXPECT_TRUE(std::ranges::equal(found->flat(), std::as_const(made).flat()));
  EXPECT_NE(found->flat().data(), std::as_const(made).flat().data());
  EXPECT_FALSE(neighbour.tensors(tensors.name_of(made), other));
  EXPECT_FALSE(neighbour.tensors("", layout));
}

TEST(SharedMemory, OutlivesItsMakerWhereItIsMapped) {
  const Bytes key = make_secret();
  std::array<int, 2> told{}, go{};
  ASSERT_EQ(pipe(told.data()), 0);
  ASSERT_EQ(pipe(go.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto memory = SharedMemory::make(key, kFloats);
    memory->floats()[1] = 7;
    const std::string name = memory->name();
    char byte = 0;
    if (write(told[1], name.data(), name.size()) < 0 || read(go[0], &byte, 1) < 0) _exit(1);
    _exit(0);
  }
  std::string name(100, '\0');
  const ssize_t got = read(told[0], name.data(), name.size());
  ASSERT_GT(got, 0);
  name.resize(static_cast<size_t>(got));
  Neighbour neighbour(child, key);
  const auto memory = neighbour.memory(name, kFloats);
  ASSERT_TRUE(memory);
  ASSERT_EQ(kill(child, SIGKILL), 0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(memory->floats()[1], 7);
  neighbour.forget();
  EXPECT_FALSE(neighbour.memory(name, kFloats));  // whoever gets its number now
  for (const int end : {told[0], told[1], go[0], go[1]}) close(end);
}

}  // namespace
}  // namespace superstep::cluster::transport
