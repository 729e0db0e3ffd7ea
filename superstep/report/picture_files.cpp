#include "superstep/report/picture_files.h"

#include "superstep/base/error.h"

namespace superstep::report {
namespace {

std::string file_part(const std::string& name) {
  std::string part;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c != '.' && c != '-' && c != '_' && c != ' ')
      throw DataError(
          "[pictures] the name '{}' cannot be part of a file's: wanted letters, digits, spaces, "
          "dots, hyphens and underscores",
          name);
    part += c == ' ' ? '-' : c;
  }
  if (part.starts_with('.')) throw DataError("[pictures] the name '{}' begins with a dot", name);
  return part;
}

}  // namespace

std::string place_name(const std::string& phase, const std::string& layer) {
  if (phase.empty()) throw DataError("[pictures] a phase without a name");
  return layer.empty() ? file_part(phase) : file_part(phase) + "." + file_part(layer);
}

std::string picture_stem(const std::string& phase, const std::string& layer, int64_t epoch) {
  if (epoch < 1) throw DataError("[pictures] epoch {} of {}, wanted at least 1", epoch, phase);
  return fmt::format("{}.epoch-{:04}", place_name(phase, layer), epoch);
}

std::string picture_name(const std::string& kind, const std::string& phase,
                         const std::string& layer, int64_t epoch) {
  return kind + "." + picture_stem(phase, layer, epoch) + ".png";
}

std::string originals_name(const std::string& phase) {
  return "originals." + place_name(phase, "") + ".png";
}

}  // namespace superstep::report
