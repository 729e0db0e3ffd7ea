#include "superstep/front_door/tokens.h"

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>

#include "superstep/base/error.h"
#include "superstep/base/log.h"
#include "superstep/io/file.h"

namespace superstep::front_door {
namespace {

namespace fs = std::filesystem;

// Whole or not at all, and for its owner only.
void replace_secret(const fs::path& path, const std::string& bytes) {
  const fs::path next = path.string() + ".next";
  std::ofstream out(next, std::ios::binary | std::ios::trunc);
  fs::permissions(next, fs::perms::owner_read | fs::perms::owner_write);
  out << bytes;
  out.close();
  if (!out) throw FileError("{}: cannot be written", next.string());
  fs::rename(next, path);
}

void carry(const std::string& from, const fs::path& to, std::string& last) {
  try {
    std::string tokens = io::read_file(from);
    if (tokens == last) return;
    replace_secret(to, tokens);
    last = std::move(tokens);
    log::info("new tokens from {}", from);
  } catch (const std::exception& error) {
    log::warning("{}; going on with the tokens before", error.what());
  }
}

}  // namespace

std::jthread carry_tokens() {
  const char* told = std::getenv(kTokensVariable);
  const char* own = std::getenv("HADOOP_TOKEN_FILE_LOCATION");
  if (told == nullptr || own == nullptr) return {};
  std::istringstream text(told);
  int seconds = 0;
  std::string from;
  text >> seconds;
  std::getline(text >> std::ws, from);
  if (seconds < 1 || from.empty())
    throw ConfigError("{}: '{}', wanted seconds from 1 and a path", kTokensVariable, told);
  return std::jthread([seconds, from, to = fs::path(own)](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any ended;
    std::unique_lock lock(mutex);
    std::string last;
    while (!ended.wait_for(lock, stop, std::chrono::seconds(seconds),
                           [&] { return stop.stop_requested(); }))
      carry(from, to, last);
  });
}

}  // namespace superstep::front_door
