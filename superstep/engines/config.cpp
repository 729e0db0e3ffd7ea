#include "superstep/engines/config.h"

namespace superstep::engines {

void EngineConfig::declare(config::Section& section) {
  section.choice("kind", kind, "Where workers run: local is this process, process starts others.",
                 {"local", "process"},
                 {.effect = config::kRun});
  section.integer("workers", workers,
                  "Workers (local: threads, several a replica where there are more of them; process: "
                  "processes); 0 means one a core. Never changes the model.",
                  {.min = 0, .max = 4096, .effect = config::kRun});
  section.integer("threads", threads,
                  "Threads of each worker process, which compute as many units at once. Never "
                  "changes the model.",
                  {.min = 1, .max = 4096, .effect = config::kRun});
  section.flag("tls", tls,
                  "Whether connections from other machines are encrypted. If not, whoever reads "
                  "along on the network sees the model, and the secret that lets workers in.",
                  {.effect = config::kRun});
  section.flag("backups", backups,
               "Whether a unit that is slow or silent is leased to a second worker, too; the first "
               "result counts. Never changes the model.",
               {.effect = config::kRun});
  section.integer("cache_mb", cache_mb,
                  "Memory for what frozen layers make of the rows, in millions of bytes; what does "
                  "not fit is computed again. Never changes the model.",
                  {.min = 0, .max = 1e6, .effect = config::kRun});
}

}  // namespace superstep::engines
