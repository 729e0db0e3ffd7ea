#include "superstep/io/safetensors.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

namespace superstep::io {
namespace {

using Json = nlohmann::json;

constexpr size_t kLengthSize = 8;
constexpr size_t kHeaderPadding = 8;
constexpr uint64_t kLargestHeader = 100'000'000;  // as in the reference implementation
constexpr std::string_view kMetadata = "__metadata__";

std::string json_string(std::string_view text, const char* role) {
  try {
    return Json(text).dump();
  } catch (const Json::exception&) {
    throw DataError("safetensors: a {} is not UTF-8", role);
  }
}

/// The text of the header, entry by entry, with the place of the next data.
class HeaderWriter {
 public:
  void metadata(const std::map<std::string, std::string>& pairs) {
    if (pairs.empty()) return;
    std::string inner;
    for (const auto& [key, value] : pairs)
      inner += fmt::format("{}{}:{}", inner.empty() ? "" : ",", json_string(key, "metadata key"),
                           json_string(value, "metadata value"));
    text_ += fmt::format("\"{}\":{{{}}}", kMetadata, inner);
  }
  void entry(const std::string& name, const char* dtype, const std::vector<int64_t>& shape,
             size_t size) {
    if (name == kMetadata || !names_.insert(name).second)
      throw DataError("safetensors: the name '{}' is taken", name);
    text_ += fmt::format("{}{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                         text_.size() == 1 ? "" : ",", json_string(name, "name"), dtype,
                         fmt::join(shape, ","), at_, at_ + size);
    at_ += size;
  }
  std::string take() && {
    text_ += '}';
    text_.resize((text_.size() + kHeaderPadding - 1) / kHeaderPadding * kHeaderPadding, ' ');
    return std::move(text_);
  }
  [[nodiscard]] size_t data_size() const { return at_; }

 private:
  std::string text_ = "{";
  std::set<std::string> names_;
  size_t at_ = 0;
};

struct Entry {
  std::string name;
  bool is_blob = false;
  Shape shape;
  uint64_t begin = 0, end = 0;
};

class Reader {
 public:
  Reader(std::string_view bytes, std::string_view what) : bytes_(bytes), what_(what) {}

  SafeTensors read() {
    const Json header = parse_header();
    SafeTensors file;
    std::vector<Entry> entries;
    for (const auto& [name, value] : header.items()) {
      if (name == kMetadata)
        file.metadata = metadata(value);
      else
        entries.push_back(entry(name, value));
    }
    std::ranges::sort(entries, {}, [](const Entry& e) { return std::tie(e.begin, e.end, e.name); });
    check_places(entries);
    fill(file, entries);
    return file;
  }

 private:
  Json parse_header() {
    if (bytes_.size() < kLengthSize)
      throw DataError("{}: byte {}: cut short: wanted 8 bytes of header length", what_,
                      bytes_.size());
    uint64_t length = 0;
    std::memcpy(&length, bytes_.data(), kLengthSize);
    if (length > kLargestHeader)
      throw DataError("{}: byte 0: a header of {} bytes, wanted at most {}: no safetensors file?",
                      what_, length, kLargestHeader);
    if (length > bytes_.size() - kLengthSize)
      throw DataError("{}: byte {}: cut short within the header of {} bytes", what_, bytes_.size(),
                      length);
    data_begin_ = kLengthSize + length;
    const std::string_view text = bytes_.substr(kLengthSize, length);
    if (!text.starts_with('{'))
      throw DataError("{}: byte 8: the header does not begin with '{{': no safetensors file?",
                      what_);
    try {
      Json header = Json::parse(text, checker());
      return header;
    } catch (const Json::parse_error& error) {
      throw DataError("{}: byte {}: the header is not JSON", what_, kLengthSize + error.byte);
    } catch (const Json::exception& error) {
      throw DataError("{}: the header is not JSON: {}", what_, error.what());
    }
  }

  /// The parser keeps the last of two values of one name; here that is an error. Depth is bounded
  /// since a good header is never deep.
  Json::parser_callback_t checker() {
    return [this, open = std::vector<std::set<std::string>>()](int depth, Json::parse_event_t event,
                                                               Json& parsed) mutable {
      constexpr int kDeepest = 4;
      if (depth > kDeepest) throw DataError("{}: the header is nested too deep", what_);
      if (event == Json::parse_event_t::object_start) open.emplace_back();
      if (event == Json::parse_event_t::object_end) open.pop_back();
      if (event == Json::parse_event_t::key) {
        const auto& name = parsed.get_ref<const std::string&>();
        if (!open.back().insert(name).second)
          throw DataError("{}: the header holds the name '{}' twice", what_, name);
      }
      return true;
    };
  }

  std::map<std::string, std::string> metadata(const Json& value) {
    if (!value.is_object()) throw DataError("{}: {} is no object of strings", what_, kMetadata);
    std::map<std::string, std::string> out;
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) throw DataError("{}: {}: '{}' is no string", what_, kMetadata, key);
      out.emplace(key, text.get<std::string>());
    }
    return out;
  }

