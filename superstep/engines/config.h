// The [engine] section of a job.
#pragma once

#include <cstdint>
#include <string>

#include "superstep/config/section.h"

namespace superstep::engines {

struct EngineConfig {
  std::string kind = "local";
  int64_t workers = 0;
  int64_t threads = 1;
  bool tls = true;
  bool backups = true;
  int64_t cache_mb = 64;

  void declare(config::Section& section);
};

}  // namespace superstep::engines
