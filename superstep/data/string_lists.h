// Lists of strings as bytes.
#pragma once

#include <string>
#include <vector>

#include "superstep/base/bytes.h"

namespace superstep::data {

inline void put_strings(ByteWriter& writer, const std::vector<std::string>& strings) {
  writer.put(static_cast<uint64_t>(strings.size()));
  for (const std::string& s : strings) writer.put_string(s);
}

inline std::vector<std::string> get_strings(ByteReader& reader) {
  const auto count = reader.get<uint64_t>();
  std::vector<std::string> strings;
  // No reserve: a damaged count ends at the end of the bytes, not of the memory.
  for (uint64_t i = 0; i < count; ++i) strings.push_back(reader.get_string());
  return strings;
}

}  // namespace superstep::data
