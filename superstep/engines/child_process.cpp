#include "superstep/engines/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <thread>

#include "superstep/base/error.h"

namespace superstep::engines {
namespace {

struct Pipe {
  int read = -1, write = -1;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    throw FileError("cannot make a pipe: {}", std::strerror(errno));
  return {ends[0], ends[1]};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> with_ours(const ChildProcess::Environment& more) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    bool replaced = false;
    for (const auto& [key, value] : more) replaced |= key == name;
    if (!replaced) all.emplace_back(text);
  }
  for (const auto& [key, value] : more) all.push_back(key + "=" + value);
  return all;
}

// The child hears signals as if it had been started from a shell, in a group of its own.
struct SpawnAttributes {
  posix_spawnattr_t value{};
  SpawnAttributes() {
    posix_spawnattr_init(&value);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&value, &none);
    posix_spawnattr_setsigdefault(&value, &all);
    posix_spawnattr_setpgroup(&value, 0);
    posix_spawnattr_setflags(
        &value, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnAttributes() { posix_spawnattr_destroy(&value); }
};

struct SpawnFiles {
  posix_spawn_file_actions_t value{};
  SpawnFiles() { posix_spawn_file_actions_init(&value); }
  ~SpawnFiles() { posix_spawn_file_actions_destroy(&value); }
};

}  // namespace

std::string ProcessEnd::text() const {
  if (signal == 0) return fmt::format("exit code {}", code);
  return fmt::format("signal {} ({})", signal, strsignal(signal));
}

ChildProcess::ChildProcess(std::vector<std::string> command, const Environment& environment) {
  const Pipe in = make_pipe(), out = make_pipe();
  SpawnFiles files;
  posix_spawn_file_actions_adddup2(&files.value, in.read, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files.value, out.write, STDOUT_FILENO);
  SpawnAttributes attributes;
  std::vector<std::string> variables = with_ours(environment);
  const int error = posix_spawnp(&pid_, command.front().c_str(), &files.value, &attributes.value,
                                 pointers(command).data(), pointers(variables).data());
  close(in.read);
  close(out.write);
  input_ = in.write;
  output_ = out.read;
  if (error != 0) {
    close_input();
    close(output_);
    throw FileError("cannot start {}: {}", command.front(), std::strerror(error));
  }
  fcntl(output_, F_SETFL, fcntl(output_, F_GETFL) | O_NONBLOCK);
}

ChildProcess::~ChildProcess() {
  close_input();
  if (output_ >= 0) close(output_);
  if (!ended()) {
    kill(-pid_, SIGKILL);  // with what it started itself: they hold our standard error open
    wait();
  }
}

void ChildProcess::close_input() {
  if (input_ >= 0) close(input_);
  input_ = -1;
}

void ChildProcess::write_line(std::string_view line) {
  if (input_ < 0) return;
  // A child that is gone must not end us by SIGPIPE: the signal is held back on this thread, and
  // taken away before it is let through again.
  sigset_t pipe_signal, before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  std::string text(line);
  text += '\n';
  for (std::string_view left = text; !left.empty();) {
    const ssize_t written = write(input_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      close_input();
      break;
    }
    left.remove_prefix(static_cast<size_t>(written));
  }
  constexpr timespec kNow{};
  while (sigtimedwait(&pipe_signal, nullptr, &kNow) == SIGPIPE) {
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

std::vector<std::string> ChildProcess::read_lines() {
  std::vector<std::string> lines;
  std::array<char, 65536> buffer;
  while (output_ >= 0) {
    const ssize_t count = read(output_, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    if (count == 0) {
      close(output_);
      output_ = -1;
      break;
    }
    unread_.append(buffer.data(), static_cast<size_t>(count));
  }
  size_t begin = 0;
  for (size_t end; (end = unread_.find('\n', begin)) != std::string::npos; begin = end + 1)
    lines.push_back(unread_.substr(begin, end - begin));
  unread_.erase(0, begin);
  return lines;
}

void ChildProcess::send_signal(int signal) const {
  if (!end_) kill(pid_, signal);
}

ProcessEnd ChildProcess::keep_end(int status) {
  end_ = WIFSIGNALED(status) ? ProcessEnd{0, WTERMSIG(status)} : ProcessEnd{WEXITSTATUS(status), 0};
  return *end_;
}

std::optional<ProcessEnd> ChildProcess::ended() {
  int status = 0;
  if (!end_ && waitpid(pid_, &status, WNOHANG) == pid_) keep_end(status);
  return end_;
}

ProcessEnd ChildProcess::wait() {
  int status = 0;
  while (!end_) {
    if (waitpid(pid_, &status, 0) == pid_) keep_end(status);
  }
  return *end_;
}

void watch_parent(std::function<void(std::string)> line, std::function<void()> closed) {
  std::thread([line = std::move(line), closed = std::move(closed)] {
    for (std::string text; std::getline(std::cin, text);) line(std::move(text));
    closed();
  }).detach();
}

}  // namespace superstep::engines
