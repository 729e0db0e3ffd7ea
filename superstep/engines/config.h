// The [engine] section of a job.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "superstep/config/section.h"

namespace superstep::engines {

struct EngineConfig {
  std::string kind = "local";
  int64_t workers = 0;
  int64_t threads = 1;
  bool tls = true;
  bool backups = true;
  bool shared_memory = true;
  double locality_wait = 3;
  int64_t cache_mb = 64;
  // Of kind = "yarn":
  int64_t memory = 1024, cores = 0, priority = 0;
  std::string queue, node_label, staging, principal, keytab;
  std::vector<std::string> tags;

  void declare(config::Section& section);
};

}  // namespace superstep::engines
