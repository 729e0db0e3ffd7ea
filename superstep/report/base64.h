// Bytes as text for data: addresses (RFC 4648, section 4, with padding).
//
//   base64("foo")   // "Zm9v"
#pragma once

#include <string>
#include <string_view>

namespace superstep::report {

std::string base64(std::string_view bytes);

}  // namespace superstep::report
