// A process that this one started, and whose standard input and output are pipes to it: lines of
// text go both ways. It has a process group of its own, so that Ctrl-C in a terminal is heard by us
// alone. A child that watches its standard input (watch_parent) ends when we end, however we do.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace superstep::engines {

/// How a process ended: by itself with a code, or by a signal.
struct ProcessEnd {
  int code = 0;
  int signal = 0;                          ///< 0: by itself.
  [[nodiscard]] std::string text() const;  ///< "exit code 1", "signal 9 (Killed)".
};

class ChildProcess {
 public:
  using Environment = std::vector<std::pair<std::string, std::string>>;

  /// Starts `command` (a path, then arguments) with these variables beside those of this process.
  /// Throws FileError where it cannot be started.
  ChildProcess(std::vector<std::string> command, const Environment& environment);
  /// Kills it where it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Readable where it has written, or has ended: for poll(). -1 once that was read.
  [[nodiscard]] int output() const { return output_; }
  /// Writes a line to its standard input. Says nothing where it reads no more.
  void write_line(std::string_view line);
  /// Reads what is there, without waiting, and returns the whole lines of it.
  std::vector<std::string> read_lines();
  /// Whether its output has ended and all of it was read.
  [[nodiscard]] bool output_ended() const { return output_ < 0; }
  void send_signal(int signal) const;
  /// Its end, once there is one.
  std::optional<ProcessEnd> ended();
  /// Waits for its end.
  ProcessEnd wait();

 private:
  void close_input();
  ProcessEnd keep_end(int status);

  pid_t pid_ = -1;
  int input_ = -1, output_ = -1;
  std::string unread_;
  std::optional<ProcessEnd> end_;
};

/// Calls `line` with each line of standard input, and `closed` at its end, on a thread of its own
/// that lives as long as the process.
void watch_parent(std::function<void(std::string)> line, std::function<void()> closed);

}  // namespace superstep::engines
