// For the tests of this folder: files that go away, IDX bytes, real data.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace superstep::data::testing {

/// A folder of its own for a test, removed with it.
class TestFolder {
 public:
  TestFolder() {
    std::string name = ::testing::TempDir() + "superstep-data-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }

 private:
  std::string path_;
};

/// An IDX file of unsigned bytes.
inline std::string idx(const std::vector<uint32_t>& axes, std::string_view values) {
  std::string bytes{'\0', '\0', '\x08', static_cast<char>(axes.size())};
  for (const uint32_t axis : axes)
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(axis >> shift & 0xFF);
  return bytes + std::string(values);
}

/// The folder of real data: $SUPERSTEP_DATA, else ../shared/data beside the source tree.
inline std::string real_data() {
  if (const char* folder = std::getenv("SUPERSTEP_DATA")) return folder;
  const auto root = std::filesystem::path(__FILE__).parent_path() / "../..";
  return (root / "../shared/data").lexically_normal().string();
}

/// What an action throws: its message, or "" when it throws nothing of this type.
template <class E, class Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

}  // namespace superstep::data::testing

/// The action throws E with a message that holds each of the texts.
#define EXPECT_ERROR(E, action, ...)                                                          \
  do {                                                                                        \
    const std::string message =                                                               \
        superstep::data::testing::message_of<E>([&] { static_cast<void>(action); });          \
    EXPECT_NE(message, "") << "no " #E " from " #action;                                      \
    for (const std::string& part : std::vector<std::string>{__VA_ARGS__})                     \
      EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' in: " << message; \
  } while (false)
