#include "superstep/io/hdfs/webhdfs.h"

#include <unistd.h>

#include <algorithm>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "superstep/base/error.h"
#include "superstep/base/host.h"
#include "superstep/base/log.h"
#include "superstep/io/bytes_read.h"

namespace superstep::io::hdfs {
namespace {

using Json = nlohmann::json;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct RemoteException {
  std::string name, message;
};

/// What a refusal says; the message may go on with a Java stack, which nobody needs.
RemoteException exception_of(const Reply& reply) {
  const Json json = Json::parse(reply.content, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("RemoteException")) return {};
  const Json& e = json["RemoteException"];
  if (!e.is_object()) return {};
  const auto text = [&e](const char* key) {
    return e.contains(key) && e[key].is_string() ? e[key].get<std::string>() : std::string();
  };
  const std::string message = text("message");
  return {text("exception"), message.substr(0, message.find_first_of("\r\n"))};
}

bool is_one_of(const std::string& name, std::initializer_list<const char*> names) {
  return std::ranges::any_of(names, [&name](const char* other) { return name == other; });
}

bool is_answer(const Reply& reply) {
  return reply.failure.empty() && reply.status >= 200 && reply.status < 400;
}

/// A NameNode may say something else in a moment, or the other one of the pair does.
bool may_pass(const Reply& reply) {
  if (reply.status == 0 || (!reply.failure.empty() && reply.status < 400)) return true;
  if (is_one_of(exception_of(reply).name,
                {"StandbyException", "RetriableException", "SafeModeException",
                 "NameNodeNotFormattedException", "ObserverRetryOnActiveException"}))
    return true;
  return reply.status == 408 || reply.status == 429 || reply.status == 502 || reply.status == 503 ||
         reply.status == 504;
}

/// What a DataNode says of itself may pass, and another one may do better; what it says of the file
/// or of the user will not.
bool is_final(const Reply& reply) {
  if (reply.status == 401) return true;
  const RemoteException e = exception_of(reply);
  return is_one_of(e.name, {"FileNotFoundException", "AccessControlException", "SecurityException",
                            "InvalidToken", "IllegalArgumentException", "AuthenticationException",
                            "FileAlreadyExistsException", "AlreadyBeingCreatedException",
                            "ParentNotDirectoryException", "DSQuotaExceededException",
                            "NSQuotaExceededException", "UnsupportedOperationException"}) ||
         e.message.find("out of the range") != std::string::npos;
}

std::string reason_of(const Reply& reply) {
  const RemoteException e = exception_of(reply);
  if (!e.name.empty()) return fmt::format("{}: {}", e.name, e.message);
  if (!reply.failure.empty()) return reply.failure;
  return fmt::format("HTTP status {}", reply.status);
}

std::string advice_for(const Reply& reply, const Login& login) {
  const RemoteException e = exception_of(reply);
  // A token that cannot even be decoded fails in many ways.
  if (e.name == "InvalidToken" || e.message.find("InvalidToken") != std::string::npos ||
      (!login.token.empty() && !e.name.empty() &&
       !is_one_of(e.name, {"AccessControlException", "FileNotFoundException", "IOException"})))
    return "; the delegation token is wrong, cancelled or expired: get a new one";
  if (reply.status == 401)
    return login.token.empty()
               ? "; the cluster wants a Kerberos ticket (kinit) or a delegation token"
               : "; the delegation token was not taken: get a new one";
  if (e.name == "AccessControlException")
    return login.token.empty() && !login.user.empty()
               ? fmt::format("; asked as user '{}', HADOOP_USER_NAME names another", login.user)
               : "; ask the owner for the permission";
  if (reply.status == 0)
    return "; is the NameNode up, and does $HADOOP_CONF_DIR name it rightly? (dfs.namenode."
           "http-address)";
  return "";
}

bool is_below_a_file(const Reply& reply) {
  const RemoteException e = exception_of(reply);
  return e.name == "ParentNotDirectoryException" ||
         e.message.find("is not a directory") != std::string::npos;
}

std::string scheme_and_host(const std::string& url) {
  const size_t start = url.find("://");
  if (start == std::string::npos) return url;
  const size_t at = url.find('@', start);
  const size_t end = url.find('/', start + 3);
  const bool has_user = at != std::string::npos && at < end;
  return url.substr(0, start + 3) +
         url.substr(has_user ? at + 1 : start + 3, end - (has_user ? at + 1 : start + 3));
}

/// A gateway redirects to itself: what its address says of the user goes along there, and nowhere
/// else.
std::string with_user_of(const std::string& base, const std::string& location) {
  const std::string place = scheme_and_host(base);
  const std::string user = base.substr(0, base.find("://") + 3);
  const size_t at = base.find('@');
  if (at == std::string::npos || at > base.find('/', user.size()) ||
      !location.starts_with(place + "/"))
    return location;
  return base.substr(0, at + 1) + location.substr(user.size());
}

std::string host_of_url(const std::string& url) {
  const std::string place = scheme_and_host(url);
  const std::string host = place.substr(place.find("://") + 3);
  return host.substr(0, host.rfind(':'));
}

/// The parts of a reply in JSON; a reply that is none is the server's fault.
template <class F>
auto with_json(const std::string& path, const Reply& reply, F read) {
  try {
    return read(Json::parse(reply.content));
  } catch (const Json::exception& e) {
    throw FileError("{}: the answer is not WebHDFS': {}", path, e.what());
  }
}

FileStatus status_of(const Json& json, std::string path) {
  return {.path = std::move(path),
          .is_folder = json.at("type") == "DIRECTORY",
          .size = json.at("length").get<int64_t>(),
          .mtime_ns = json.at("modificationTime").get<int64_t>() * 1'000'000};
}

}  // namespace

/// One operation: PUT /webhdfs/v1<path>?op=<op><query>.
struct WebHdfs::Call {
  const char* method;
  std::string path;  // with the prefix
  const char* op;
  std::string query = {};
  std::span<char> into = {};
};

/// Waits between tries, longer each time, until there were enough of them.
class WebHdfs::Patience {
 public:
  explicit Patience(std::chrono::milliseconds limit) : limit_(limit) {}

