#include "superstep/io/hdfs/webhdfs.h"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>

#include "superstep/base/error.h"
#include "superstep/base/host.h"
#include "superstep/io/bytes_read.h"
#include "superstep/io/file.h"
#include "superstep/io/hdfs/fake_server.h"

namespace superstep::io::hdfs {
namespace {

using namespace std::chrono_literals;

constexpr WebHdfsOptions kQuick{.patience = 2s, .silence = 5s, .piece = 1000};

FakeReply refusal(int status, const std::string& exception, const std::string& message) {
  return {.status = status,
          .content = fmt::format(
              R"({{"RemoteException":{{"exception":"{}","javaClassName":"x.{}","message":"{}"}}}})",
              exception, exception, message)};
}

FakeReply file_status(int64_t size) {
  return {
      .content = fmt::format(
          R"({{"FileStatus":{{"type":"FILE","length":{},"modificationTime":1500,"pathSuffix":""}}}})",
          size)};
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

int64_t number_after(const std::string& text, const std::string& name) {
  return std::stoll(text.substr(text.find(name + "=") + name.size() + 1));
}

std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const FileError& error) {
    return error.what();
  }
  return "(no error)";
}

WebHdfs files_at(std::vector<std::string> bases, Login login = {.token = "", .user = "ann"}) {
  return WebHdfs("hdfs://c", {.bases = std::move(bases), .kerberos = false}, std::move(login),
                 kQuick);
}

std::string read_all(WebHdfs& files, const std::string& path) {
  std::string text(100'000, '\0');
  text.resize(files.open(path)->read(text));
  return text;
}

std::string numbered_bytes(size_t n) {
  std::string text(n, '\0');
  std::iota(text.begin(), text.end(), char{0});
  return text;
}

// What a DataNode would send for this OPEN.
std::string part_of(const std::string& content, const std::string& target) {
  return content.substr(static_cast<size_t>(number_after(target, "offset")),
                        static_cast<size_t>(number_after(target, "length")));
}

TEST(WebHdfs, AsksAsTheUserAndEncodesThePath) {
  FakeServer server([](const auto&, const auto&, const auto&) { return file_status(7); });
  WebHdfs files = files_at({server.base()});
  const auto found = files.status("hdfs://c/a b/100%.csv");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size, 7);
  EXPECT_EQ(found->mtime_ns, 1'500'000'000);
  EXPECT_FALSE(found->is_folder);
  EXPECT_EQ(server.requests()[0],
            "GET /webhdfs/v1/a%20b/100%25.csv?op=GETFILESTATUS&user.name=ann");
}

TEST(WebHdfs, ATokenTakesTheUsersPlaceAndIsInNoError) {
  FakeServer server([](const auto&, const auto&, const auto&) {
    return refusal(403, "InvalidToken", "token can't be found in cache\\n\\tat java.Stack");
  });
  WebHdfs files = files_at({server.base()}, {.token = "SECRET", .user = "ann"});
  const std::string error = error_of([&] { files.status("hdfs://c/a"); });
  EXPECT_EQ(server.requests()[0], "GET /webhdfs/v1/a?op=GETFILESTATUS&delegation=SECRET");
  EXPECT_EQ(error, fmt::format("hdfs://c/a: HDFS GETFILESTATUS at {}: InvalidToken: token can't be "
                               "found in cache; the delegation token is wrong, cancelled or "
                               "expired: get a new one",
                               server.place()));
}

TEST(WebHdfs, NothingThereIsNoErrorNorIsAPathBelowAFile) {
  FakeServer server([](const auto&, const std::string& target, const auto&) {
    return has(target, "/below") ? refusal(403, "AccessControlException", "/a (is not a directory)")
                                 : refusal(404, "FileNotFoundException", "no such");
  });
  WebHdfs files = files_at({server.base()});
  EXPECT_FALSE(files.status("hdfs://c/a"));
  EXPECT_FALSE(files.status("hdfs://c/a/below"));
}

TEST(WebHdfs, AStandbyIsLeftForTheOtherNameNodeAndNotAskedAgain) {
  FakeServer standby([](const auto&, const auto&, const auto&) {
    return refusal(403, "StandbyException", "Operation category READ is not supported");
  });
  FakeServer active([](const auto&, const auto&, const auto&) { return file_status(1); });
  WebHdfs files = files_at({standby.base(), active.base()});
  EXPECT_TRUE(files.status("hdfs://c/a"));
  EXPECT_TRUE(files.status("hdfs://c/b"));
  EXPECT_EQ(standby.requests().size(), 1);
  EXPECT_EQ(active.requests().size(), 2);
}

TEST(WebHdfs, ANameNodeThatComesBackIsWaitedFor) {
  std::atomic<int> asked{0};
  FakeServer server([&](const auto&, const auto&, const auto&) {
    const int n = asked++;
    if (n == 0) return FakeReply{.status = 0, .content = {}};
    if (n == 1) return FakeReply{.status = 503, .content = "starting"};
    if (n == 2) return refusal(403, "RetriableException", "NameNode still not started");
    return file_status(3);
  });
  EXPECT_EQ(files_at({server.base()}).status("hdfs://c/a")->size, 3);
  EXPECT_EQ(asked, 4);
}

TEST(WebHdfs, GivesUpWithAdviceWhenNobodyAnswers) {
  std::string base;
  {
    FakeServer gone([](const auto&, const auto&, const auto&) { return FakeReply{}; });
    base = gone.base();
  }
  WebHdfs files("hdfs://c", {.bases = {base}, .kerberos = false}, {.token = "", .user = "ann"},
                {.patience = 300ms, .silence = 5s, .piece = 1000});
  const std::string error = error_of([&] { files.status("hdfs://c/a"); });
  EXPECT_TRUE(has(error, "hdfs://c/a: HDFS GETFILESTATUS at http://127.0.0.1:")) << error;
  EXPECT_TRUE(has(error, "HADOOP_CONF_DIR")) << error;
}

// A NameNode and two DataNodes in one: the first one sends 300 bytes of each piece and dies.
struct BreakingCluster {
  std::string content = numbered_bytes(2500);
  std::string first, second;
  std::unique_ptr<FakeServer> good, bad, names;

  BreakingCluster() {
    good =
        std::make_unique<FakeServer>([this](const auto&, const std::string& target, const auto&) {
          return FakeReply{.content = part_of(content, target)};
        });
    bad = std::make_unique<FakeServer>([this](const auto&, const std::string& target, const auto&) {
      const std::string part = part_of(content, target);
      const size_t n = std::min<size_t>(part.size(), 300);
      return FakeReply{.content = part.substr(0, n), .location = {}, .cut = part.size() - n};
    });
    names =
        std::make_unique<FakeServer>([this](const auto&, const std::string& target, const auto&) {
          if (has(target, "op=GETFILESTATUS")) return file_status(2500);
          if (has(target, "op=GETFILEBLOCKLOCATIONS"))
            return FakeReply{.content =
                                 R"({"BlockLocations":{"BlockLocation":[{"offset":0,"length":2500,
                                       "hosts":["127.0.0.1"],"names":["10.0.0.7:9866"]}]}})"};
          const FakeServer& chosen = has(target, "excludedatanodes=10.0.0.7%3A9866") ? *good : *bad;
          return FakeReply{.status = 307, .content = {}, .location = chosen.place() + target};
        });
  }
};

