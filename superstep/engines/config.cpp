#include "superstep/engines/config.h"

namespace superstep::engines {

void EngineConfig::declare(config::Section& section) {
  section.choice("kind", kind, "Where workers run: local is this process.", {"local"},
                 {.effect = config::kRun});
  section.integer("workers", workers,
                  "Workers (of the local engine: threads, several a replica where there are more of "
                  "them); 0 means one a core. Never changes the model.",
                  {.min = 0, .max = 4096, .effect = config::kRun});
  section.integer("cache_mb", cache_mb,
                  "Memory for what frozen layers make of the rows, in millions of bytes; what does "
                  "not fit is computed again. Never changes the model.",
                  {.min = 0, .max = 1e6, .effect = config::kRun});
}

}  // namespace superstep::engines
