// An HTTP server on loopback that misbehaves as told, for the tests of what a real NameNode or
// DataNode cannot be made to do.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace superstep::io::hdfs {

struct FakeReply {
  int status = 200;
  std::string content;
  std::string location = {};
  size_t cut = 0;  // bytes that the headers promise and that never come
};

/// Answers each request, one a connection, with what `answer(method, target, body)` says.
class FakeServer {
 public:
  using Answer = std::function<FakeReply(const std::string& method, const std::string& target,
                                         const std::string& body)>;
  explicit FakeServer(Answer answer) : answer_(std::move(answer)) {
    listening_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listening_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listening_, 16), 0);
    EXPECT_EQ(::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeServer() {
    ::shutdown(listening_, SHUT_RDWR);
    thread_.join();
    ::close(listening_);
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  [[nodiscard]] std::string place() const { return fmt::format("http://127.0.0.1:{}", port_); }
  [[nodiscard]] std::string base() const { return place() + "/webhdfs/v1"; }
  /// "GET /webhdfs/v1/a?op=OPEN..." of each request so far.
  [[nodiscard]] std::vector<std::string> requests() {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    for (;;) {
      const int connection = ::accept(listening_, nullptr, nullptr);
      if (connection < 0) return;
      answer_one(connection);
      ::close(connection);
    }
  }

  void answer_one(int connection) {
    std::string in;
    std::array<char, 65536> chunk{};
    size_t head = std::string::npos, want = 0;
    while (head == std::string::npos || in.size() < head + 4 + want) {
      const ssize_t got = ::recv(connection, chunk.data(), chunk.size(), 0);
      if (got <= 0) return;
      in.append(chunk.data(), static_cast<size_t>(got));
      if (head != std::string::npos) continue;
      head = in.find("\r\n\r\n");
      if (head == std::string::npos) continue;
      if (const size_t at = in.find("Content-Length: "); at < head)
        want = std::stoul(in.substr(at + 16));
      if (in.find("Expect: 100-continue") < head) send(connection, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    const std::string line = in.substr(0, in.find(" HTTP/"));
    {
      const std::scoped_lock lock(mutex_);
      requests_.push_back(line);
    }
    const size_t space = line.find(' ');
    const FakeReply reply =
        answer_(line.substr(0, space), line.substr(space + 1), in.substr(head + 4));
    if (reply.status == 0) return;  // hangs up without a word
    std::string out = fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n",
                                  reply.status, reply.content.size() + reply.cut);
    if (!reply.location.empty()) out += "Location: " + reply.location + "\r\n";
    send(connection, out + "\r\n" + reply.content);
  }

  static void send(int connection, std::string_view text) {
    while (!text.empty()) {
      const ssize_t done = ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
      if (done <= 0) return;
      text.remove_prefix(static_cast<size_t>(done));
    }
  }

  Answer answer_;
  int listening_ = -1;
  int port_ = 0;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace superstep::io::hdfs
