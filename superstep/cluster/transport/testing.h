// For tests of what a network does to a job: a Program whose state is large enough to be cut in
// the middle, and a relay that cuts.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "superstep/reduce/program.h"

namespace superstep::cluster::transport::testing {

/// Half of the state is frozen, the other half moves by what the units make of both.
class Wide : public reduce::Program {
 public:
  explicit Wide(int64_t floats = 400000) : floats_(floats) {}
  int64_t units = 4, supersteps = 5;
  /// Called in every compute, before it works and after.
  std::function<void(const reduce::Task&)> before, after;

  [[nodiscard]] reduce::State initial() const override {
    reduce::State state{.shared = ParamSet(state_layout_), .outer = ParamSet(), .notes = {}};
    for (int64_t i = 0; i < floats_; ++i)
      state.shared.values(0)[static_cast<size_t>(i)] = static_cast<float>(i % 1000);
    return state;
  }
  [[nodiscard]] std::optional<reduce::Round> next(const reduce::Round* last,
                                                  const reduce::State&) const override {
    const int64_t superstep = last ? last->superstep + 1 : 0;
    if (superstep == supersteps) return std::nullopt;
    reduce::Round round{
        .phase = "wide", .epoch = 0, .superstep = superstep, .args = {}, .units = {}};
    for (int64_t u = 0; u < units; ++u)
      round.units.push_back({.id = u, .begin = u, .end = u + 1, .weight = u + 1});
    return round;
  }
  [[nodiscard]] reduce::UpdateSpec update_spec(const reduce::Round&) const override {
    return reduce::UpdateSpec::means(update_layout_);
  }
  [[nodiscard]] reduce::Outcome compute(const reduce::Task& task) const override {
    if (before) before(task);
    reduce::Outcome outcome{.update = task.scratch.update(update_layout_),
                            .weight = task.unit.weight,
                            .blob = {},
                            .private_state = task.private_state + "x"};
    const auto frozen = task.shared.values(0), moving = task.shared.values(1);
    const auto update = outcome.update.values(0);
    for (size_t i = 0; i < update.size(); ++i)
      update[i] =
          frozen[i] * 0.001F - moving[i] * 0.3F +
          static_cast<float>(task.unit.id + static_cast<int64_t>(task.private_state.size()));
    task.progress.beat();
    if (after) after(task);
    return outcome;
  }
  reduce::Report apply(const reduce::Round&, reduce::State& state, const reduce::ExactSum& sum,
                       const std::vector<Bytes>&) const override {
    const auto moving = state.shared.values(1);
    for (size_t i = 0; i < moving.size(); ++i) moving[i] += static_cast<float>(sum.value(0, i));
    return {.event = "superstep", .measures = {}};
  }

 private:
  int64_t floats_;
  std::shared_ptr<const ParamLayout> state_layout_ = std::make_shared<const ParamLayout>(
      std::vector<ParamSpec>{{"frozen", {floats_}}, {"moving", {floats_}}});
  std::shared_ptr<const ParamLayout> update_layout_ =
      std::make_shared<const ParamLayout>(std::vector<ParamSpec>{{"moving", {floats_}}});
};

/// A TCP socket; -1 where it could not be made.
class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  static Socket dial(int port) {
    Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    if (connect(socket.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return Socket();
    return socket;
  }
  static Socket listen() {
    Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(0);
    EXPECT_EQ(bind(socket.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(socket.fd_, 64), 0);
    return socket;
  }
  [[nodiscard]] int port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }
  [[nodiscard]] bool readable(int milliseconds) const {
    pollfd poll{fd_, POLLIN, 0};
    return ::poll(&poll, 1, milliseconds) == 1;
  }
  [[nodiscard]] Socket accept() const {
    return Socket(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
  }
  bool write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  /// What there is, at most 64 KiB; empty: the other end has closed.
  [[nodiscard]] std::string read() const {
    std::string bytes(65536, '\0');
    const ssize_t got = ::recv(fd_, bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return bytes;
  }
  void reset() const { shutdown(fd_, SHUT_RDWR); }

 private:
  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    return address;
  }
  int fd_;
};

/// Stands between workers and a coordinator, and cuts all its connections when told.
class Relay {
 public:
  explicit Relay(const std::string& to)
      : port_(std::stoi(to.substr(to.rfind(':') + 1))),
        thread_([this](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            if (!listener_.readable(20)) continue;
            auto pair = std::make_shared<Pair>(listener_.accept(), Socket::dial(port_));
            const std::scoped_lock lock(mutex_);
            pairs_.push_back(pair);
            copiers_.emplace_back([this, pair] { copy(pair->client, pair->server, &up_left); });
            copiers_.emplace_back([this, pair] { copy(pair->server, pair->client, &down_left); });
          }
        }) {}
  ~Relay() {
    thread_ = {};
    cut();
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  [[nodiscard]] std::string address() const {
    return "127.0.0.1:" + std::to_string(listener_.port());
  }

  void cut() {
    const std::scoped_lock lock(mutex_);
    for (const auto& pair : pairs_) {
      pair->client.reset();
      pair->server.reset();
    }
    pairs_.clear();
    ++cuts;
  }
  /// Bytes after which everything is cut, once; negative: never.
  std::atomic<int64_t> up_left = -1, down_left = -1;
  std::atomic<int> cuts = 0;

 private:
  struct Pair {
    Pair(Socket c, Socket s) : client(std::move(c)), server(std::move(s)) {}
    Socket client, server;
  };
  void copy(const Socket& from, const Socket& to, std::atomic<int64_t>* left) {
    for (;;) {
      const std::string bytes = from.read();
      if (bytes.empty() || !to.write(bytes)) break;
      if (*left >= 0 && (*left -= static_cast<int64_t>(bytes.size())) < 0) {
        *left = -1;
        cut();
      }
    }
    from.reset();
    to.reset();
  }

  int port_;
  Socket listener_ = Socket::listen();
  std::mutex mutex_;
  std::vector<std::shared_ptr<Pair>> pairs_;
  std::vector<std::jthread> copiers_;
  std::jthread thread_;
};

}  // namespace superstep::cluster::transport::testing
