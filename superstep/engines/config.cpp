#include "superstep/engines/config.h"

namespace superstep::engines {

void EngineConfig::declare(config::Section& section) {
  section.choice("kind", kind,
                 "Where workers run: local is this process, process starts others, yarn asks a "
                 "Hadoop cluster for containers.",
                 {"local", "process", "yarn"}, {.effect = config::kRun});
  section.integer(
      "workers", workers,
      "Workers (local: threads, several a replica where there are more of them; process: "
      "processes; yarn: containers); 0 means one a core, on yarn one for each of the "
      "replicas that engine.threads compute at once. Never changes the model.",
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
  section.flag("shared_memory", shared_memory,
               "Whether models and updates go between the coordinator and worker processes of its "
               "machine through memory that both see, instead of a connection. Not on yarn. Never "
               "changes the model.",
               {.effect = config::kRun});
  section.number("locality_wait", locality_wait,
                 "Seconds that a worker leaves rows unread for one on the host that holds them; "
                 "three times as "
                 "long where that one is still to come. Never changes the model.",
                 {.min = 0, .max = 1e6, .effect = config::kRun});
  section.integer("cache_mb", cache_mb,
                  "Memory for what frozen layers make of the rows, in millions of bytes; what does "
                  "not fit is computed again. Never changes the model.",
                  {.min = 0, .max = 1e6, .effect = config::kRun});
  section.integer("memory", memory,
                  "yarn: memory of each container, in MB. A worker that needs more is killed.",
                  {.min = 1, .max = 1 << 24, .effect = config::kRun});
  section.integer("cores", cores, "yarn: cores of each container; 0 means engine.threads.",
                  {.min = 0, .max = 4096, .effect = config::kRun});
  section.text("queue", queue, "yarn: the queue; the cluster's default when not set.",
               {.effect = config::kRun});
  section.integer("priority", priority, "yarn: of the application in its queue.",
                  {.min = 0, .max = 1 << 30, .effect = config::kRun});
  section.texts("tags", tags, "yarn: tags of the application, by which others find it.",
                {.effect = config::kRun});
  section.text("node_label", node_label, "yarn: only nodes with this label.",
               {.effect = config::kRun});
  section.text("staging", staging,
               "yarn: the folder that this program and the job are put into, a URI; .superstep in "
               "the user's home folder of the cluster when not set.",
               {.effect = config::kRun});
  section.text("principal", principal, "yarn: the Kerberos principal of engine.keytab.",
               {.effect = config::kRun});
  section.text("keytab", keytab,
               "yarn: a keytab file to log in by, for jobs longer than a ticket lives.",
               {.effect = config::kRun});
}

}  // namespace superstep::engines