TEST(WebHdfs, ADataNodeThatDiesInMidReadIsLeftForAnotherFromThatByteOn) {
  BreakingCluster cluster;
  WebHdfs files = files_at({cluster.names->base()});
  EXPECT_EQ(read_all(files, "hdfs://c/a"), cluster.content);
  // Three pieces of at most 1000 bytes, each begun by the bad one and ended by the good one.
  ASSERT_EQ(cluster.bad->requests().size(), 3);
  const auto ends = cluster.good->requests();
  ASSERT_EQ(ends.size(), 3);
  EXPECT_TRUE(has(ends[0], "offset=300&length=700")) << ends[0];
  EXPECT_TRUE(has(ends[1], "offset=1300&length=700")) << ends[1];
  EXPECT_TRUE(has(ends[2], "offset=2300&length=200")) << ends[2];
}

TEST(WebHdfs, RangesNeverReachTheEndSoAnEmptyFileIsNotOpened) {
  FakeServer server([](const auto&, const auto&, const auto&) { return file_status(0); });
  WebHdfs files = files_at({server.base()});
  EXPECT_EQ(read_all(files, "hdfs://c/a"), "");
  EXPECT_EQ(server.requests().size(), 1);
}

TEST(WebHdfs, AFileThatShrankIsAnErrorAtOnce) {
  FakeServer server([](const auto&, const std::string& target, const auto&) {
    if (has(target, "op=GETFILESTATUS")) return file_status(500);
    return refusal(403, "IOException", "Offset=0 out of the range [0, 0)");
  });
  WebHdfs files = files_at({server.base()});
  EXPECT_TRUE(has(error_of([&] { read_all(files, "hdfs://c/a"); }), "out of the range"));
  EXPECT_EQ(server.requests().size(), 2);
}

