// The folder of a run, here or on HDFS: job.toml, metrics.jsonl, checkpoints/, and the claim of the
// attempt that may write there. A second coordinator cannot harm the first: it claims a higher
// attempt, and the first finds that out before it publishes anything more.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "superstep/io/write.h"

namespace superstep::cluster {

class RunFolder {
 public:
  /// A new folder at `path`; ConfigError where a run is there already.
  static RunFolder create(const std::string& path);
  /// The folder of a run that is there, to go on with it: claims the next attempt.
  static RunFolder open(const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(std::string_view name) const;
  [[nodiscard]] int64_t attempt() const { return attempt_; }
  /// Throws Error where a later attempt has claimed the folder.
  void check_claim() const;

  /// Appends a line to metrics.jsonl. Throws Error where a later attempt has claimed the folder. On
  /// HDFS lines are sent every few seconds, by a thread of their own: no superstep waits for them.
  void append_metrics(std::string_view line);
  [[nodiscard]] int64_t metrics_size() const { return metrics_->position(); }
  /// Cuts metrics.jsonl back to what a checkpoint knew.
  void truncate_metrics(int64_t size) { metrics_->truncate_to(size); }
  /// Until all lines are in the file. May be called beside the other methods. Throws as they do.
  void send_metrics() const;

 private:
  RunFolder(std::string path, int64_t attempt);

  std::string path_;
  int64_t attempt_ = 1;
  std::unique_ptr<io::AppendFile> metrics_;
  class Sender;
  struct EndSender {
    void operator()(Sender* sender) const;
  };
  std::unique_ptr<Sender, EndSender> sender_;  // where metrics_ holds what is written
};

}  // namespace superstep::cluster
