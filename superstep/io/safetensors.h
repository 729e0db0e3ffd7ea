// The safetensors file format: named tensors behind a small JSON header.
//
//   io::SafeTensors file;
//   file.metadata["format"] = "superstep 1";
//   file.tensors = params;                               // F32, in the layout's order
//   file.blobs["vectorizer"] = bytes;                    // U8, one axis
//   io::write_file("model.safetensors", io::to_bytes(file));
//   auto back = io::from_bytes(io::read_file("model.safetensors"), "model.safetensors");
//
// Layout: the length of the header (8 bytes, little-endian), the header (padded with spaces to a
// multiple of 8), the data of all entries without holes. The bytes are a function of the content:
// metadata sorted by key, then the tensors in the order of their layout, then the blobs sorted by
// name. Other programs (the `safetensors` packages) read these files; we read theirs when they hold
// only F32, and U8 with one axis.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "superstep/base/bytes.h"
#include "superstep/tensor/param_set.h"

namespace superstep::io {

struct SafeTensors {
  std::map<std::string, std::string> metadata;
  ParamSet tensors;
  std::map<std::string, Bytes> blobs;
};

/// Names and metadata must be UTF-8, a blob may not be named as a tensor is, nor anything
/// `__metadata__`: DataError.
Bytes to_bytes(const SafeTensors& file);

/// `what` names the bytes in errors. Tensors come in the order of their data. Throws DataError with
/// the place for whatever is not as the format says: a length beyond the end or beyond 100 MB, a
/// header that is no JSON of the right form, a name twice, another dtype, a shape that does not fit
/// its bytes, entries that overlap, leave holes or end before the file does.
SafeTensors from_bytes(std::string_view bytes, std::string_view what);

}  // namespace superstep::io