TEST(WebHdfs, AFileThatIsReplacedWhileItIsReadIsReadAgain) {
  // First there are 500 bytes; when they are asked for they have gone, and there are 9.
  std::atomic<int> statuses = 0, opens = 0;
  FakeServer server([&](const auto&, const std::string& target, const auto&) -> FakeReply {
    if (has(target, "op=GETFILESTATUS")) return file_status(++statuses <= 2 ? 500 : 9);
    if (++opens == 1) return refusal(403, "IOException", "Offset=0 out of the range [0, 0)");
    return {.content = part_of("new bytes", target)};
  });
  const std::string place = server.place().substr(std::string_view("http://").size());
  EXPECT_EQ(read_file("webhdfs://" + place + "/status.json"), "new bytes");
  EXPECT_EQ(opens, 2);
}

TEST(WebHdfs, HttpFsAnswersWithoutARedirect) {
  const std::string content = numbered_bytes(1500);
  FakeServer server([&](const auto&, const std::string& target, const auto&) {
    if (has(target, "op=GETFILESTATUS")) return file_status(1500);
    return FakeReply{.content = part_of(content, target)};
  });
  WebHdfs files = files_at({server.base()});
  EXPECT_EQ(read_all(files, "hdfs://c/a"), content);
}

TEST(WebHdfs, AFileIsWrittenUnderAnotherNameAndRenamedOverTheOld) {
  std::string uploaded;
  std::unique_ptr<FakeServer> server;
  server = std::make_unique<FakeServer>(
      [&](const std::string&, const std::string& target, const std::string& body) {
        if (has(target, "op=RENAME")) return FakeReply{};
        if (has(target, "data=1")) {
          uploaded = body;
          return FakeReply{.status = 201, .content = {}};
        }
        return FakeReply{
            .status = 307, .content = {}, .location = server->place() + target + "&data=1"};
      });
  WebHdfs files = files_at({server->base()});
  const std::string bytes = numbered_bytes(3'000'000);  // more than curl sends unasked
  files.write("hdfs://c/d/m.bin", bytes);
  EXPECT_EQ(uploaded, bytes);
  const auto asked = server->requests();
  ASSERT_EQ(asked.size(), 3);
  EXPECT_TRUE(asked[0].starts_with("PUT /webhdfs/v1/d/.m.bin.tmp-")) << asked[0];
  EXPECT_TRUE(has(asked[2], "renameoptions=OVERWRITE&destination=/d/m.bin")) << asked[2];
}

TEST(WebHdfs, HttpFsWhichReplacesNothingIsHelped) {
  std::atomic<int> renames{0};
  FakeServer server([&](const std::string& method, const std::string&, const auto&) {
    if (method == "DELETE") return FakeReply{.content = R"({"boolean":true})"};
    return FakeReply{.content = renames++ == 0 ? R"({"boolean":false})" : R"({"boolean":true})"};
  });
  files_at({server.base()}).rename("hdfs://c/a", "hdfs://c/b");
  EXPECT_EQ(renames, 2);
}

TEST(WebHdfs, ExclusiveCreationIsDecidedAtTheSecondStep) {
  bool taken = false;
  std::unique_ptr<FakeServer> server;
  server = std::make_unique<FakeServer>([&](const std::string&, const std::string& target,
                                            const std::string&) {
    if (!has(target, "data=1"))
      return FakeReply{
          .status = 307, .content = {}, .location = server->place() + target + "&data=1"};
    if (std::exchange(taken, true))
      return refusal(403, "FileAlreadyExistsException", "/a for client 127.0.0.1 already exists");
    return FakeReply{.status = 201, .content = {}};
  });
  WebHdfs files = files_at({server->base()});
  EXPECT_TRUE(files.create_exclusive("hdfs://c/a", ""));
  EXPECT_FALSE(files.create_exclusive("hdfs://c/a", ""));
  EXPECT_TRUE(has(server->requests()[0], "overwrite=false"));
}

TEST(WebHdfs, AnUploadThatBreaksIsSentAgain) {
  int tries = 0;
  std::unique_ptr<FakeServer> server;
  server = std::make_unique<FakeServer>(
      [&](const std::string&, const std::string& target, const std::string&) {
        if (has(target, "op=RENAME")) return FakeReply{};
        if (!has(target, "data=1"))
          return FakeReply{
              .status = 307, .content = {}, .location = server->place() + target + "&data=1"};
        return FakeReply{.status = ++tries == 1 ? 0 : 201, .content = {}};
      });
  files_at({server->base()}).write("hdfs://c/a", "abc");
  EXPECT_EQ(tries, 2);
}

