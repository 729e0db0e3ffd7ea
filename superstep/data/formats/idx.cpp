#include "superstep/data/formats/idx.h"

#include <array>

#include "superstep/base/error.h"

namespace superstep::data {
namespace {

constexpr int kUnsignedByte = 8, kMostAxes = 4;

}  // namespace

bool is_idx(std::string_view start) {
  if (start.size() < 4 || start[0] != 0 || start[1] != 0) return false;
  const std::string_view types("\x08\x09\x0B\x0C\x0D\x0E", 6);
  return types.find(start[2]) != std::string_view::npos && start[3] >= 1;
}

IdxHeader read_idx_header(io::ByteStream& in, const std::string& file) {
  int64_t at = 0;
  const auto four_bytes = [&] {
    std::array<char, 4> raw{};
    const size_t got = in.read(raw);
    if (got != raw.size())
      throw DataError("{}: cut short at byte {}, in the IDX header", file,
                      at + static_cast<int64_t>(got));
    at += 4;
    return raw;
  };
  const auto magic = four_bytes();
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(magic[i]); };
  if (byte(0) != 0 || byte(1) != 0 || byte(3) < 1 || byte(3) > kMostAxes)
    throw DataError(
        "{}: byte 0 holds {:02x} {:02x} {:02x} {:02x}, wanted the IDX magic 00 00 08 "
        "and 01 to 04 for the number of axes",
        file, byte(0), byte(1), byte(2), byte(3));
  if (byte(2) != kUnsignedByte)
    throw DataError("{}: byte 2 holds the IDX type {:02x}, wanted 08 (unsigned bytes)", file,
                    byte(2));
  IdxHeader header;
  constexpr int64_t kMostColumns = int64_t{1} << 31;
  for (int axis = 0; axis < byte(3); ++axis) {
    int64_t size = 0;
    for (const char c : four_bytes()) size = size << 8 | static_cast<unsigned char>(c);
    if (axis == 0) {
      header.rows = size;
      continue;
    }
    if (size == 0) throw DataError("{}: byte {} holds an axis of 0 values", file, at - 4);
    header.axes.push_back(size);
    header.columns *= size;
    if (header.columns > kMostColumns)
      throw DataError("{}: byte {}: more than {} values a row", file, at - 4, kMostColumns);
  }
  return header;
}

std::vector<uint8_t> read_idx_values(io::ByteStream& in, const std::string& file,
                                     const IdxHeader& header, int64_t most) {
  // rows < 2^32 and columns <= 2^31, so the product is below 2^63.
  const int64_t wanted = header.rows * header.columns;
  if (wanted > most)
    throw DataError(
        "{}: cut short: its header says {} rows of {} values, which is more than the "
        "file can hold",
        file, header.rows, header.columns);
  std::vector<uint8_t> values(static_cast<size_t>(wanted));
  const size_t got = in.read({reinterpret_cast<char*>(values.data()), values.size()});
  if (got != values.size())
    throw DataError("{}: cut short at byte {}, in row {}: its header says {} rows of {} values",
                    file, header.bytes() + static_cast<int64_t>(got),
                    static_cast<int64_t>(got) / header.columns, header.rows, header.columns);
  std::array<char, 1> more{};
  if (in.read(more) != 0)
    throw DataError(
        "{}: more bytes than the {} rows of {} values that its header says, from byte "
        "{} on",
        file, header.rows, header.columns, header.bytes() + wanted);
  return values;
}

std::string idx_labels_name(const std::string& images) {
  const size_t slash = images.rfind('/');
  const size_t start = slash == std::string::npos ? 0 : slash + 1;
  const size_t at = images.find("images", start);
  // images, a separator, "idx", the number of axes
  constexpr size_t kImages = 6, kIdx = kImages + 1, kAxes = kIdx + 3;
  if (at == std::string::npos || images.size() <= at + kAxes) return "";
  const char separator = images[at + kImages];
  if ((separator != '-' && separator != '.') || images.compare(at + kIdx, 3, "idx") != 0) return "";
  std::string labels = images;
  labels[at + kAxes] = '1';
  labels.replace(at, kImages, "labels");
  return labels;
}

}  // namespace superstep::data
