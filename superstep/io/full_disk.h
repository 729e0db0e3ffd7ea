// For tests: while it lives, this process can make no file longer than so many bytes, which looks
// to a writer as a disk without room does (an error in the middle of a write).
#pragma once

#include <sys/resource.h>

#include <csignal>

#include "superstep/base/error.h"

namespace superstep::io {

class FullDisk {
 public:
  explicit FullDisk(rlim_t longest_file) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    SUPERSTEP_ASSERT(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit now{longest_file, before_.rlim_max};
    SUPERSTEP_ASSERT(setrlimit(RLIMIT_FSIZE, &now) == 0);
  }
  ~FullDisk() {
    SUPERSTEP_ASSERT(setrlimit(RLIMIT_FSIZE, &before_) == 0);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

}  // namespace superstep::io