TEST(WebHdfs, AGatewayGetsTheUserAgainAndADataNodeDoesNot) {
  const std::string content = numbered_bytes(10);
  FakeServer node(
      [&](const auto&, const std::string&, const auto&) { return FakeReply{.content = content}; });
  std::unique_ptr<FakeServer> gateway;
  gateway = std::make_unique<FakeServer>([&](const auto&, const std::string& target, const auto&) {
    if (has(target, "op=GETFILESTATUS")) return file_status(10);
    if (has(target, "again")) return FakeReply{.content = content};
    return FakeReply{
        .status = 307, .content = {}, .location = gateway->place() + target + "&again"};
  });
  WebHdfs files = files_at({"http://ann:pw@" + gateway->base().substr(7)});
  EXPECT_EQ(read_all(files, "hdfs://c/a"), content);
}

TEST(WebHdfs, ListsAndFindsBlocks) {
  FakeServer server([](const auto&, const std::string& target, const auto&) {
    if (has(target, "op=LISTSTATUS"))
      return FakeReply{.content = R"({"FileStatuses":{"FileStatus":[
        {"type":"FILE","length":5,"modificationTime":2,"pathSuffix":"b"},
        {"type":"DIRECTORY","length":0,"modificationTime":1,"pathSuffix":"a"}]}})"};
    return FakeReply{.content = R"({"BlockLocations":{"BlockLocation":[
      {"offset":0,"length":8,"hosts":["n1","n2"],"names":["10.0.0.1:9866","10.0.0.2:9866"]}]}})"};
  });
  WebHdfs files = files_at({server.base()});
  const auto entries = files.list("hdfs://c/d");
  ASSERT_EQ(entries.size(), 2);
  EXPECT_EQ(entries[0].path, "hdfs://c/d/a");
  EXPECT_TRUE(entries[0].is_folder);
  EXPECT_EQ(entries[1].size, 5);
  const auto blocks = files.block_locations("hdfs://c/d/b");
  ASSERT_EQ(blocks.size(), 1);
  EXPECT_EQ(blocks[0].hosts, (std::vector<std::string>{"n1", "n2"}));
}

TEST(WebHdfs, WhoLooksAtTheBeginningFetchesNoMoreAndPiecesEndWhereBlocksDo) {
  const std::string content = numbered_bytes(300'000);
  FakeServer server([&](const auto&, const std::string& target, const auto&) {
    return has(target, "op=OPEN") ? FakeReply{.content = part_of(content, target)}
                                  : file_status(static_cast<int64_t>(content.size()));
  });
  WebHdfs files("hdfs://c", {.bases = {server.base()}, .kerberos = false},
                {.token = "", .user = "ann"},
                {.patience = 2s, .silence = 5s, .piece = size_t{1} << 17});
  const auto parts = [&] {
    std::vector<std::pair<int64_t, int64_t>> found;
    for (const std::string& target : server.requests())
      if (has(target, "op=OPEN"))
        found.emplace_back(number_after(target, "offset"), number_after(target, "length"));
    return found;
  };
  const auto stream = files.open("hdfs://c/a");
  std::string text(65'536, '\0');
  EXPECT_EQ(stream->read(text), text.size());
  EXPECT_EQ(parts(), (std::vector<std::pair<int64_t, int64_t>>{{0, 65'536}}));
  text.resize(300'000);
  text.resize(65'536 + stream->read(std::span(text).subspan(65'536)));
  EXPECT_EQ(text, content);
  EXPECT_EQ(parts(), (std::vector<std::pair<int64_t, int64_t>>{
                         {0, 65'536}, {65'536, 65'536}, {131'072, 131'072}, {262'144, 37'856}}));
}

TEST(WebHdfs, CountsBytesByTheDataNodeThatTheRedirectNames) {
  const std::string content = numbered_bytes(700);
  FakeServer datanode([&](const auto&, const std::string& target, const auto&) {
    return FakeReply{.content = part_of(content, target)};
  });
  std::string place = datanode.place();
  FakeServer namenode([&](const auto&, const std::string& target, const auto&) {
    if (!has(target, "op=OPEN")) return file_status(700);
    return FakeReply{.status = 307, .content = "", .location = place + target};
  });
  WebHdfs files = files_at({namenode.base()});
  const auto counted = [&](const std::string& host) {
    set_host_name(host);
    const BytesRead before = bytes_read();
    EXPECT_EQ(read_all(files, "hdfs://c/a"), content);
    set_host_name("");
    const BytesRead after = bytes_read();
    return std::pair(after.here - before.here, after.elsewhere - before.elsewhere);
  };
  EXPECT_EQ(counted("127.0.0.1"), std::pair(int64_t{700}, int64_t{0}));
  EXPECT_EQ(counted("127.0.0.2"), std::pair(int64_t{0}, int64_t{700}));
}

}  // namespace
}  // namespace superstep::io::hdfs
