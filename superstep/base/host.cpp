#include "superstep/base/host.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <mutex>

namespace superstep {
namespace {

std::mutex mutex;
std::string given;  // under `mutex`

bool same_text(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool is_address(std::string_view name) {
  return name.find(':') != std::string_view::npos ||
         name.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

std::string machine_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

std::string host_name() {
  {
    const std::scoped_lock lock(mutex);
    if (!given.empty()) return given;
  }
  const char* node = std::getenv("NM_HOST");
  return node != nullptr && *node != '\0' ? node : machine_name();
}

void set_host_name(std::string name) {
  const std::scoped_lock lock(mutex);
  given = std::move(name);
}

bool same_host(std::string_view a, std::string_view b) {
  if (same_text(a, b)) return true;
  if (is_address(a) || is_address(b)) return false;
  const size_t dot_a = a.find('.'), dot_b = b.find('.');
  if (dot_a != std::string_view::npos && dot_b != std::string_view::npos) return false;
  return same_text(a.substr(0, dot_a), b.substr(0, dot_b));
}

}  // namespace superstep
