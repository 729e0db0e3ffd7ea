#include "superstep/cluster/transport/wire.h"

#include <grpc/support/log.h>
#include <transport.pb.h>

#include <mutex>
#include <new>

#include "superstep/base/log.h"

namespace superstep::cluster::transport {
namespace {

// More than any memory holds, and far from where a product of sizes overflows.
constexpr int64_t kMostFloats = int64_t{1} << 40;

ParamSpec spec_from_wire(const wire::Tensor& tensor, int64_t& floats) {
  std::vector<int64_t> sizes(tensor.shape().begin(), tensor.shape().end());
  int64_t count = 1;
  for (const int64_t size : sizes) {
    if (size < 0 || size > kMostFloats / std::max<int64_t>(count, 1))
      throw DataError("state: tensor '{}' has an axis of {}", tensor.name(), size);
    count *= size;
  }
  floats += count;
  if (floats > kMostFloats)
    throw DataError("state: over {} floats at tensor '{}'", kMostFloats, tensor.name());
  return {tensor.name(), Shape(std::move(sizes))};
}

template <class E>
std::exception_ptr make(const std::string& text) {
  return std::make_exception_ptr(E("{}", text));
}

}  // namespace

std::vector<Digest> digests_of(const ParamSet& params) {
  std::vector<Digest> digests;
  for (int t = 0; t < params.layout().size(); ++t) {
    const auto values = params.values(t);
    digests.push_back(digest(values.data(), values.size_bytes()));
  }
  return digests;
}

void to_wire(const RoundStart& start, int64_t number, const std::string& memory, wire::Begin& out) {
  out.set_state(number);
  out.set_round(reduce::to_bytes(start.round));
  out.set_memory(memory);
  const std::vector<Digest> digests =
      memory.empty() ? digests_of(*start.shared)
                     : std::vector<Digest>(static_cast<size_t>(start.shared->layout().size()));
  for (int t = 0; t < start.shared->layout().size(); ++t) {
    const ParamSpec& spec = start.shared->layout().spec(t);
    wire::Tensor& tensor = *out.add_tensors();
    tensor.set_name(spec.name);
    for (const int64_t size : spec.shape.sizes()) tensor.add_shape(size);
    tensor.set_digest_low(digests[static_cast<size_t>(t)].low);
    tensor.set_digest_high(digests[static_cast<size_t>(t)].high);
  }
}

StateHead from_wire(const wire::Begin& begin) {
  StateHead head{.number = begin.state(),
                 .round = reduce::round_from_bytes(begin.round()),
                 .specs = {},
                 .digests = {},
                 .memory = begin.memory()};
  int64_t floats = 0;
  for (const wire::Tensor& tensor : begin.tensors()) {
    head.specs.push_back(spec_from_wire(tensor, floats));
    for (size_t t = 0; t + 1 < head.specs.size(); ++t)
      if (head.specs[t].name == tensor.name())
        throw DataError("state: two tensors '{}'", tensor.name());
    head.digests.push_back({tensor.digest_low(), tensor.digest_high()});
  }
  return head;
}

std::vector<Range> differing(const ParamLayout& layout, const std::vector<Digest>& wanted,
                             const std::vector<Digest>& held) {
  SUPERSTEP_ASSERT(wanted.size() == static_cast<size_t>(layout.size()) &&
                   held.size() == wanted.size());
  std::vector<Range> ranges;
  bool grows = false;  // the last range ends where this tensor begins
  for (int t = 0; t < layout.size(); ++t) {
    const auto begin = static_cast<int64_t>(layout.offset(t));
    const int64_t end = begin + layout.spec(t).shape.count();
    const Digest& is = wanted[static_cast<size_t>(t)];
    const bool differs = end > begin && (is == Digest{} || is != held[static_cast<size_t>(t)]);
    if (differs && grows)
      ranges.back().count = end - ranges.back().begin;
    else if (differs)
      ranges.push_back({begin, end - begin});
    grows = differs || (grows && end == begin);
  }
  return ranges;
}

void to_wire(const Notice& notice, wire::Notice& out) {
  out.set_lease(notice.lease);
  if (notice.digest) {
    out.add_digest(notice.digest->low);
    out.add_digest(notice.digest->high);
  }
  out.set_weight(notice.weight);
  out.set_blob(notice.blob);
  out.set_private_state(notice.private_state);
  out.set_compute_seconds(notice.compute_seconds);
  out.set_read_here(notice.read.here);
  out.set_read_elsewhere(notice.read.elsewhere);
}

Notice from_wire(const wire::Notice& notice) {
  std::optional<Digest> digest;
  if (notice.digest_size() == 2) digest = {notice.digest(0), notice.digest(1)};
  if (!digest && notice.digest_size() != 0)
    throw DataError("the notice of lease {}: a digest of {} numbers, wanted 2 or none",
                    notice.lease(), notice.digest_size());
  return {.lease = notice.lease(),
          .digest = digest,
          .weight = notice.weight(),
          .blob = notice.blob(),
          .private_state = notice.private_state(),
          .compute_seconds = notice.compute_seconds(),
          .read = {.here = notice.read_here(), .elsewhere = notice.read_elsewhere()}};
}

void to_wire(const std::exception_ptr& error, wire::Problem& out) {
  const auto say = [&](wire::Problem::Kind kind, const char* text) {
    out.set_kind(kind);
    out.set_text(text);
  };
  try {
    std::rethrow_exception(error);
  } catch (const ConfigError& e) {
    say(wire::Problem::CONFIG, e.what());
  } catch (const DataError& e) {
    say(wire::Problem::DATA, e.what());
  } catch (const FileError& e) {
    say(wire::Problem::FILE, e.what());
  } catch (const NumericError& e) {
    say(wire::Problem::NUMERIC, e.what());
  } catch (const std::bad_alloc&) {
    say(wire::Problem::MEMORY, "out of memory");
  } catch (const std::exception& e) {
    say(wire::Problem::OTHER, e.what());
  } catch (...) {
    say(wire::Problem::OTHER, "an exception without a text");
  }
}

std::exception_ptr from_wire(const wire::Problem& problem) {
  switch (problem.kind()) {
    case wire::Problem::CONFIG:
      return make<ConfigError>(problem.text());
    case wire::Problem::DATA:
      return make<DataError>(problem.text());
    case wire::Problem::FILE:
      return make<FileError>(problem.text());
    case wire::Problem::NUMERIC:
      return make<NumericError>(problem.text());
    case wire::Problem::MEMORY:
      return std::make_exception_ptr(std::bad_alloc());
    default:
      return std::make_exception_ptr(Error(problem.text()));
  }
}

void use_our_log() {
  static std::once_flag once;
  std::call_once(once, [] {
    gpr_set_log_function([](gpr_log_func_args* args) {
      log::debug("gRPC: {} ({}:{})", args->message, args->file, args->line);
    });
  });
}

}  // namespace superstep::cluster::transport