  /// False when it is time to give up.
  bool wait(const std::string& path, const std::string& reason) {
    const auto now = Clock::now();
    if (!since_) since_ = now;
    if (now - *since_ + pause_ > limit_) return false;
    if (!std::exchange(told_, true))
      log::warning("{}: {}; trying again for up to {} s", path, reason,
                   std::chrono::duration_cast<std::chrono::seconds>(limit_).count());
    std::this_thread::sleep_for(pause_);
    pause_ = std::min<std::chrono::milliseconds>(pause_ * 2, 2s);
    return true;
  }
  /// Something went well.
  void renew(const std::string& path) {
    if (std::exchange(told_, false))
      log::info("{}: goes on after {:.1f} s", path,
                std::chrono::duration<double>(Clock::now() - *since_).count());
    since_.reset();
    pause_ = kFirst;
  }

 private:
  static constexpr std::chrono::milliseconds kFirst{100};
  std::chrono::milliseconds limit_, pause_ = kFirst;
  std::optional<Clock::time_point> since_;
  bool told_ = false;
};

WebHdfs::WebHdfs(std::string prefix, Endpoints endpoints, Login login, WebHdfsOptions options)
    : prefix_(std::move(prefix)),
      endpoints_(std::move(endpoints)),
      login_(std::move(login)),
      token_file_(login_.token_file, login_.token),
      options_(options) {
  SUPERSTEP_ASSERT(!endpoints_.bases.empty());
}

std::string WebHdfs::url(const std::string& base, const Call& call) const {
  std::string path = call.path.substr(prefix_.size());
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  std::string out = base + (path.empty() ? "/" : percent_encoded(path)) + "?op=" + call.op;
  if (!login_.token.empty())
    out += "&delegation=" + token_file_.token();
  else if (!endpoints_.kerberos)
    out += "&user.name=" + percent_encoded(login_.user);
  return out + call.query;
}

Request WebHdfs::request(std::string method, std::string where) const {
  Request out{.method = std::move(method), .url = std::move(where)};
  out.silence = options_.silence;
  out.negotiate = endpoints_.kerberos && login_.token.empty();
  return out;
}

void WebHdfs::fail(const Call& call, const Reply& reply) const {
  throw FileError("{}: HDFS {} at {}: {}{}", call.path, call.op,
                  scheme_and_host(endpoints_.bases[active_]), reason_of(reply),
                  advice_for(reply, login_));
}

/// The reply of the NameNode: an answer, or a refusal that will not pass.
Reply WebHdfs::ask(const Call& call, Patience& patience) {
  for (size_t tried = 1;; ++tried) {
    const size_t which = active_;
    Request one = request(call.method, url(endpoints_.bases[which], call));
    one.into = call.into;
    Reply reply = send(one);
    // What arrived of a file's bytes counts, though the connection broke.
    if (!may_pass(reply) || reply.got > 0) {
      if (reply.got == 0 && is_answer(reply)) patience.renew(call.path);
      return reply;
    }
    const size_t count = endpoints_.bases.size();
    size_t expected = which;  // another thread may have moved on already
    active_.compare_exchange_strong(expected, (which + 1) % count);
    if (tried % count != 0) continue;
    const std::string reason =
        fmt::format("{} does not answer as it should: {}", scheme_and_host(endpoints_.bases[which]),
                    reason_of(reply));
    if (!patience.wait(call.path, reason)) fail(call, reply);
  }
}

Reply WebHdfs::ask(const Call& call) {
  Patience patience(options_.patience);
  return ask(call, patience);
}

std::optional<FileStatus> WebHdfs::status(const std::string& path) {
  const Call call{"GET", path, "GETFILESTATUS"};
  const Reply reply = ask(call);
  if (reply.status == 404 || is_below_a_file(reply)) return std::nullopt;
  if (!is_answer(reply)) fail(call, reply);
  return with_json(path, reply,
                   [&](const Json& json) { return status_of(json.at("FileStatus"), path); });
}

std::vector<FileStatus> WebHdfs::list(const std::string& folder) {
  const Call call{"GET", folder, "LISTSTATUS"};
  const Reply reply = ask(call);
  if (!is_answer(reply)) fail(call, reply);
  const std::string parent = folder.ends_with('/') ? folder : folder + "/";
  auto found = with_json(folder, reply, [&](const Json& json) {
    std::vector<FileStatus> out;
    for (const Json& entry : json.at("FileStatuses").at("FileStatus"))
      out.push_back(status_of(entry, parent + entry.at("pathSuffix").get<std::string>()));
    return out;
  });
  std::ranges::sort(found, {}, &FileStatus::path);
  return found;
}

std::vector<BlockLocation> WebHdfs::block_locations(const std::string& path) {
  const Call call{"GET", path, "GETFILEBLOCKLOCATIONS"};
  const Reply reply = ask(call);
  if (!is_answer(reply)) fail(call, reply);
  return with_json(path, reply, [&](const Json& json) {
    std::vector<BlockLocation> out;
    for (const Json& block : json.at("BlockLocations").at("BlockLocation"))
      out.push_back({.offset = block.at("offset").get<int64_t>(),
                     .length = block.at("length").get<int64_t>(),
                     .hosts = block.at("hosts").get<std::vector<std::string>>()});
    return out;
  });
}

/// The DataNode that the redirect went to, as `excludedatanodes` wants it: "address:transfer port".
/// Empty where the NameNode knows no such host for the block.
std::string WebHdfs::datanode_at(const std::string& path, int64_t offset,
                                 const std::string& location) {
  const Call call{"GET", path, "GETFILEBLOCKLOCATIONS", fmt::format("&offset={}&length=1", offset)};
  const Reply reply = ask(call);
  if (!is_answer(reply)) return "";
  const std::string host = host_of_url(location);
  return with_json(path, reply, [&](const Json& json) -> std::string {
    for (const Json& block : json.at("BlockLocations").at("BlockLocation"))
      for (size_t i = 0; i < block.at("hosts").size(); ++i) {
        const auto name = block.at("names").at(i).get<std::string>();
        if (block["hosts"][i] == host || name.substr(0, name.rfind(':')) == host) return name;
      }
    return "";
  });
}

void WebHdfs::read(const std::string& path, int64_t offset, std::span<char> out) {
  Patience patience(options_.patience);
  std::set<std::string> excluded;
  for (size_t have = 0; have < out.size();) {
    const int64_t at = offset + static_cast<int64_t>(have);
    std::string query = fmt::format("&offset={}&length={}", at, out.size() - have);
    if (!excluded.empty())
      query += fmt::format("&excludedatanodes={}",
                           percent_encoded(fmt::format("{}", fmt::join(excluded, ","))));
    const Call call{"GET", path, "OPEN", query, out.subspan(have)};
    Reply reply = ask(call, patience);
    std::string location;
    if (reply.status >= 300 && reply.status < 400) {
      location = with_user_of(endpoints_.bases[active_], reply.location);
      Request piece{.url = location, .into = call.into};
      piece.silence = options_.silence;
      reply = send(piece);
    }
    // A gateway redirects to itself, or not at all.
    count_bytes_read(location.empty() ? "" : host_of_url(location),
                     static_cast<int64_t>(reply.got));
    have += reply.got;
    if (reply.got > 0) patience.renew(path);
    if (have == out.size()) return;
    if (is_final(reply)) fail(call, reply);

    const std::string reason =
        fmt::format("{} gave {} of {} bytes from byte {}: {}", scheme_and_host(location), reply.got,
                    call.into.size(), at, reason_of(reply));
    log::debug("{}: {}", path, reason);
    const std::string name =
        location.empty() ? "" : datanode_at(path, offset + static_cast<int64_t>(have), location);
    if (!name.empty() && excluded.insert(name).second) {
      log::warning("{}: {}; asking another DataNode", path, reason);
      continue;
    }
    excluded.clear();  // the NameNode may know better by now
    if (!patience.wait(path, reason)) fail(call, reply);
  }
}

namespace {

/// Who opens a file often only looks at its beginning: so much is read alone.
constexpr int64_t kBeginning = 64 << 10;

/// Pieces of a file, the next of which is read while the last is given out. They end at multiples
/// of `piece`, as blocks do: a piece of two blocks would come through the DataNode of the first.
class WebHdfsStream : public ByteStream {
 public:
  WebHdfsStream(FileSystem& files, FileStatus file, size_t piece)
      : files_(files),
        file_(std::move(file)),
        piece_(static_cast<int64_t>(piece)),
        beginning_(std::min(kBeginning, piece_)) {}

