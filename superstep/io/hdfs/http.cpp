#include "superstep/io/hdfs/http.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <new>

#include "superstep/base/error.h"

namespace superstep::io::hdfs {
namespace {

constexpr long kConnectSeconds = 10;
constexpr size_t kMostText = size_t{64} << 20;  // of a reply that is held as text: long listings

struct Transfer {
  CURL* curl;
  const Request& request;
  Reply reply;
  size_t sent = 0;
};

size_t on_content(char* data, size_t, size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  Reply& reply = transfer.reply;
  curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &reply.status);
  const std::span<char> into = transfer.request.into;
  if (into.empty() || reply.status >= 300) {
    if (reply.content.size() + size > kMostText) return 0;
    reply.content.append(data, size);
    return size;
  }
  const size_t n = std::min(size, into.size() - reply.got);
  std::memcpy(into.data() + reply.got, data, n);
  reply.got += n;
  return n;  // less than size ends the transfer: more came than was asked for
}

size_t on_body(char* out, size_t, size_t room, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::string_view rest = transfer.request.body.substr(transfer.sent);
  const size_t n = std::min(room, rest.size());
  std::memcpy(out, rest.data(), n);
  transfer.sent += n;
  return n;
}

/// curl sends a body again after it was asked for authentication.
int on_seek(void* context, curl_off_t offset, int) {
  static_cast<Transfer*>(context)->sent = static_cast<size_t>(offset);
  return CURL_SEEKFUNC_OK;
}

CURL* handle_of_this_thread() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) throw Error("libcurl cannot be started");
  thread_local const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(),
                                                                   curl_easy_cleanup);
  if (!handle) throw std::bad_alloc();
  curl_easy_reset(handle.get());  // keeps the connections
  return handle.get();
}

}  // namespace

Reply send(const Request& request) {
  CURL* curl = handle_of_this_thread();
  Transfer transfer{curl, request, {}};
  std::array<char, CURL_ERROR_SIZE> error{};
  const auto set = [curl](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PROXY, "");  // Hadoop's clients take no proxy from the environment either
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_ERRORBUFFER, error.data());
  set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.silence.count()));
  set(CURLOPT_BUFFERSIZE, 512L << 10);
  set(CURLOPT_WRITEFUNCTION, on_content);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (request.method == "PUT" || request.method == "POST") {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(CURLOPT_READFUNCTION, on_body);
    set(CURLOPT_READDATA, &transfer);
    set(CURLOPT_SEEKFUNCTION, on_seek);
    set(CURLOPT_SEEKDATA, &transfer);
  }
  if (request.negotiate) {
    set(CURLOPT_HTTPAUTH, CURLAUTH_NEGOTIATE);
    set(CURLOPT_USERPWD, ":");
  }
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(
      curl_slist_append(nullptr, "Content-Type: application/octet-stream"), curl_slist_free_all);
  if (!request.body.empty()) set(CURLOPT_HTTPHEADER, headers.get());

  const CURLcode code = curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &transfer.reply.status);
  char* location = nullptr;
  curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &location);
  if (location != nullptr) transfer.reply.location = location;
  if (code != CURLE_OK)
    transfer.reply.failure = error[0] != '\0' ? error.data() : curl_easy_strerror(code);
  return std::move(transfer.reply);
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const unsigned char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       (c != '\0' && std::strchr("-._~/", c) != nullptr);
    if (plain)
      out += static_cast<char>(c);
    else
      out += fmt::format("%{:02X}", c);
  }
  return out;
}

}  // namespace superstep::io::hdfs
