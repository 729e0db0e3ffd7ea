// The names of the files in a run's folder of pictures.
//
//   picture_stem("finetune", "layer 2", 5)              "finetune.layer-2.epoch-0005"
//   picture_name("hidden", "finetune", "layer 2", 5)    "hidden.finetune.layer-2.epoch-0005.png"
//   originals_name("pretrain.0")                        "originals.pretrain.0.png"
#pragma once

#include <cstdint>
#include <string>

namespace superstep::report {

inline constexpr const char* kSamplesPicture = "samples.png";
inline constexpr const char* kSamplesFile = "samples.json";

/// Phase and layer joined with a dot, spaces as hyphens; the layer may be empty. Throws DataError
/// for other characters than letters, digits, spaces, dots, hyphens and underscores, for a name
/// that begins with a dot, and for an empty phase.
std::string place_name(const std::string& phase, const std::string& layer);

/// The same with the epoch, which is at least 1.
std::string picture_stem(const std::string& phase, const std::string& layer, int64_t epoch);

/// `kind`: "filters", "reconstructions", "hidden", "hinton".
std::string picture_name(const std::string& kind, const std::string& phase,
                         const std::string& layer, int64_t epoch);

std::string originals_name(const std::string& phase);

}  // namespace superstep::report
