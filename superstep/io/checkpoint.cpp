#include "superstep/io/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "superstep/base/error.h"
#include "superstep/base/hash.h"
#include "superstep/base/log.h"
#include "superstep/io/file.h"
#include "superstep/io/safetensors.h"

namespace superstep::io {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kPrefix = "checkpoint-";
constexpr std::string_view kData = ".safetensors";
constexpr std::string_view kManifest = ".json";
constexpr const char* kSets = "sets";

/// Higher attempts count for more: what a coordinator that was replaced still writes is older.
struct Id {
  int64_t attempt = 0, number = 0;
  friend auto operator<=>(const Id&, const Id&) = default;
  [[nodiscard]] std::string stem() const {
    return fmt::format("{}{}-{}", kPrefix, number, attempt);
  }
};

/// The id in "checkpoint-12-3<suffix>"; nullopt for another name. `rest` gets the suffix.
std::optional<Id> parse_id(std::string_view name, std::string_view& rest) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const char* end = name.data() + name.size();
  Id id;
  const auto number = std::from_chars(name.data() + kPrefix.size(), end, id.number);
  if (number.ec != std::errc() || number.ptr == end || *number.ptr != '-') return std::nullopt;
  const auto attempt = std::from_chars(number.ptr + 1, end, id.attempt);
  if (attempt.ec != std::errc()) return std::nullopt;
  rest = std::string_view(attempt.ptr, static_cast<size_t>(end - attempt.ptr));
  return id;
}

/// The manifests of a folder, newest first; none where the folder is not there.
std::vector<Id> manifests(const std::string& folder) {
  std::vector<Id> ids;
  for (const std::string& name : names_in(folder)) {
    std::string_view rest;
    if (const auto id = parse_id(name, rest); id && rest == kManifest) ids.push_back(*id);
  }
  std::ranges::sort(ids, std::greater());
  return ids;
}

std::string digest_text(std::string_view bytes) {
  const Digest d = digest(bytes.data(), bytes.size());
  return fmt::format("xxh3-128:{:016x}{:016x}", d.high, d.low);
}

Bytes pack(const Checkpoint& checkpoint) {
  SafeTensors file;
  Json names = Json::array();
  std::vector<ParamSpec> specs;
  for (const auto& [set, params] : checkpoint.sets) {
    SUPERSTEP_ASSERT(set.find('/') == std::string::npos);
    names.push_back(set);
    for (const ParamSpec& spec : params.layout().specs())
      specs.push_back({set + "/" + spec.name, spec.shape});
  }
  file.metadata[kSets] = names.dump();
  file.tensors = ParamSet(std::move(specs));
  int next = 0;
  for (const auto& [set, params] : checkpoint.sets)
    for (int i = 0; i < params.layout().size(); ++i)
      std::ranges::copy(params.values(i), file.tensors.values(next++).begin());
  for (const auto& [name, blob] : checkpoint.blobs) file.blobs["blob/" + name] = blob;
  return to_bytes(file);
}

Checkpoint unpack(std::string_view bytes, const std::string& what) {
  SafeTensors file = from_bytes(bytes, what);
  const Json names = Json::parse(file.metadata[kSets], nullptr, /*allow_exceptions=*/false);
  if (!names.is_array()) throw DataError("{}: its metadata has no list of sets", what);
  Checkpoint out;
  const auto& specs = file.tensors.layout().specs();
  for (const Json& name : names) {
    if (!name.is_string()) throw DataError("{}: the list of sets holds no name", what);
    const std::string prefix = name.get<std::string>() + "/";
    std::vector<ParamSpec> own;
    std::vector<int> from;
    for (int i = 0; i < file.tensors.layout().size(); ++i) {
      const ParamSpec& spec = specs[static_cast<size_t>(i)];
      if (!spec.name.starts_with(prefix)) continue;
      own.push_back({spec.name.substr(prefix.size()), spec.shape});
      from.push_back(i);
    }
    ParamSet params(std::move(own));
    for (size_t i = 0; i < from.size(); ++i)
      std::ranges::copy(file.tensors.values(from[i]), params.values(static_cast<int>(i)).begin());
    out.sets.emplace_back(name.get<std::string>(), std::move(params));
  }
  for (auto& [name, blob] : file.blobs) {
    if (!name.starts_with("blob/")) throw DataError("{}: '{}' is no blob's name", what, name);
    out.blobs[name.substr(5)] = std::move(blob);
  }
  return out;
}