  const Json& member(const std::string& name, const Json& value, const char* key) {
    const auto found = value.find(key);
    if (found == value.end()) throw DataError("{}: '{}' has no '{}'", what_, name, key);
    return *found;
  }
  uint64_t natural(const std::string& name, const Json& value, const char* key) {
    if (!value.is_number_unsigned() ||
        value.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()})
      throw DataError("{}: '{}': {} holds something that is no size", what_, name, key);
    return value.get<uint64_t>();
  }

  Entry entry(const std::string& name, const Json& value) {
    if (!value.is_object())
      throw DataError("{}: '{}' is no object with dtype, shape and data_offsets", what_, name);
    const Json& dtype = member(name, value, "dtype");
    if (dtype != "F32" && dtype != "U8")
      throw DataError("{}: '{}' has dtype {}, wanted F32 or U8", what_, name,
                      dtype.dump(-1, ' ', false, Json::error_handler_t::replace));
    Entry out{name, dtype == "U8", {}, 0, 0};
    read_shape(out, member(name, value, "shape"));
    const Json& offsets = member(name, value, "data_offsets");
    if (!offsets.is_array() || offsets.size() != 2)
      throw DataError("{}: '{}': data_offsets is no pair", what_, name);
    out.begin = natural(name, offsets[0], "data_offsets");
    out.end = natural(name, offsets[1], "data_offsets");
    check_size(out);
    return out;
  }
  void read_shape(Entry& entry, const Json& shape) {
    if (!shape.is_array()) throw DataError("{}: '{}': shape is no list", what_, entry.name);
    std::vector<int64_t> sizes;
    for (const Json& size : shape)
      sizes.push_back(static_cast<int64_t>(natural(entry.name, size, "shape")));
    if (entry.is_blob && sizes.size() != 1)
      throw DataError("{}: '{}' is U8 with {} axes, wanted 1", what_, entry.name, sizes.size());
    entry.shape = Shape(std::move(sizes));
  }
  void check_size(const Entry& entry) {
    uint64_t size = entry.is_blob ? 1 : sizeof(float);
    for (const int64_t axis : entry.shape.sizes())
      if (__builtin_mul_overflow(size, static_cast<uint64_t>(axis), &size))
        throw DataError("{}: '{}': shape {} is too large", what_, entry.name,
                        entry.shape.to_string());
    if (entry.end < entry.begin || entry.end - entry.begin != size)
      throw DataError("{}: '{}': shape {} wants {} bytes, data_offsets say {} to {}", what_,
                      entry.name, entry.shape.to_string(), size, entry.begin, entry.end);
  }

  void check_places(const std::vector<Entry>& entries) {
    uint64_t at = 0;
    for (const Entry& entry : entries) {
      if (entry.begin != at)
        throw DataError("{}: byte {}: '{}' {}", what_, data_begin_ + entry.begin, entry.name,
                        entry.begin < at ? "overlaps the entry before it"
                                         : "leaves a hole behind the entry before it");
      at = entry.end;
    }
    const uint64_t have = bytes_.size() - data_begin_;
    if (have < at)
      throw DataError("{}: byte {}: cut short: the entries end at byte {}", what_, bytes_.size(),
                      data_begin_ + at);
    if (have > at)
      throw DataError("{}: byte {}: {} bytes left over", what_, data_begin_ + at, have - at);
  }

  void fill(SafeTensors& file, const std::vector<Entry>& entries) {
    std::vector<ParamSpec> specs;
    for (const Entry& entry : entries)
      if (!entry.is_blob) specs.push_back({entry.name, entry.shape});
    file.tensors = ParamSet(std::move(specs));
    int next = 0;
    for (const Entry& entry : entries) {
      const std::string_view data =
          bytes_.substr(data_begin_ + entry.begin, entry.end - entry.begin);
      if (entry.is_blob)
        file.blobs.emplace(entry.name, data);
      else if (const auto values = file.tensors.values(next++); !values.empty())
        std::memcpy(values.data(), data.data(), data.size());
    }
  }

  std::string_view bytes_, what_;
  uint64_t data_begin_ = 0;
};

}  // namespace

Bytes to_bytes(const SafeTensors& file) {
  HeaderWriter header;
  header.metadata(file.metadata);
  const ParamLayout& layout = file.tensors.layout();
  for (int i = 0; i < layout.size(); ++i)
    header.entry(layout.spec(i).name, "F32", layout.spec(i).shape.sizes(),
                 file.tensors.values(i).size_bytes());
  for (const auto& [name, blob] : file.blobs)
    header.entry(name, "U8", {static_cast<int64_t>(blob.size())}, blob.size());

  const size_t data_size = header.data_size();
  const std::string text = std::move(header).take();
  const uint64_t length = text.size();
  Bytes out;
  out.reserve(kLengthSize + text.size() + data_size);
  out.append(reinterpret_cast<const char*>(&length), kLengthSize);
  out += text;
  for (int i = 0; i < layout.size(); ++i) {
    const auto values = file.tensors.values(i);
    out.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  }
  for (const auto& [name, blob] : file.blobs) out += blob;
  return out;
}

SafeTensors from_bytes(std::string_view bytes, std::string_view what) {
  return Reader(bytes, what).read();
}

}  // namespace superstep::io
