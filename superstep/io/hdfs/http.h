// One HTTP request and its reply, over libcurl. Redirects are not followed: WebHDFS' own steps are
// the caller's. Each thread keeps its connections.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

namespace superstep::io::hdfs {

struct Request {
  std::string method = "GET";
  std::string url;
  std::string_view body = {};        // sent with PUT and POST, empty or not
  std::span<char> into = {};         // where the content of a reply 2xx goes, if it is not empty
  bool negotiate = false;            // SPNEGO, with the ticket that the process has
  std::chrono::seconds silence{60};  // a connection that moves nothing for so long has failed
};

struct Reply {
  long status = 0;       // 0: there was no answer
  std::string content;   // unless it went to Request::into
  size_t got = 0;        // bytes that did
  std::string location;  // of a redirect
  std::string failure;   // what went wrong on the way; empty when the reply is whole
};

Reply send(const Request& request);

/// Every byte but letters, digits and -._~/ as %XX.
std::string percent_encoded(std::string_view text);

}  // namespace superstep::io::hdfs
