#include "superstep/data/schema.h"

#include "superstep/data/string_lists.h"

namespace superstep::data {

std::string Schema::name(int64_t column) const {
  SUPERSTEP_ASSERT(column >= 0 && column < columns);
  if (!names.empty()) {
    const std::string& own = names[static_cast<size_t>(column)];
    return named ? own : "column " + own;
  }
  if (image.size() == 2) return fmt::format("pixel ({}, {})", column / image[1], column % image[1]);
  return fmt::format("value {}", column);
}

Bytes Schema::to_bytes() const {
  ByteWriter w;
  w.put(columns);
  put_strings(w, names);
  w.put(static_cast<uint8_t>(named));
  w.put(static_cast<uint8_t>(bytes));
  w.put_array(std::span<const int64_t>(image));
  w.put(label_column);
  w.put_string(label);
  w.put(fields);
  w.put_array(std::span<const int64_t>(places));
  put_strings(w, dropped);
  return std::move(w).take();
}

Schema Schema::from_bytes(std::string_view data, std::string_view what) {
  ByteReader r(data, what);
  Schema s;
  s.columns = r.get<int64_t>();
  s.names = get_strings(r);
  s.named = r.get<uint8_t>() != 0;
  s.bytes = r.get<uint8_t>() != 0;
  s.image = r.get_all<std::vector<int64_t>>();
  s.label_column = r.get<int64_t>();
  s.label = r.get_string();
  s.fields = r.get<int64_t>();
  s.places = r.get_all<std::vector<int64_t>>();
  s.dropped = get_strings(r);
  r.finish();

  if (s.columns < 1) throw DataError("{}: {} columns, wanted at least 1", what, s.columns);
  const auto columns = static_cast<size_t>(s.columns);
  if (s.names.size() != s.places.size() || (!s.names.empty() && s.names.size() != columns))
    throw DataError("{}: {} names and {} places for {} columns", what, s.names.size(),
                    s.places.size(), s.columns);
  for (const int64_t axis : s.image)
    if (axis < 1) throw DataError("{}: an image axis of {}, wanted at least 1", what, axis);
  for (const int64_t place : s.places)
    if (place < 0 || place >= s.fields)
      throw DataError("{}: place {} in a record of {} fields", what, place, s.fields);
  if (s.label_column != -1 && (s.label_column < 0 || s.label_column >= s.fields))
    throw DataError("{}: label column {} in a record of {} fields", what, s.label_column, s.fields);
  return s;
}

}  // namespace superstep::data
