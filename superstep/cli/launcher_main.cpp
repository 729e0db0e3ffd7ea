// bin/superstep of the relocatable package: starts lib/superstep through the package's own dynamic
// loader, so that neither the node's C library nor its loader matters. It is linked statically, and
// needs no shell and no /proc, for it may be all that a container holds. tools/package.sh lays out
// the package.
#include <sys/auxv.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

// Where this program lies, links followed; "" where the system does not say.
std::string own_path() {
  std::array<char, PATH_MAX> path{};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size() - 1);
  if (length > 0) return {path.data(), static_cast<size_t>(length)};
  // What execve() was given: the kernel hands it on even where /proc is not mounted.
  const auto* given = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  return given && realpath(given, path.data()) ? path.data() : "";
}

}  // namespace

int main(int argc, char** argv) {
  const std::string self = own_path();
  const size_t bin = self.rfind('/');
  const size_t root = bin == std::string::npos || bin == 0 ? bin : self.rfind('/', bin - 1);
  if (root == std::string::npos) {
    std::fprintf(stderr,
                 "superstep: cannot find where it is installed; start it by its whole path\n");
    return 1;
  }
  const std::string lib = self.substr(0, root) + "/lib";
  const std::string loader = lib + "/ld.so", program = lib + "/superstep";
  // For the program, /proc/self/exe is the loader: it starts itself again by this path.
  setenv("SUPERSTEP_PROGRAM", self.c_str(), /*overwrite=*/1);
  std::vector<const char*> command{loader.c_str(),   "--argv0",   self.c_str(),
                                   "--library-path", lib.c_str(), program.c_str()};
  command.insert(command.end(), argv + 1, argv + argc);
  command.push_back(nullptr);
  execv(loader.c_str(), const_cast<char* const*>(command.data()));
  std::fprintf(stderr, "superstep: %s: %s\n", loader.c_str(), std::strerror(errno));
  return 1;
}