/// The bytes that a manifest vouches for. Throws FileError or DataError when it does not.
Bytes vouched(const std::string& folder, const Id& id) {
  const std::string path = folder + "/" + id.stem() + std::string(kManifest);
  const Json manifest = Json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  const std::string file = id.stem() + std::string(kData);
  if (!manifest.is_object() || manifest.value("file", Json()) != file)
    throw DataError("{}: is no manifest of {}", path, file);
  const Bytes bytes = read_file(folder + "/" + file);
  if (manifest.value("size", Json()) != bytes.size())
    throw DataError("{}/{}: holds {} bytes, its manifest says {}", folder, file, bytes.size(),
                    manifest.value("size", Json()).dump());
  if (manifest.value("digest", Json()) != digest_text(bytes))
    throw DataError("{}/{}: its bytes are not those of its manifest (digest)", folder, file);
  return bytes;
}

void try_to_remove(const std::string& path) {
  try {
    io::remove(path);
  } catch (const FileError& error) {
    log::warning("{}", error.what());
  }
}

bool looks_whole(const std::string& folder, const Id& id) {
  const std::string data = folder + "/" + id.stem() + std::string(kData);
  const auto found = file_system_of(data).status(data);
  if (!found) return false;
  const std::string path = folder + "/" + id.stem() + std::string(kManifest);
  try {
    const Json manifest = Json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
    return manifest.is_object() && manifest.value("size", Json()) == found->size;
  } catch (const FileError&) {
    return false;
  }
}

/// Removes what is older than the newest `keep` whole ones, and what a killed writer left behind.
void prune(const std::string& folder, int keep, const Id& written) {
  int whole = 0;
  for (const Id& id : manifests(folder)) {
    if (whole >= keep && id != written) {
      try_to_remove(folder + "/" + id.stem() +
                    std::string(kManifest));  // first: it vouches for the other
      try_to_remove(folder + "/" + id.stem() + std::string(kData));
    } else if (looks_whole(folder, id)) {
      ++whole;
    }
  }
  std::vector<std::string> orphans;
  for (const std::string& name : names_in(folder)) {
    const bool hidden = name.starts_with('.');
    std::string_view rest;
    const auto id = parse_id(std::string_view(name).substr(hidden ? 1 : 0), rest);
    // What is newer may be in the hands of a coordinator that replaced this one.
    if (!id || *id >= written) continue;
    const bool temporary = hidden && rest.find(".tmp-") != std::string_view::npos;
    const bool unvouched =
        !hidden && rest == kData && !exists(folder + "/" + id->stem() + std::string(kManifest));
    if (temporary || unvouched) orphans.push_back(folder + "/" + name);
  }
  for (const std::string& path : orphans) try_to_remove(path);
}

}  // namespace

const ParamSet& Checkpoint::set(const std::string& name) const {
  for (const auto& [key, params] : sets)
    if (key == name) return params;
  throw DataError("the checkpoint has no set '{}'", name);
}

const Bytes& Checkpoint::blob(const std::string& name) const {
  const auto found = blobs.find(name);
  if (found == blobs.end()) throw DataError("the checkpoint has no blob '{}'", name);
  return found->second;
}

CheckpointFolder::CheckpointFolder(std::string path, int keep)
    : path_(std::move(path)), keep_(keep) {
  SUPERSTEP_ASSERT(keep_ >= 1);
}

void CheckpointFolder::write(int64_t number, int64_t attempt, const Checkpoint& checkpoint) {
  const Id id{attempt, number};
  make_folder(path_);
  const Bytes bytes = pack(checkpoint);
  const std::string file = id.stem() + std::string(kData);
  write_file(path_ + "/" + file, bytes);
  const Json manifest = {{"number", number},
                         {"attempt", attempt},
                         {"file", file},
                         {"size", bytes.size()},
                         {"digest", digest_text(bytes)}};
  try {
    write_file(path_ + "/" + id.stem() + std::string(kManifest), manifest.dump() + "\n");
  } catch (const FileError&) {
    try_to_remove(path_ + "/" + file);  // without a manifest it only takes room
    throw;
  }
  prune(path_, keep_, id);
}

std::optional<CheckpointFolder::Found> CheckpointFolder::newest() const {
  for (const Id& id : manifests(path_)) {
    try {
      const Bytes bytes = vouched(path_, id);
      return Found{id.number, id.attempt, unpack(bytes, path_ + "/" + id.stem())};
    } catch (const Error& error) {
      log::warning("{}; trying an older checkpoint", error.what());
    }
  }
  return std::nullopt;
}

}  // namespace superstep::io
