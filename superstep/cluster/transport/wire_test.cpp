#include "superstep/cluster/transport/wire.h"

#include <gtest/gtest.h>
#include <transport.pb.h>

#include <limits>
#include <new>
#include <numeric>

#include "superstep/cluster/transport/options.h"

namespace superstep::cluster::transport {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

Bytes chunk(const ChunkHeader& header, std::span<const float> values) {
  Bytes bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return bytes;
}

/// The message in pieces of `size` bytes.
std::vector<std::string_view> pieces(std::string_view bytes, size_t size) {
  std::vector<std::string_view> all;
  for (size_t at = 0; at < bytes.size(); at += size) all.push_back(bytes.substr(at, size));
  return all;
}

TEST(Chunks, AreCutAtAMebibyte) {
  constexpr int64_t kFloats = kChunkBytes / 4;
  EXPECT_EQ(cut({}), std::vector<Range>{});
  EXPECT_EQ(cut({{5, 0}}), std::vector<Range>{});
  EXPECT_EQ(
      cut({{5, 2 * kFloats + 1}, {9 * kFloats, kFloats}}),
      (std::vector<Range>{
          {5, kFloats}, {5 + kFloats, kFloats}, {5 + 2 * kFloats, 1}, {9 * kFloats, kFloats}}));
}

TEST(Receiver, PutsFloatsInPlaceHoweverTheMessageIsCut) {
  std::vector<float> sent(37);
  std::iota(sent.begin(), sent.end(), 1.0F);
  for (const size_t size : {1, 2, 3, 5, 31, 32, 33, 1000}) {
    std::vector<float> got(50, 0.5F);
    Receiver receiver(7, {{10, 30}, {43, 7}}, got, /*checks=*/true);
    for (const auto& [range, values] :
         {std::pair{Range{10, 30}, std::span<const float>(sent).first(30)},
          std::pair{Range{43, 7}, std::span<const float>(sent).last(7)}}) {
      EXPECT_FALSE(receiver.whole());
      const Bytes bytes = chunk({7, range.begin, range.count, chunk_check(values)}, values);
      receiver.take(pieces(bytes, size));
    }
    EXPECT_TRUE(receiver.whole());
    for (size_t i = 0; i < 50; ++i)
      EXPECT_EQ(got[i], i < 10 ? 0.5F : i < 40 ? sent[i - 10] : i < 43 ? 0.5F : sent[i - 13]) << i;
  }
}

TEST(Receiver, WantsTheChunkThatComesNextAndNoOther) {
  std::vector<float> into(8);
  const std::vector<float> values{1, 2, 3, 4};
  const uint64_t check = chunk_check(values);
  const auto text = [&](const Bytes& bytes) -> std::string {
    Receiver receiver(7, {{0, 4}}, into, /*checks=*/true);
    try {
      receiver.take(pieces(bytes, 11));
    } catch (const DataError& error) {
      return error.what();
    }
    return "";
  };
  const Bytes good = chunk({7, 0, 4, check}, values);
  EXPECT_EQ(text(good), "");
  EXPECT_EQ(text(""), "chunk: 0 bytes, wanted a header of 32");
  EXPECT_EQ(text(good.substr(0, 31)), "chunk: 31 bytes, wanted a header of 32");
  EXPECT_EQ(text(good.substr(0, 47)), "chunk of 7: 47 bytes, wanted 48 for 4 floats");
  EXPECT_EQ(text(good + "x"), "chunk of 7: 49 bytes, wanted 48 for 4 floats");
  EXPECT_EQ(text(chunk({8, 0, 4, check}, values)), "chunk of 8, wanted one of 7");
  EXPECT_EQ(text(chunk({7, 1, 4, check}, values)), "chunk of 7: 4 floats from 1, wanted 4 from 0");
  EXPECT_EQ(text(chunk({7, kMost, kMost, check}, values)),
            fmt::format("chunk of 7: {0} floats from {0}, wanted 4 from 0", kMost));
  EXPECT_EQ(text(chunk({7, 0, 4, check + 1}, values)),
            "chunk of 7: the 4 floats from 0 were spoiled on the way");
}

TEST(Receiver, WantsNothingOnceAllHasCome) {
  std::vector<float> into(4);
  const std::vector<float> values{1, 2, 3, 4};
  Receiver receiver(7, {{0, 4}}, into, /*checks=*/false);
  const Bytes bytes = chunk({7, 0, 4, 0}, values);
  receiver.take(pieces(bytes, 100));
  EXPECT_EQ(into, values);
  EXPECT_THROW(receiver.take(pieces(bytes, 100)), DataError);
  EXPECT_TRUE(Receiver(7, {}, into, true).whole());
}

TEST(PullRequest, ComesBackAsItWentOut) {
  const PullRequest sent{3, {{0, 5}, {5, 1}, {9, 11}}};
  const PullRequest got = pull_request(to_bytes(sent), 20);
  EXPECT_EQ(got.state, 3);
  EXPECT_EQ(got.ranges, sent.ranges);
}

TEST(PullRequest, AsksForRangesOfTheStateInOrder) {
  for (const std::vector<Range>& bad : std::vector<std::vector<Range>>{{{-1, 2}},
                                                                       {{0, 0}},
                                                                       {{0, -1}},
                                                                       {{20, 1}},
                                                                       {{19, 2}},
                                                                       {{1, kMost}},
                                                                       {{kMost, kMost}},
                                                                       {{0, 5}, {4, 1}}})
    EXPECT_THROW(pull_request(to_bytes(PullRequest{3, bad}), 20), DataError);
  EXPECT_THROW(pull_request("", 20), DataError);
  EXPECT_THROW(pull_request(to_bytes(PullRequest{3, {}}) + "x", 20), DataError);
}

// Offsets are multiples of 16 floats: a at 0, b at 16, c (empty) at 32, d at 32, e at 48.
TEST(Differing, NamesRunsOfTensors) {
  const ParamLayout layout({{"a", {3}}, {"b", {16}}, {"c", {0}}, {"d", {5}}, {"e", {2}}});
  const auto differing_at = [&](const std::vector<size_t>& tensors) {
    std::vector<Digest> wanted(5, Digest{1, 1}), held = wanted;
    for (const size_t t : tensors) held[t] = {};
    return differing(layout, wanted, held);
  };
  EXPECT_EQ(differing_at({}), std::vector<Range>{});
  EXPECT_EQ(differing_at({0}), (std::vector<Range>{{0, 3}}));
  EXPECT_EQ(differing_at({0, 1}), (std::vector<Range>{{0, 32}}));
  EXPECT_EQ(differing_at({0, 3}), (std::vector<Range>{{0, 3}, {32, 5}}));
  EXPECT_EQ(differing_at({2}), std::vector<Range>{});
  EXPECT_EQ(differing_at({1, 2, 3, 4}), (std::vector<Range>{{16, 34}}));
  EXPECT_EQ(differing_at({1, 3}), (std::vector<Range>{{16, 21}}));
}

TEST(Begin, ComesBackAsItWentOut) {
  auto shared = std::make_shared<ParamSet>(std::vector<ParamSpec>{{"w", {2, 3}}, {"b", {3}}});
  std::iota(shared->values(0).begin(), shared->values(0).end(), 1.0F);
  const RoundStart start{.round = {.phase = "finetune",
                                   .epoch = 2,
                                   .superstep = 9,
                                   .args = "args",
                                   .units = {{4, 0, 7, 100}}},
                         .spec = {},
                         .shared = shared};
  wire::Begin message;
  to_wire(start, 17, "", message);
  const StateHead head = from_wire(message);
  EXPECT_EQ(head.number, 17);
  EXPECT_EQ(reduce::to_bytes(head.round), reduce::to_bytes(start.round));
  EXPECT_EQ(head.specs, shared->layout().specs());
  EXPECT_EQ(head.digests, digests_of(*shared));
  EXPECT_NE(head.digests[0], head.digests[1]);
  EXPECT_EQ(head.memory, "");

  wire::Begin of_memory;
  to_wire(start, 17, "5.1", of_memory);
  const StateHead there = from_wire(of_memory);
  EXPECT_EQ(there.memory, "5.1");
  EXPECT_EQ(there.specs, head.specs);
  EXPECT_EQ(there.digests, std::vector<Digest>(2));
  EXPECT_EQ(differing(shared->layout(), there.digests, there.digests),
            differing(shared->layout(), head.digests, there.digests));
}

TEST(Notice, ComesBackAsItWentOut) {
  for (const std::optional<Digest> digest : {std::optional<Digest>(), {Digest{3, 4}}, {Digest{}}}) {
    const Notice notice{.lease = 5,
                        .digest = digest,
                        .weight = 6,
                        .blob = "blob",
                        .private_state = "private",
                        .compute_seconds = 0.5,
                        .read = {.here = 7, .elsewhere = 8}};
    wire::Notice message;
    to_wire(notice, message);
    const Notice back = from_wire(message);
    EXPECT_EQ(back.lease, notice.lease);
    EXPECT_EQ(back.digest, digest);
    EXPECT_EQ(back.weight, notice.weight);
    EXPECT_EQ(back.blob, notice.blob);
    EXPECT_EQ(back.private_state, notice.private_state);
    EXPECT_EQ(back.compute_seconds, notice.compute_seconds);
    EXPECT_EQ(back.read.here, 7);
    EXPECT_EQ(back.read.elsewhere, 8);
    message.add_digest(1);
    EXPECT_THROW(from_wire(message), DataError);
  }
}

TEST(Begin, IsRefusedWhereItsTensorsCannotBe) {
  const auto begin = [](std::vector<std::vector<int64_t>> shapes, const char* second_name = "1") {
    wire::Begin message;
    message.set_round(reduce::to_bytes(reduce::Round{}));
    for (size_t i = 0; i < shapes.size(); ++i) {
      wire::Tensor& tensor = *message.add_tensors();
      tensor.set_name(i == 1 ? second_name : std::to_string(i));
      for (const int64_t size : shapes[i]) tensor.add_shape(size);
    }
    return message;
  };
  EXPECT_EQ(from_wire(begin({{2, 3}, {}, {0, 5}})).specs.size(), 3U);
  EXPECT_THROW(from_wire(begin({{2, -3}})), DataError);
  EXPECT_THROW(from_wire(begin({{kMost}})), DataError);
  EXPECT_THROW(from_wire(begin({{0, kMost}})), DataError);
  EXPECT_THROW(from_wire(begin({{1 << 21, 1 << 21}})), DataError);
  EXPECT_THROW(from_wire(begin({{1 << 20, 1 << 20}, {1}})), DataError);
  EXPECT_THROW(from_wire(begin({{1}, {1}}, "0")), DataError);
  EXPECT_THROW(from_wire(wire::Begin()), DataError);
}

TEST(Problem, KeepsKindAndTextOfAnException) {
  const auto back = [](const std::exception_ptr& error) {
    wire::Problem message;
    to_wire(error, message);
    return from_wire(message);
  };
  const auto expect = [&]<class E>(const E& error) {
    try {
      std::rethrow_exception(back(std::make_exception_ptr(error)));
    } catch (const E& got) {
      EXPECT_STREQ(got.what(), error.what());
      EXPECT_EQ(typeid(got), typeid(E));
    }
  };
  expect(ConfigError("a {{}}"));
  expect(DataError("b"));
  expect(FileError("c"));
  expect(NumericError("d"));
  expect(Error("e"));
  EXPECT_THROW(std::rethrow_exception(back(std::make_exception_ptr(std::bad_alloc()))),
               std::bad_alloc);
  EXPECT_THROW(std::rethrow_exception(back(std::make_exception_ptr(std::out_of_range("f")))),
               Error);
  EXPECT_THROW(std::rethrow_exception(back(std::make_exception_ptr(3))), Error);
}

}  // namespace
}  // namespace superstep::cluster::transport