  size_t read(std::span<char> out) override {
    size_t have = 0;
    while (have < out.size() && (at_ < now_.size() || next_piece())) {
      const size_t n = std::min(out.size() - have, now_.size() - at_);
      std::copy_n(now_.data() + at_, n, out.data() + have);
      at_ += n;
      have += n;
    }
    return have;
  }

 private:
  bool next_piece() {
    if (!next_.valid()) read_ahead();
    if (!next_.valid()) return false;
    spare_ = std::exchange(now_, next_.get());
    at_ = 0;
    if (asked_ > beginning_) read_ahead();
    return true;
  }
  void read_ahead() {
    const int64_t most = asked_ == 0 ? beginning_ : piece_ - asked_ % piece_;
    const int64_t length = std::min(most, file_.size - asked_);
    if (length <= 0) return;
    // The two buffers take turns: new memory would cost as much as the copy.
    next_ = std::async(std::launch::async,
                       [this, bytes = std::move(spare_), offset = asked_, length]() mutable {
                         bytes.resize(static_cast<size_t>(length));
                         files_.read(file_.path, offset, bytes);
                         return std::move(bytes);
                       });
    asked_ += length;
  }

  FileSystem& files_;
  FileStatus file_;
  const int64_t piece_, beginning_;
  int64_t asked_ = 0;
  std::vector<char> now_, spare_;
  size_t at_ = 0;
  std::future<std::vector<char>> next_;  // last: it is waited for before the rest goes
};

}  // namespace

std::unique_ptr<ByteStream> WebHdfs::open(const std::string& path) {
  std::optional<FileStatus> file = status(path);
  if (!file) throw FileError("{}: no such file", path);
  if (file->is_folder) throw FileError("{}: is a folder, wanted a file", path);
  return std::make_unique<WebHdfsStream>(*this, std::move(*file), options_.piece);
}

WebHdfs::Created WebHdfs::create(const std::string& path, std::string_view bytes, bool overwrite) {
  Patience patience(options_.patience);
  const Call call{"PUT", path, "CREATE", overwrite ? "&overwrite=true" : "&overwrite=false"};
  for (;;) {
    Reply reply = ask(call, patience);
    std::string location;
    if (reply.status >= 300 && reply.status < 400) {
      location = with_user_of(endpoints_.bases[active_], reply.location);
      Request upload{.method = "PUT", .url = location, .body = bytes};
      upload.silence = options_.silence;
      reply = send(upload);
      if (reply.failure.empty() && reply.status == 201) return Created::kYes;
    }
    if (exception_of(reply).name == "FileAlreadyExistsException" && !overwrite)
      return Created::kExists;
    if (is_final(reply)) fail(call, reply);
    if (!patience.wait(path, fmt::format("{} did not take the file: {}", scheme_and_host(location),
                                         reason_of(reply))))
      fail(call, reply);
  }
}

void WebHdfs::write(const std::string& path, std::string_view bytes) {
  static std::atomic<int> count{0};
  const size_t slash = path.find_last_of('/');
  const std::string temporary =
      fmt::format("{}/.{}.tmp-{}-{}-{}", path.substr(0, slash), path.substr(slash + 1),
                  machine_name(), ::getpid(), count++);
  try {
    create(temporary, bytes, /*overwrite=*/true);
    rename(temporary, path);
  } catch (const FileError&) {
    try {
      remove(temporary);
    } catch (const FileError& error) {
      log::debug("{}: stays: {}", temporary, error.what());
    }
    throw;
  }
}

/// After a broken connection it may be our own file that is there: that counts as another's, so
/// that two never both believe that they made it.
bool WebHdfs::create_exclusive(const std::string& path, std::string_view bytes) {
  return create(path, bytes, /*overwrite=*/false) == Created::kYes;
}

void WebHdfs::rename(const std::string& from, const std::string& to) {
  const std::string target = to.substr(prefix_.size());
  const Call call{"PUT", from, "RENAME",
                  "&renameoptions=OVERWRITE&destination=" + percent_encoded(target)};
  const Reply reply = ask(call);
  // When an answer was lost and the question repeated, the first one may have done it.
  if (reply.status == 404 && status(to)) return;
  if (!is_answer(reply)) fail(call, reply);
  if (reply.content.find("false") == std::string::npos) return;
  // HttpFS knows no options and replaces nothing.
  remove(to);
  const Reply again = ask(call);
  if (!is_answer(again)) fail(call, again);
  if (again.content.find("false") != std::string::npos)
    throw FileError("{}: cannot be renamed to {}: is there such a folder?", from, to);
}

bool WebHdfs::remove(const std::string& path) {
  const Call call{"DELETE", path, "DELETE", "&recursive=true"};
  const Reply reply = ask(call);
  if (!is_answer(reply)) fail(call, reply);
  return with_json(path, reply, [](const Json& json) { return json.at("boolean").get<bool>(); });
}

void WebHdfs::make_folder(const std::string& path) {
  const Call call{"PUT", path, "MKDIRS"};
  const Reply reply = ask(call);
  if (!is_answer(reply)) fail(call, reply);
}

}  // namespace superstep::io::hdfs
