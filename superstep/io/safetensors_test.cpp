#include "superstep/io/safetensors.h"

#include <cstdlib>
#include <limits>
#include <utility>

#include "superstep/io/test_folder.h"
#include "superstep/io/write.h"

namespace superstep::io {
namespace {

using SafeTensorsFile = TestFolder;

SafeTensors example() {
  SafeTensors file;
  file.metadata = {{"format", "superstep 1"}, {"a", "quote \" and \xc3\xa9"}};
  file.tensors = ParamSet({{"w", {2, 3}}, {"bias", {3}}, {"scalar", Shape()}, {"none", {0, 4}}});
  float next = 0;
  for (float& w : file.tensors.values("w")) w = std::exchange(next, next + 0.5F);
  file.tensors.values("bias")[1] = std::numeric_limits<float>::denorm_min();
  file.tensors.values("scalar")[0] = -0.0F;
  file.blobs = {{"vectorizer", Bytes("\x00\xff\x7f", 3)}, {"empty", ""}};
  return file;
}

/// A file with this header (its length in front) and this data.
Bytes with_header(std::string_view header, std::string_view data = "") {
  const uint64_t length = header.size();
  return Bytes(reinterpret_cast<const char*>(&length), 8) + Bytes(header) + Bytes(data);
}
std::string error_in(std::string_view bytes) {
  return error_of<DataError>([&] { return from_bytes(bytes, "m"); });
}

TEST(SafeTensors, ReadsBackWhatItWrote) {
  const SafeTensors file = example();
  const Bytes bytes = to_bytes(file);
  const SafeTensors back = from_bytes(bytes, "m");
  EXPECT_EQ(back.metadata, file.metadata);
  EXPECT_EQ(back.blobs, file.blobs);
  EXPECT_EQ(back.tensors.layout().specs().size(), 4U);
  for (const ParamSpec& spec : file.tensors.layout().specs()) {
    const int i = back.tensors.layout().find(spec.name);
    ASSERT_GE(i, 0) << spec.name;
    EXPECT_EQ(back.tensors.layout().spec(i), spec);
    EXPECT_EQ(std::memcmp(back.tensors.values(i).data(), file.tensors.values(spec.name).data(),
                          file.tensors.values(spec.name).size_bytes()),
              0);
  }
  EXPECT_EQ(to_bytes(back), bytes);
}

TEST(SafeTensors, WritesExactlyTheseBytes) {
  SafeTensors file;
  file.metadata["k"] = "v";
  file.tensors = ParamSet({{"z", {1, 2}}, {"a", {1}}});
  file.tensors.values("z")[0] = 1.0F;  // 0x3f800000
  file.blobs["b"] = "xyz";
  const std::string header =
      R"({"__metadata__":{"k":"v"},"z":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},)"
      R"("b":{"dtype":"U8","shape":[3],"data_offsets":[12,15]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  Bytes data("\x00\x00\x80\x3f", 4);
  data += Bytes(8, '\0') + "xyz";
  EXPECT_EQ(to_bytes(file), with_header(padded, data));
  EXPECT_EQ(to_bytes(SafeTensors()), with_header("{}      "));
}

TEST(SafeTensors, ReadsAHeaderInAnyOrderAndWithoutPadding) {
  const Bytes bytes = with_header(R"({"b":{"data_offsets":[4,8],"shape":[1],"dtype":"F32"},)"
                                  R"( "a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
                                  Bytes("\x00\x00\x80\x3f\x00\x00\x00\x40", 8));
  const SafeTensors file = from_bytes(bytes, "m");
  EXPECT_EQ(file.tensors.layout().spec(0).name, "a");
  EXPECT_EQ(file.tensors.values("a")[0], 1.0F);
  EXPECT_EQ(file.tensors.values("b")[0], 2.0F);
}

TEST(SafeTensors, RefusesAFileThatIsCutShortAnywhere) {
  const Bytes whole = to_bytes(example());
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(error_in(std::string_view(whole).substr(0, length)).find("cut short"),
              std::string::npos)
        << length << " bytes";
  EXPECT_EQ(error_in("abc"), "m: byte 3: cut short: wanted 8 bytes of header length");
  EXPECT_NE(error_in(whole + "x").find("1 bytes left over"), std::string::npos);
}

TEST(SafeTensors, RefusesAHeaderThatIsNone) {
  Bytes huge = with_header("{}");
  huge[4] = 1;  // 2^32 + 2 bytes
  EXPECT_EQ(error_in(huge),
            "m: byte 0: a header of 4294967298 bytes, wanted at most 100000000: no safetensors "
            "file?");
  EXPECT_EQ(error_in(with_header("[]")),
            "m: byte 8: the header does not begin with '{': no safetensors file?");
  EXPECT_EQ(error_in(with_header("{\"a\" 1}")), "m: byte 14: the header is not JSON");
  EXPECT_NE(error_in(with_header("{} x")).find("not JSON"), std::string::npos);
  EXPECT_NE(error_in(with_header("{\"\xff\":1}")).find("not JSON"), std::string::npos);
  EXPECT_EQ(error_in(with_header("{\"a\":" + std::string(100'000, '['))),
            "m: the header is nested too deep");
  EXPECT_EQ(error_in(with_header("{\"a\":1}")),
            "m: 'a' is no object with dtype, shape and data_offsets");
  EXPECT_EQ(error_in(with_header(R"({"__metadata__":{"a":1}})")),
            "m: __metadata__: 'a' is no string");
  EXPECT_EQ(error_in(with_header(R"({"__metadata__":[]})")),
            "m: __metadata__ is no object of strings");
}

std::string one(std::string_view entry, size_t data = 0) {
  return error_in(with_header("{\"a\":{" + std::string(entry) + "}}", Bytes(data, 'x')));
}

TEST(SafeTensors, RefusesAnEntryThatDoesNotFit) {
  EXPECT_EQ(one(R"("shape":[1],"data_offsets":[0,4])", 4), "m: 'a' has no 'dtype'");
  EXPECT_EQ(one(R"("dtype":"F32","data_offsets":[0,4])", 4), "m: 'a' has no 'shape'");
  EXPECT_EQ(one(R"("dtype":"F32","shape":[1])", 4), "m: 'a' has no 'data_offsets'");
  EXPECT_EQ(one(R"("dtype":"BF16","shape":[2],"data_offsets":[0,4])", 4),
            "m: 'a' has dtype \"BF16\", wanted F32 or U8");
  EXPECT_EQ(one(R"("dtype":"U8","shape":[2,2],"data_offsets":[0,4])", 4),
            "m: 'a' is U8 with 2 axes, wanted 1");
  EXPECT_EQ(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])", 4),
            "m: 'a': shape (2) wants 8 bytes, data_offsets say 0 to 4");
  EXPECT_EQ(one(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])", 4),
            "m: 'a': shape (1) wants 4 bytes, data_offsets say 4 to 0");
  for (const char* size : {"-1", "1.0", "\"1\"", "9223372036854775808", "1e300"})
    EXPECT_EQ(
        one(R"("dtype":"F32","shape":[)" + std::string(size) + R"(],"data_offsets":[0,4])", 4),
        "m: 'a': shape holds something that is no size");
  EXPECT_NE(one(R"("dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0])")
                .find("is too large"),
            std::string::npos);
  EXPECT_EQ(one(R"("dtype":"F32","shape":1,"data_offsets":[0,4])", 4), "m: 'a': shape is no list");
  EXPECT_EQ(one(R"("dtype":"F32","shape":[1],"data_offsets":[0,4,8])", 4),
            "m: 'a': data_offsets is no pair");
}

std::string two(std::string_view first, std::string_view second, size_t data) {
  const auto entry = [](const char* name, std::string_view offsets) {
    return fmt::format(R"("{}":{{"dtype":"F32","shape":[1],"data_offsets":{}}})", name, offsets);
  };
  return error_in(
      with_header("{" + entry("a", first) + "," + entry("b", second) + "}", Bytes(data, 'x')));
}

TEST(SafeTensors, RefusesOverlapsHolesAndNamesTwice) {
  const auto without_place = [](const std::string& error) {
    return error.substr(error.find('\''));
  };
  EXPECT_EQ(without_place(two("[0,4]", "[2,6]", 6)), "'b' overlaps the entry before it");
  EXPECT_EQ(without_place(two("[0,4]", "[0,4]", 4)), "'b' overlaps the entry before it");
  EXPECT_EQ(without_place(two("[0,4]", "[8,12]", 12)),
            "'b' leaves a hole behind the entry before it");
  EXPECT_EQ(without_place(two("[4,8]", "[8,12]", 12)),
            "'a' leaves a hole behind the entry before it");
  EXPECT_EQ(error_in(with_header(R"({"a":1,"a":2})")), "m: the header holds the name 'a' twice");
  EXPECT_EQ(error_in(with_header(R"({"__metadata__":{"k":"1","k":"2"}})")),
            "m: the header holds the name 'k' twice");
}

TEST(SafeTensors, RefusesToWriteWhatItCouldNotRead) {
  SafeTensors file;
  file.tensors = ParamSet({{"a", {1}}});
  file.blobs["a"] = "x";
  EXPECT_EQ(error_of<DataError>([&] { return to_bytes(file); }),
            "safetensors: the name 'a' is taken");
  file.blobs = {{"__metadata__", "x"}};
  EXPECT_NE(error_of<DataError>([&] { return to_bytes(file); }), "");
  file.blobs = {};
  file.metadata["k"] = "\xff";
  EXPECT_EQ(error_of<DataError>([&] { return to_bytes(file); }),
            "safetensors: a metadata value is not UTF-8");
}

TEST_F(SafeTensorsFile, IsReadByAnotherProgram) {
  if (std::system("python3 -c 'import struct, json' 2>/dev/null") != 0)
    GTEST_SKIP() << "no python3 to read the file with";
  write_file(path("m.safetensors"), to_bytes(example()));
  // The format's own description, in a few lines that share nothing with our reader.
  put("read.py", R"(
import json, struct, sys
data = open(sys.argv[1], 'rb').read()
n, = struct.unpack('<Q', data[:8])
assert n % 8 == 0
header = json.loads(data[8:8 + n])
assert header.pop('__metadata__') == {'format': 'superstep 1', 'a': 'quote " and \u00e9'}
body = data[8 + n:]
def floats(name):
    begin, end = header[name]['data_offsets']
    return struct.unpack(f'<{(end - begin) // 4}f', body[begin:end])
assert header['w']['shape'] == [2, 3] and floats('w') == (0, 0.5, 1, 1.5, 2, 2.5)
assert floats('bias') == (0, 2.0 ** -149, 0)
assert header['scalar']['shape'] == [] and str(floats('scalar')[0]) == '-0.0'
begin, end = header['vectorizer']['data_offsets']
assert header['vectorizer']['dtype'] == 'U8' and body[begin:end] == b'\x00\xff\x7f'
at = 0
for entry in header.values():
    assert entry['data_offsets'][0] == at
    at = entry['data_offsets'][1]
assert at == len(body)
)");
  EXPECT_EQ(std::system(("python3 " + path("read.py") + " " + path("m.safetensors")).c_str()), 0);
}

}  // namespace
}  // namespace superstep::io
